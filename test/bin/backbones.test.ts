import { spawnSync } from 'node:child_process';
import { appendFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { PACKAGE_ROOT } from '../../src/config.js';
import { fileOf, plain } from '../helpers/onnx-models.js';

const folder = t.testdir({ 'network.onnx': Buffer.from(fileOf(plain)), models: {}, data: {} });
const network = join(folder, 'network.onnx');
const dataDir = join(folder, 'data');

function backbones(...args: string[]) {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [join(PACKAGE_ROOT, 'build/src/bin/backbones.js'), ...args],
    {
      encoding: 'utf8',
      env: { ...process.env, NODE_OPTIONS: '', MODELS_DIR: join(folder, 'models'), DATA_DIR: dataDir },
    },
  );
  return { status, stdout, stderr };
}

t.test('import, list, verify and remove say what they did', async (t) => {
  t.match(backbones('list'), { status: 0, stdout: /no backbones/ });
  const imported = backbones('import', network, '--id', 'tiny', '--preset', 'tf', '--levels', '2', '--license', 'MIT');
  t.match(imported, {
    status: 0,
    stderr: '',
    stdout: /10 \(4 at 8×8, 6 at 4×4\)[\s\S]*tf: it was asked for[\s\S]*5 classes/,
  });
  t.match(backbones('list'), { status: 0, stdout: /^tiny +10 features +16×16 px .*MIT\n$/ });
  t.match(backbones('verify'), { status: 0, stdout: 'tiny: ok\n' });
  for (const file of readdirSync(join(dataDir, 'backbones/tiny/files'))) {
    appendFileSync(join(dataDir, 'backbones/tiny/files', file), 'x');
  }
  t.match(backbones('verify'), { status: 1, stdout: /damaged/, stderr: /1 of 1/ });
  t.match(backbones('remove', 'tiny'), { status: 0, stdout: 'Removed tiny.\n' });
});

t.test('what Graft comes with is listed, and cannot be removed', async (t) => {
  const own = ['--models-dir', join(PACKAGE_ROOT, 'models')];
  t.match(backbones('list', ...own), { status: 0, stdout: /^rootstock_s /m });
  t.match(backbones('remove', 'rootstock_s', ...own), { status: 1, stderr: /cannot be removed/ });
});

t.test('the catalog lists what can be pulled, and what cannot', (t) => {
  const { status, stdout } = backbones('catalog');
  t.equal(status, 0);
  t.match(stdout, /^ {2}mobilenet_v2 +14 MB +224 +71\.9 +0\.3 +Apache-2\.0 +a first choice$/m);
  t.match(stdout, /never tried these addresses[\s\S]*mobilenet_v1, /);
  t.same(
    stdout.split('\n').filter((line) => line.length > 80),
    [],
  );
  const one = backbones('catalog', 'dinov2_small');
  t.match(
    one.stdout,
    /few photos\n.*5\.5 billion.*[\s\S]*imagenet[\s\S]*Apache-2\.0[\s\S]*address +https[\s\S]*sha256 +8314/,
  );
  t.match(backbones('catalog', 'mobilenet_v1'), { status: 1, stderr: /cannot be pulled\. Export it with tf2onnx/ });
  t.end();
});

t.test('a pull without a network says what to fetch, and takes only the very file', (t) => {
  const offline = backbones('pull', 'squeezenet1_1', '--mirror', 'http://127.0.0.1:1/zoo');
  t.match(offline, { status: 1, stdout: /Asking http:\/\/127\.0\.0\.1:1\/zoo\/onnxmodelzoo/ });
  t.match(offline.stderr, /4958202 bytes[\s\S]*3832a0f4[\s\S]*pull squeezenet1_1 --from squeezenet1_1_Opset16\.onnx/);
  const other = backbones('pull', 'squeezenet1_1', '--from', network);
  t.match(other, { status: 1, stderr: /network\.onnx is not SqueezeNet.* instead of 4958202/ });
  t.end();
});

t.test('what cannot be done is told in one sentence, with exit code 1', async (t) => {
  const wrong: [string[], RegExp][] = [
    [['import', join(folder, 'nothing.onnx'), '--id', 'x'], /cannot be read/],
    [['import', join(PACKAGE_ROOT, 'package.json'), '--id', 'x'], /not an ONNX model/],
    [['import', network], /needs --id/],
    [['import', network, '--id', 'x', '--levels', 'many'], /--levels must be a number/],
    [['import', '--unknown'], /Unknown option '--unknown'/],
    [['remove', 'nothing'], /no backbone "nothing"/],
    [['dance'], /no command dance/],
    [['pull'], /takes the id of one network/],
    [['pull', 'vgg16', '--mirror', 'nonsense'], /not an address/],
  ];
  for (const [args, sentence] of wrong) {
    const { status, stdout, stderr } = backbones(...args);
    t.match({ status, stdout, stderr }, { status: 1, stdout: '', stderr: sentence }, args.join(' '));
    t.equal(stderr.trim().split('\n').length, 1);
  }
});

t.test('without a command it tells how it is used', async (t) => {
  t.match(backbones(), { status: 0, stdout: /^Usage:/ });
});
