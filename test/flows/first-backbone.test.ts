/** The first start fetches the backbone that most people want, from a mirror on this machine; whatever that does, it goes on. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { DefaultBackbone } from '../../src/backbones/default-backbone.js';
import { PACKAGE_ROOT } from '../../src/config.js';
import { FileStorage } from '../../src/storage/file-storage.js';
import { replica } from '../helpers/architectures.js';
import { type Answer, closedPort, serveFile } from '../helpers/file-server.js';

const FILE = replica('mobilenet_v2', 'torch').file;
const PROGRAM = join(PACKAGE_ROOT, 'build', 'src', 'bin', 'first-backbone.js');

/** A catalog in which the network is a small one, and an empty data folder. */
function world(t: Test, sha256 = createHash('sha256').update(FILE).digest('hex')) {
  const folder = t.testdir({ models: {}, data: {} });
  const [models, data] = [join(folder, 'models'), join(folder, 'data')];
  cpSync(join(PACKAGE_ROOT, 'models', 'rootstock_s'), join(models, 'rootstock_s'), { recursive: true });
  const network = {
    ...{ id: 'mobilenet_v2', name: 'MobileNet v2', family: 'mobilenet', exporter: 'test', file: 'net.onnx' },
    ...{ paths: ['somewhere/net.onnx'], bytes: FILE.length, sha256, license: 'Apache-2.0', imagenet_top1: null },
    ...{ preset: 'imagenet', input_px: 96, note: null },
  };
  const catalog = { base: 'https://models.test', networks: [network], missing: [] };
  writeFileSync(join(models, 'catalog.json'), JSON.stringify(catalog));
  const standard = new DefaultBackbone({ storage: new FileStorage({ root: data }), setting: '' });
  const start = (mirror: string) => firstStart({ MODELS_DIR: models, DATA_DIR: data, BACKBONE_MIRROR: mirror });
  return { data, start, standard };
}

function firstStart(env: NodeJS.ProcessEnv): Promise<{ code: number | null; said: string; seconds: number }> {
  const began = performance.now();
  const child = spawn(process.execPath, [PROGRAM], { env: { PATH: process.env.PATH, ...env } });
  let said = '';
  child.stdout.on('data', (text) => {
    said += text;
  });
  child.stderr.on('data', (text) => {
    said += text;
  });
  return new Promise((resolve) => {
    child.on('close', (code) => resolve({ code, said, seconds: (performance.now() - began) / 1000 }));
  });
}

t.test('it arrives: installed, the default for all servers, and nothing is left', async (t) => {
  const { data, start, standard } = world(t);
  const { url, requests } = await serveFile(t, FILE);
  const { code, said } = await start(url);
  t.equal(code, 0, said);
  t.match(said, /Fetching MobileNet v2.*Apache-2\.0/);
  t.match(said, /use mobilenet_v2/);
  t.equal(await standard.id(), 'mobilenet_v2');
  t.ok(existsSync(join(data, 'backbones', 'mobilenet_v2', 'card.json')));
  t.same(readdirSync(join(data, 'cache', 'downloads')), []);
  t.equal(requests.length, 1);
});

const FAULTS: Record<string, { answer?: Answer; sha256?: string; says: RegExp; within: number }> = {
  'the checksum is wrong': { sha256: '0'.repeat(64), says: /sha256/, within: 10 },
  'the address is gone': { answer: ({ response }) => response.writeHead(404).end(), says: /404/, within: 10 },
  'nothing answers': { answer: () => undefined, says: /nothing arrived for 4\.5 s/, within: 12 },
};
for (const [what, { answer, sha256, says, within }] of Object.entries(FAULTS)) {
  t.test(`${what}: the one that Graft comes with stays the default, and the reason is told`, async (t) => {
    const { data, start, standard } = world(t, sha256);
    const { url } = await serveFile(t, FILE, answer);
    const { code, said, seconds } = await start(url);
    t.equal(code, 0, said);
    t.match(said, says);
    t.match(said, /could not be fetched.*use rootstock_s/);
    t.ok(seconds < within, `${seconds.toFixed(1)} s`);
    t.equal(await standard.chosen(), 'rootstock_s', 'and it stays so');
    t.notOk(existsSync(join(data, 'backbones', 'mobilenet_v2')));
    t.same(readdirSync(join(data, 'cache', 'downloads')), []);
  });
}

t.test('nobody is there: at once', async (t) => {
  const { start, standard } = world(t);
  const { said, seconds } = await start(await closedPort());
  t.match(said, /cannot be reached/);
  t.ok(seconds < 6, `${seconds.toFixed(1)} s`);
  t.equal(await standard.chosen(), 'rootstock_s');
});

t.test('a connection that is cut in the middle is gone on with', async (t) => {
  const { start, standard } = world(t);
  const server = await serveFile(t, FILE, ({ number, send, response }) => {
    if (number > 0) return send();
    send({ stallAfter: 20_000 });
    setTimeout(() => response.destroy(), 300);
  });
  const { said } = await start(server.url);
  t.match(said, /use mobilenet_v2/);
  t.match(server.requests, [/net\.onnx$/, /bytes=\d{4,}-/]);
  t.equal(await standard.chosen(), 'mobilenet_v2');
});

t.test('two first starts on one storage: both go on, and agree', async (t) => {
  const { data, start, standard } = world(t);
  const { url } = await serveFile(t, FILE);
  const both = await Promise.all([start(url), start(url)]);
  for (const { code, said } of both) {
    t.equal(code, 0);
    t.match(said, /use mobilenet_v2/);
  }
  t.equal(await standard.chosen(), 'mobilenet_v2');
  t.same(readdirSync(join(data, 'cache', 'downloads')), []);
});

t.test('an earlier choice stays', async (t) => {
  const { data, start, standard } = world(t);
  mkdirSync(data, { recursive: true });
  await standard.choose('rootstock_s');
  const { url } = await serveFile(t, FILE);
  await start(url);
  t.equal(await standard.chosen(), 'rootstock_s');
});
