import { appendFileSync, cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { Backbones } from '../../src/backbones/backbones.js';
import { PACKAGE_ROOT } from '../../src/config.js';
import { backbonesIn, embedTogether } from '../helpers/backbones.js';
import { relativeDifference } from '../helpers/onnx-run.js';
import { needs, sharedBytes, sharedFloats } from '../helpers/shared.js';

const MODELS = join(PACKAGE_ROOT, 'models');

/** A folder of models with a copy of rootstock_s whose card is changed. */
function copyWith(folder: string, change: (card: Record<string, unknown>) => unknown): Backbones {
  cpSync(join(MODELS, 'rootstock_s'), join(folder, 'rootstock_s'), { recursive: true });
  const path = join(folder, 'rootstock_s', 'backbone.json');
  const text = change(JSON.parse(readFileSync(path, 'utf8')));
  writeFileSync(path, typeof text === 'string' ? text : JSON.stringify(text));
  return backbonesIn(folder);
}

t.test('rootstock_s gives the features it was exported with', needs('backbones', 'rootstock_s'), async (t) => {
  const backbone = await backbonesIn(MODELS).load('rootstock_s');
  const pixels = sharedBytes('backbones', 'reference', 'pixels-4x96x96x3.u8');
  const expected = sharedFloats('backbones', 'rootstock_s', 'features-4x1824.f32');
  const features = await embedTogether(backbone, pixels, 4);
  t.equal(features.length, 4 * 1824);
  const gap = relativeDifference(features, expected);
  t.ok(gap < 1e-3, String(gap));
  for (let i = 0; i < 4; i += 1) {
    const alone = await embedTogether(backbone, pixels.subarray(i * 96 * 96 * 3, (i + 1) * 96 * 96 * 3), 1);
    t.ok(relativeDifference(alone, features.slice(i * 1824, (i + 1) * 1824)) < 1e-4, 'alone as in a batch');
  }
});

t.test('loading at once and again gives one backbone', async (t) => {
  const backbones = backbonesIn(MODELS);
  t.equal(backbones.loaded(await backbones.card('rootstock_s')) !== undefined, false);
  const [first, ...others] = await Promise.all([1, 2, 3].map(() => backbones.load('rootstock_s')));
  for (const other of [...others, await backbones.load('rootstock_s')]) t.equal(other, first);
  t.equal(backbones.loaded(await backbones.card('rootstock_s')) !== undefined, true);
});

t.test('a backbone that is not there is refused, and those that are there are named', async (t) => {
  const backbones = backbonesIn(MODELS);
  for (const id of ['nope', '', '../models', 'rootstock_s/../rootstock_s', '__proto__']) {
    await t.rejects(
      backbones.card(id),
      { code: 'backbone_not_found', details: { known: ['ngrams', 'rootstock_s'] } },
      id,
    );
    await t.rejects(backbones.load(id), { code: 'backbone_not_found', message: /rootstock_s/ }, id);
  }
});

t.test(
  'cards are listed by id; other files and folders are no backbones, and one that is damaged hides no other',
  async (t) => {
    const folder = t.testdir({ 'catalog.json': '[]', notes: { 'README.md': '' } });
    const backbones = copyWith(folder, (card) => card);
    mkdirSync(join(folder, 'another'));
    const card = JSON.parse(readFileSync(join(folder, 'rootstock_s', 'backbone.json'), 'utf8'));
    writeFileSync(join(folder, 'another', 'backbone.json'), JSON.stringify({ ...card, id: 'another' }));
    mkdirSync(join(folder, 'damaged'));
    writeFileSync(join(folder, 'damaged', 'backbone.json'), '{');
    t.same(
      (await backbones.list()).map(({ id }) => id),
      ['another', 'rootstock_s'],
    );
  },
);

t.test('a file that is not the one on the card is refused; put right, it loads', async (t) => {
  const folder = t.testdir();
  const backbones = copyWith(folder, (card) => card);
  const model = join(folder, 'rootstock_s', 'model.onnx');
  appendFileSync(model, 'x');
  await t.rejects(backbones.load('rootstock_s'), { code: 'backbone_invalid' });
  t.equal(backbones.loaded(await backbones.card('rootstock_s')) !== undefined, false);
  cpSync(join(MODELS, 'rootstock_s', 'model.onnx'), model);
  await t.resolves(backbones.load('rootstock_s'));
});

t.test('a card that is damaged, incomplete, misnamed or wrong about the network is refused', async (t) => {
  const invalid = { code: 'backbone_invalid' };
  await t.rejects(copyWith(t.testdir(), () => '{').card('rootstock_s'), invalid);
  await t.rejects(copyWith(t.testdir(), ({ sha256, ...card }) => card).card('rootstock_s'), invalid);
  await t.rejects(copyWith(t.testdir(), (card) => ({ ...card, id: 'other' })).card('rootstock_s'), invalid);
  const { resize: _, ...cut } = JSON.parse(readFileSync(join(MODELS, 'rootstock_s', 'backbone.json'), 'utf8'));
  await t.rejects(copyWith(t.testdir(), () => cut).card('rootstock_s'), { ...invalid, message: /\/resize/ });
  await t.rejects(copyWith(t.testdir(), (card) => ({ ...card, modality: 'smell' })).card('rootstock_s'), {
    ...invalid,
    message: /'smell'/,
  });
  await t.rejects(copyWith(t.testdir(), (card) => ({ ...card, recipe: 'pixels-0' })).load('rootstock_s'), {
    ...invalid,
    message: /'pixels-0'/,
  });
  const misnamed = copyWith(t.testdir(), (card) => ({ ...card, features: { name: 'no', dimensions: 1824 } }));
  await t.rejects(misnamed.load('rootstock_s'), { ...invalid, message: /no output|output 'no'/ });
  const wrong = copyWith(t.testdir(), (card) => ({ ...card, features: { name: 'features', dimensions: 7 } }));
  await t.rejects((await wrong.load('rootstock_s')).embed([new Uint8Array(96 * 96 * 3)]), invalid);
});
