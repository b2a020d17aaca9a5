import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { Backbones } from '../../src/backbones/backbones.js';
import { EmbeddedBackbones } from '../../src/backbones/embedded.js';
import { importBackbone } from '../../src/backbones/image/import/import-backbone.js';
import { InstalledBackbones } from '../../src/backbones/installed.js';
import { sourcesInOrder } from '../../src/backbones/source.js';
import { PACKAGE_ROOT } from '../../src/config.js';
import { FileStorage } from '../../src/storage/file-storage.js';
import { IMAGES } from '../helpers/backbones.js';
import { fileOf, plain } from '../helpers/onnx-models.js';

/** An empty storage, machines that share it, and two networks to install: `tiny` and another of that name. */
async function scene(t: Test) {
  const folder = t.testdir({ 'network.onnx': Buffer.from(fileOf(plain)), data: {} });
  const file = join(folder, 'network.onnx');
  const root = join(folder, 'data');
  /** As another machine sees it: the same storage, a local folder of its own. */
  const machine = (name: string) => {
    const local = join(folder, name);
    return { local, installed: new InstalledBackbones({ storage: new FileStorage({ root }), folder: local }) };
  };
  const tiny = await importBackbone({ file, id: 'tiny', levels: 2, preset: 'unit' });
  const other = await importBackbone({ file, id: 'tiny', levels: 1, preset: 'tf' });
  const stored = join(root, 'backbones', 'tiny');
  return { root, machine, stored, tiny, other };
}

t.test(
  'what one machine installs, another that runs already serves; it is fetched once, when first needed',
  async (t) => {
    const { machine, tiny } = await scene(t);
    const [here, there] = [machine('here'), machine('there')];
    const embedded = new EmbeddedBackbones({ folder: join(PACKAGE_ROOT, 'models') });
    const serving = new Backbones({
      source: sourcesInOrder([there.installed, embedded]),
      modalities: [IMAGES],
      threads: 1,
    });
    t.same(
      (await serving.list()).map(({ id }) => id),
      ['rootstock_s'],
    );
    await t.rejects(serving.load('tiny'), { code: 'backbone_not_found', message: /There are: ngrams, rootstock_s/ });
    await here.installed.install(tiny);
    t.same(await there.installed.card('tiny'), tiny.card);
    t.same(
      (await serving.list()).map(({ id }) => id),
      ['rootstock_s', 'tiny'],
    );
    t.notOk(existsSync(there.local), 'its card needs no file');
    const backbone = await serving.loadFor(tiny.card);
    t.match(await backbone.embed([new Uint8Array(16 * 16 * 3)]), { rows: 1, columns: 10 });
    t.same(readdirSync(there.local), [tiny.card.sha256]);
    t.same(
      readFileSync(await there.installed.file(tiny.card)),
      Buffer.from(tiny.files.get('model.onnx') as Uint8Array),
    );
    await there.installed.verify('tiny');
  },
);

t.test('one that is removed and put back is served without a restart; what is in memory goes on', async (t) => {
  const { machine, tiny, other } = await scene(t);
  const { installed } = machine('here');
  const serving = new Backbones({ source: machine('there').installed, modalities: [IMAGES], threads: 1 });
  await installed.install(tiny);
  const first = await serving.load('tiny');
  await installed.remove('tiny');
  t.equal(await serving.loadFor(tiny.card), first, 'its versions are still answered');
  await t.rejects(serving.load('tiny'), { code: 'backbone_not_found' }, 'and no new job begins with it');
  await t.rejects(
    new Backbones({ source: machine('new').installed, modalities: [IMAGES], threads: 1 }).loadFor(tiny.card),
    {
      code: 'backbone_not_found',
    },
  );
  await installed.install(other);
  t.same((await serving.load('tiny')).card, other.card);
  await t.rejects(
    new Backbones({ source: machine('new').installed, modalities: [IMAGES], threads: 1 }).loadFor(tiny.card),
    {
      code: 'backbone_mismatch',
      message: new RegExp(`sha256 ${tiny.card.sha256}.*installed \\(${other.card.sha256}`),
    },
  );
  await installed.remove('tiny');
  await installed.install(tiny);
  t.equal(await serving.load('tiny'), first);
  t.ok(await new Backbones({ source: machine('new').installed, modalities: [IMAGES], threads: 1 }).loadFor(tiny.card));
});

