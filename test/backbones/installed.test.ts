import { appendFileSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { importBackbone } from '../../src/backbones/image/import/import-backbone.js';
import { listBackbones, readCard, removeBackbone, verifyBackbone } from '../../src/backbones/installed.js';
import { fileOf, plain } from '../helpers/onnx-models.js';

async function installed(t: Test) {
  const modelsDir = t.testdir({ 'network.onnx': Buffer.from(fileOf(plain)), 'catalog.json': '{}', '.tmp': {} });
  const { card } = await importBackbone({ file: join(modelsDir, 'network.onnx'), id: 'tiny', modelsDir });
  return { modelsDir, card };
}

t.test('what was imported is listed, read and verified', async (t) => {
  const { modelsDir, card } = await installed(t);
  t.same(await listBackbones(modelsDir), ['tiny']);
  t.same(await readCard(modelsDir, 'tiny'), card);
  t.same(await verifyBackbone(modelsDir, 'tiny'), card);
  t.same(await listBackbones(join(modelsDir, 'no-such-folder')), []);
});

t.test('a changed or missing file is told', async (t) => {
  const { modelsDir } = await installed(t);
  const file = join(modelsDir, 'tiny', 'model.onnx');
  appendFileSync(file, 'x');
  await t.rejects(verifyBackbone(modelsDir, 'tiny'), { code: 'backbone_invalid', message: /damaged/ });
  rmSync(file);
  await t.rejects(verifyBackbone(modelsDir, 'tiny'), { code: 'backbone_invalid', message: /missing/ });
});

t.test('a card that is no JSON, of another backbone or of a file elsewhere is not valid', async (t) => {
  const { modelsDir, card } = await installed(t);
  const write = (content: string) => writeFileSync(join(modelsDir, 'tiny', 'backbone.json'), content);
  for (const bad of ['{', '{}', JSON.stringify({ ...card, id: 'b' }), JSON.stringify({ ...card, file: '../x' })]) {
    write(bad);
    await t.rejects(readCard(modelsDir, 'tiny'), { code: 'backbone_invalid' }, bad);
  }
});

t.test('a backbone is removed whole, and nothing outside the folder can be', async (t) => {
  const { modelsDir } = await installed(t);
  for (const id of ['nothing', '../models', '.', '']) {
    await t.rejects(removeBackbone(modelsDir, id), { code: 'backbone_not_found' }, id);
  }
  mkdirSync(join(modelsDir, 'half'));
  await removeBackbone(modelsDir, 'half');
  await removeBackbone(modelsDir, 'tiny');
  t.same(readdirSync(modelsDir).sort(), ['.tmp', 'catalog.json', 'network.onnx']);
});
