import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { classifierPieces, featureGraph } from '../../src/artifacts/onnx-classifier.js';
import { PACKAGE_ROOT } from '../../src/config.js';
import type { DenseLayer, Head } from '../../src/heads/head.js';
import { decodeModel } from '../../src/onnx/model-proto.js';
import type { BackboneCard } from '../../src/schemas/backbones.js';
import { runOnnx } from '../helpers/onnx-run.js';

const folder = join(PACKAGE_ROOT, 'models', 'rootstock_s');
const card = JSON.parse(readFileSync(join(folder, 'backbone.json'), 'utf8')) as BackboneCard;
const backbone = new Uint8Array(readFileSync(join(folder, card.file)));
const graph = featureGraph(backbone, card);
const pixels = Uint8Array.from({ length: 3 * 96 * 96 * 3 }, (_, i) => (i * 7919 + (i >> 9)) % 256);
const dims = [3, 96, 96, 3];

function layer(inputs: number, units: number, activation: DenseLayer['activation'], seed: number): DenseLayer {
  const wave = (i: number) => Math.sin(i * 12.9898 + seed) / Math.sqrt(inputs);
  const kernel = Float32Array.from({ length: inputs * units }, (_, i) => 3 * wave(i));
  return { inputs, units, kernel, bias: Float32Array.from({ length: units }, (_, i) => wave(i + 0.5)), activation };
}

/** `softmax(head(features))`, written out: `[N, D]` → `[N, K]`. */
function expected(head: Head, features: Float32Array): number[] {
  const dimensions = head.layers[0]!.inputs;
  const rows = Array.from({ length: features.length / dimensions }, (_, n) =>
    Array.from(features.subarray(n * dimensions, (n + 1) * dimensions)),
  );
  return rows.flatMap((row) => {
    let x = row;
    for (const { units, kernel, bias, activation } of head.layers) {
      const y = Array.from(bias, (b, u) => x.reduce((sum, value, i) => sum + value * kernel[i * units + u]!, b));
      const exps = y.map((value) => Math.exp(value - Math.max(...y)));
      const total = exps.reduce((a, b) => a + b);
      x = activation === 'relu' ? y.map((value) => Math.max(0, value)) : exps.map((value) => value / total);
    }
    return x;
  });
}

const heads: Record<string, Head> = {
  linear: { layers: [layer(1824, 5, 'softmax', 1)] },
  mlp: { layers: [layer(1824, 32, 'relu', 2), layer(32, 16, 'relu', 3), layer(16, 5, 'softmax', 4)] },
};
const labels = ['a', 'b', '__proto__', 'käse', 'e'];

for (const [kind, head] of Object.entries(heads)) {
  t.test(`the pieces, one after another, are a model that answers softmax of the ${kind} head`, async (t) => {
    const file = Buffer.concat(classifierPieces({ features: graph, card, head, labels }));
    const { features } = await runOnnx(backbone, { data: pixels, dims });
    const outputs = await runOnnx(file, { data: pixels, dims });
    t.same(Object.keys(outputs), ['probabilities']);
    t.same(outputs.probabilities!.dims, [3, 5]);
    for (const [i, value] of expected(head, features!.data).entries()) {
      t.ok(Math.abs(outputs.probabilities!.data[i]! - value) < 1e-5);
    }
  });
}

t.test('labels, backbone and the metadata given are in the file, which protobufjs reads whole', async (t) => {
  const pieces = classifierPieces({
    features: graph,
    card,
    head: heads.linear!,
    labels,
    metadata: { model: 'm', version: '3' },
  });
  const model = decodeModel(Buffer.concat(pieces));
  const props = new Map(model.metadataProps!.map(({ key, value }) => [key, value]));
  t.same(JSON.parse(props.get('labels')!), labels);
  t.match(Object.fromEntries(props), {
    backbone: 'rootstock_s',
    backbone_sha256: card.sha256,
    model: 'm',
    version: '3',
  });
  t.same(model.graph!.input!.length, 1);
  t.same(
    model.graph!.output!.map(({ name }) => name),
    ['probabilities'],
  );
  t.ok(model.graph!.node!.length > 50, 'the nodes of the backbone are there too');
});

t.test(
  'what belongs to one model is a few kilobytes beside the backbone, and the bytes are reproducible',
  async (t) => {
    const make = () => classifierPieces({ features: graph, card, head: heads.linear!, labels });
    const pieces = make();
    const own = pieces.filter((piece) => piece !== graph.graph).reduce((sum, piece) => sum + piece.length, 0);
    t.ok(own < 4 * 1825 * 5 + 1500, `${own} bytes`);
    t.ok(Buffer.concat(pieces).equals(Buffer.concat(make())));
  },
);

t.test('a head that does not fit is a fault of the caller', async (t) => {
  const head = { layers: [layer(10, 5, 'softmax', 1)] };
  t.throws(() => classifierPieces({ features: graph, card, head, labels }), RangeError);
  t.throws(() => classifierPieces({ features: graph, card, head: heads.linear!, labels: ['a'] }), RangeError);
});

t.test('a file that is not the backbone of the card has no graph of features', async (t) => {
  t.throws(() => featureGraph(new Uint8Array(10), card), { code: 'backbone_invalid' });
  const other = { ...card, features: { ...card.features, name: 'nothing' } };
  t.throws(() => featureGraph(backbone, other), { code: 'backbone_invalid' });
});
