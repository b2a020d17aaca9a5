import sharp from 'sharp';
import t, { type Test } from 'tap';
import type { Curve } from '../../src/schemas/report.js';
import { confusionSvg, curvesSvg } from '../../src/training/charts.js';
import { figuresOf } from '../../src/training/figures.js';

function curve(epoch: number, held = true): Curve {
  const value = held ? 1 / epoch : null;
  return {
    epoch,
    train_loss: 1 / epoch,
    train_accuracy: 1 - 1 / (epoch + 1),
    validation_loss: value,
    validation_accuracy: value,
  };
}

function evaluationOf(labels: string[]) {
  const K = labels.length;
  const y = Int32Array.from({ length: 2 * K }, (_, i) => i % K);
  const logits = Float32Array.from({ length: y.length * K }, (_, i) => (i % K === (Math.floor(i / K) * 7) % K ? 3 : 0));
  return figuresOf({ logits, y, classes: K }, { on: 'test', labels, trainCounts: labels.map(() => 1), temperature: 1 });
}

/** libvips' own SVG reader checks it: strict XML, and something is drawn. */
async function isDrawn(t: Test, svg: string): Promise<void> {
  t.match(svg, /^<svg [^>]*xmlns="http:\/\/www\.w3\.org\/2000\/svg"/);
  const { channels } = await sharp(Buffer.from(svg)).stats();
  t.ok(channels[0]!.stdev > 1);
  t.notMatch(svg, /NaN|undefined|Infinity/);
}

const AS_EPOCHS = { noun: 'images', optimizer: 'adam' };

t.test('curves are drawn of many epochs, of one, of none, and without held-out images', async (t) => {
  for (const curves of [[1, 2, 3, 4].map((epoch) => curve(epoch)), [curve(1)], [curve(1, false), curve(2, false)]]) {
    await isDrawn(t, await curvesSvg(curves, AS_EPOCHS));
  }
  t.match(await curvesSvg([], AS_EPOCHS), /^<svg/);
});

t.test('each line has a name of its own, and a fit without epochs is not drawn as one with', async (t) => {
  const curves = [curve(1), curve(2)];
  const adam = await curvesSvg(curves, AS_EPOCHS);
  t.match(adam, />training</);
  t.match(adam, />validation</);
  t.match(adam, />epoch</);
  t.notMatch(adam, /held.out/);
  const lbfgs = await curvesSvg(curves, { noun: 'images', optimizer: 'lbfgs' });
  t.match(lbfgs, />iteration of L-BFGS</);
  t.notMatch(lbfgs, />epoch</);
});

t.test('the confusion chart says how sure its figure is, and on what', async (t) => {
  const svg = await confusionSvg({ ...evaluationOf(['a', 'b']), on: 'cross_validation' }, 'images');
  t.match(svg, /95 % interval \d+ to \d+ %; guessing gets 50 %/);
  t.match(svg, /on 4 images, each by a fit that had not seen it/);
});

t.test('labels are text, whatever they contain', async (t) => {
  const labels = [
    '<script>alert(1)</script>',
    'a & b',
    '"quoted"',
    '__proto__',
    'constructor',
    'toString',
    '1',
    '',
    'ü 猫',
    "it's",
  ];
  const svg = await confusionSvg(evaluationOf(labels), 'images');
  await isDrawn(t, svg);
  t.notMatch(svg, /<script/i);
  for (const shown of ['&lt;script&gt;', 'a &amp; b', '__proto__', 'constructor', 'ü 猫'])
    t.ok(svg.includes(shown), shown);
});

t.test('of a hundred classes the most confused are shown, and the title says so', async (t) => {
  const svg = await confusionSvg(evaluationOf(Array.from({ length: 100 }, (_, i) => `class ${i}`)), 'images');
  await isDrawn(t, svg);
  t.match(svg, /the 40 most confused of 100 classes/);
});

t.test('the same figures give the same bytes', async (t) => {
  const curves = [curve(1), curve(2)];
  t.equal(await curvesSvg(curves, AS_EPOCHS), await curvesSvg(curves, AS_EPOCHS));
  t.equal(
    await confusionSvg(evaluationOf(['a', 'b']), 'images'),
    await confusionSvg(evaluationOf(['a', 'b']), 'images'),
  );
});