t.test('processes that fetch at once all get the whole file, and leave nothing else', async (t) => {
  const { machine, root, tiny } = await scene(t);
  await machine('here').installed.install(tiny);
  const { local } = machine('there');
  const module = (path: string) => JSON.stringify(join(PACKAGE_ROOT, 'build/src', path));
  const program = `
    const { InstalledBackbones } = await import(${module('backbones/installed.js')});
    const { FileStorage } = await import(${module('storage/file-storage.js')});
    const storage = new FileStorage({ root: ${JSON.stringify(root)} });
    const installed = new InstalledBackbones({ storage, folder: ${JSON.stringify(local)} });
    const card = await installed.card('tiny');
    console.log(await installed.file(card));`;
  const fetching = Array.from({ length: 3 }, () =>
    promisify(execFile)(process.execPath, ['--input-type=module', '-e', program]),
  );
  const paths = (await Promise.all(fetching)).map(({ stdout }) => stdout.trim());
  t.same(paths, Array(3).fill(join(local, tiny.card.sha256)));
  t.same(readdirSync(local), [tiny.card.sha256]);
});

t.test('a damaged local copy is fetched anew, and so is one that was deleted', async (t) => {
  const { machine, tiny } = await scene(t);
  const { installed, local } = machine('here');
  await installed.install(tiny);
  const path = await installed.file(tiny.card);
  const whole = readFileSync(path);
  writeFileSync(path, 'x');
  await installed.file(tiny.card);
  t.same(readFileSync(path), whole);
  rmSync(local, { recursive: true });
  await installed.file(tiny.card);
  t.same(readFileSync(path), whole);
});

t.test('what a process left half-fetched is cleared away once it is old', async (t) => {
  const { machine, tiny } = await scene(t);
  const { installed, local } = machine('here');
  await installed.install(tiny);
  await mkdir(local);
  const [old, young] = ['.old', '.young'].map((name) => join(local, name));
  for (const path of [old!, young!]) writeFileSync(path, 'half');
  utimesSync(old!, 0, 0);
  await installed.file(tiny.card);
  t.same(readdirSync(local).sort(), ['.young', tiny.card.sha256]);
});

t.test('a file that is damaged or missing in storage is told, and never served', async (t) => {
  const { machine, stored, tiny } = await scene(t);
  const { installed, local } = machine('here');
  await installed.install(tiny);
  const path = join(stored, 'files', tiny.card.sha256);
  writeFileSync(path, 'x');
  await t.rejects(installed.verify('tiny'), { code: 'backbone_invalid', message: /model\.onnx is damaged/ });
  await t.rejects(installed.file(tiny.card), { code: 'backbone_invalid', message: /in storage is damaged/ });
  t.same(readdirSync(local), []);
  rmSync(path);
  await t.rejects(installed.verify('tiny'), { code: 'backbone_invalid', message: /model\.onnx is missing/ });
  await t.rejects(installed.file(tiny.card), { code: 'backbone_invalid', message: /missing in storage/ });
});

t.test('a card that is no JSON, of another backbone or of another format is not valid', async (t) => {
  const { machine, stored, tiny } = await scene(t);
  const { installed } = machine('here');
  await installed.install(tiny);
  const path = join(stored, 'card.json');
  const record = JSON.parse(readFileSync(path, 'utf8'));
  const bad = ['{', '{}', { ...record, format: 2 }, { ...record, card: { ...tiny.card, id: 'b' } }];
  for (const content of bad) {
    writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
    await t.rejects(installed.card('tiny'), { code: 'backbone_invalid' });
  }
  await installed.remove('tiny');
  t.same(await installed.ids(), [], 'it can be removed');
});

t.test('an id is taken until its backbone is removed; then nothing of it is left', async (t) => {
  const { machine, stored, tiny, other } = await scene(t);
  const { installed, local } = machine('here');
  await installed.install(tiny);
  await installed.file(tiny.card);
  await t.rejects(installed.install(other), { code: 'invalid_request', message: /already.*remove tiny/ });
  t.same(await installed.card('tiny'), tiny.card);
  await installed.remove('tiny');
  t.notOk(existsSync(stored));
  t.same(readdirSync(local), []);
  for (const id of ['tiny', 'nothing', '../tenants', '.', '']) {
    await t.rejects(installed.remove(id), { code: 'backbone_not_found' }, id);
    await t.rejects(installed.card(id), { code: 'backbone_not_found' }, id);
  }
});
