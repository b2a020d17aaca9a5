import { appendFileSync, chmodSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { EmbeddedBackbones } from '../../src/backbones/embedded.js';
import { importInto } from '../helpers/backbones.js';
import { fileOf, plain } from '../helpers/onnx-models.js';

async function embedded(t: Test) {
  const folder = t.testdir({ 'network.onnx': Buffer.from(fileOf(plain)), 'catalog.json': '{}', '.tmp': {} });
  const { card } = await importInto(folder, { file: join(folder, 'network.onnx'), id: 'tiny' });
  return { folder, card, source: new EmbeddedBackbones({ folder }) };
}

t.test('what lies in the folder is listed, read and verified; nothing is written there', async (t) => {
  const { folder, card, source } = await embedded(t);
  chmodSync(folder, 0o555);
  const before = readdirSync(folder);
  t.same(await source.ids(), ['tiny']);
  t.same(await source.card('tiny'), card);
  t.equal(await source.file(card), join(folder, 'tiny', 'model.onnx'));
  await source.verify('tiny');
  t.same(readdirSync(folder), before);
  chmodSync(folder, 0o755);
  t.same(await new EmbeddedBackbones({ folder: join(folder, 'no-such-folder') }).ids(), []);
  for (const id of ['nothing', '../models', '.', '']) {
    await t.rejects(source.card(id), { code: 'backbone_not_found' }, id);
  }
});

t.test('a changed or missing file is told', async (t) => {
  const { folder, source } = await embedded(t);
  const file = join(folder, 'tiny', 'model.onnx');
  appendFileSync(file, 'x');
  await t.rejects(source.verify('tiny'), { code: 'backbone_invalid', message: /damaged/ });
  rmSync(file);
  await t.rejects(source.verify('tiny'), { code: 'backbone_invalid', message: /missing/ });
});

t.test('a card that is no JSON, of another backbone or of a file elsewhere is not valid', async (t) => {
  const { folder, card, source } = await embedded(t);
  for (const bad of ['{', '{}', JSON.stringify({ ...card, id: 'b' }), JSON.stringify({ ...card, file: '../x' })]) {
    writeFileSync(join(folder, 'tiny', 'backbone.json'), bad);
    await t.rejects(source.card('tiny'), { code: 'backbone_invalid' }, bad);
  }
});
