import { readFileSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { PACKAGE_ROOT } from '../../src/config.js';
import { loadEngine } from '../../src/heads/engine.js';
import { buildNode, floatTensor, int64Tensor } from '../../src/onnx/build-node.js';
import type { BackboneCut, ImageBackboneCard } from '../../src/schemas/backbones.js';
import { inspectGraph, openGraph } from '../../src/top/backbone-graph.js';
import { findCuts } from '../../src/top/find-cuts.js';
import { fitNetwork } from '../../src/top/fit-network.js';
import { loadTrunk } from '../../src/top/load-trunk.js';
import { TopNetwork } from '../../src/top/network.js';
import { readTop } from '../../src/top/program.js';
import { randomTopWeights } from '../../src/top/random-weights.js';
import { readTopWeights, writeTopWeights } from '../../src/top/weights.js';
import { backbonesIn, embedTogether, importInto } from '../helpers/backbones.js';
import { imageInput, modelOf, node, weights } from '../helpers/onnx-models.js';
import { relativeDifference } from '../helpers/onnx-run.js';
import { randomFrom } from '../helpers/photos.js';
import { needs, SHARED, sharedBytes } from '../helpers/shared.js';

const engine = await loadEngine();
const { tf } = engine;

/** Of the four images of reference. */
const COUNT = 2;
const BACKBONES: [id: string, file: string | undefined, cuts: number][] = [
  ['rootstock_s', undefined, 4],
  ['mobilenet_v2', 'classifier.onnx', 4],
  ['mobilenet_v1_025', 'classifier.onnx', 2],
  ['squeezenet1_1', 'classifier.onnx', 2],
  ['resnet50v2_stage3', 'extractor.onnx', 2],
];

for (const [id, file, count] of BACKBONES) {
  const reference = id === 'rootstock_s' ? 'pixels-4x96x96x3.u8' : 'pixels-4x224x224x3.u8';
  const options = file ? needs('backbones', id, file) : needs('backbones', 'reference', reference);
  t.test(`${id}, cut in two, answers the same features, in one engine and the other`, options, async (t) => {
    const modelsDir = t.testdir({});
    if (file) await importInto(modelsDir, { file: join(SHARED, 'backbones', id, file), id });
    else await cp(join(PACKAGE_ROOT, 'models', id), join(modelsDir, id), { recursive: true });
    const backbones = backbonesIn(modelsDir, { provider: 'cpu' });
    const card = (await backbones.card(id)) as ImageBackboneCard;
    const bytes = await backbones.bytes(card);
    const all = sharedBytes('backbones', 'reference', reference);
    const pixels = all.subarray(0, (all.length / 4) * COUNT);
    const expected = await embedTogether(await backbones.load(id), pixels, COUNT);
    const { programs } = findCuts(await openGraph(bytes, card));
    t.ok(programs.length >= count, `${programs.length} places to cut`);
    for (const program of [programs[0]!, programs[count - 1]!]) {
      const { cut } = program;
      const dims = new Map([...program.weights].map(([name, each]) => [name, each.dims]));
      const trunk = await loadTrunk(backbones, card, { cut, weights: dims });
      t.equal(await loadTrunk(backbones, card, { cut, weights: dims }), trunk, 'loaded once');
      const rows = await embedTogether(trunk, pixels, COUNT);
      const network = new TopNetwork(engine, program);
      const trained = tf.tidy(() => network.forward(rows, COUNT).dataSync() as Float32Array);
      t.ok(relativeDifference(trained, expected) < 1e-5, `${cut.tensor}: what is trained`);
      const files = writeTopWeights(network.weights());
      const served = await trunk.runTop(readTopWeights(files), rows, COUNT);
      t.ok(relativeDifference(served, expected) < 1e-5, `${cut.tensor}: what is served`);
      t.ok(tf.memory().numTensors > 0);
      network.dispose();
    }
    t.equal(backbones.memory.backbones, 3, 'the whole and both trunks are counted');
  });
}

const CUT: BackboneCut = { tensor: 'x', dims: [3, 6, 6], beside: [{ tensor: 'low', dims: [2] }] };

/** Strides, uneven padding, groups, a residual, two branches, pooling, maps of two depths. */
const everything = modelOf({
  inputs: [imageInput(['N', 3, 6, 6])],
  nodes: [
    node('Slice', 'x', 'corner', ['from', 'to', 'axes']),
    node('Reshape', 'corner', 'low', ['flat']),
    node('Conv', 'x', 'a1', ['a_w', 'a_b'], { kernel_shape: [3, 3], strides: [2, 2], pads: [0, 0, 1, 1] }),
    node('BatchNormalization', 'a1', 'a2', ['n_s', 'n_b', 'n_m', 'n_v']),
    node('Clip', 'a2', 'a', ['zero', 'six']),
    node('Conv', 'x', 'd1', ['d_w', 'd_b'], { kernel_shape: [3, 3], strides: [1, 1], pads: [1, 1, 1, 1], group: 3 }),
    node('AveragePool', 'd1', 'd2', [], { kernel_shape: [2, 2], strides: [2, 2] }),
    node('Conv', 'd2', 'd', ['p_w'], { kernel_shape: [1, 1] }),
    node('Add', 'a', 'sum', ['d']),
    node('Conv', 'sum', 'e1', ['e_w', 'e_b'], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] }),
    node('Relu', 'e1', 'e'),
    buildNode('Concat', { inputs: ['e', 'sum'], outputs: ['both'], attributes: { axis: 1 } }),
    node('Conv', 'both', 'g', ['g_w'], { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 1, 1], group: 9 }),
    node('GlobalAveragePool', 'sum', 'mid'),
    node('Flatten', 'mid', 'middle', [], { axis: 1 }),
    node('ReduceMean', 'g', 'top', [], { axes: [2, 3], keepdims: 0 }),
    buildNode('Concat', { inputs: ['low', 'middle', 'top'], outputs: ['features'], attributes: { axis: 1 } }),
  ],
  constants: [
    ...[weights('a_w', 4, 3, 3, 3), weights('a_b', 4), weights('n_s', 4), weights('n_b', 4), weights('n_m', 4)],
    floatTensor('n_v', [4], [0.5, 1, 2, 0.7]),
    ...[weights('d_w', 3, 1, 3, 3), weights('d_b', 3), weights('p_w', 4, 3, 1, 1), weights('e_w', 5, 4, 3, 3)],
    ...[weights('e_b', 5), weights('g_w', 9, 1, 3, 3), floatTensor('zero', [], [0]), floatTensor('six', [], [6])],
    ...[int64Tensor('from', [0, 0, 0]), int64Tensor('to', [2, 1, 1]), int64Tensor('axes', [1, 2, 3])],
    int64Tensor('flat', [-1, 2]),
  ],
  outputs: ['features'],
});

const SMALL = { name: 'x', layout: 'nchw', width: 6, height: 6, batch: undefined } as const;
const graph = await inspectGraph(everything, { id: 'small', features: 'features', input: SMALL, pixels: false });
const program = readTop(graph, CUT);
const T = 3 * 6 * 6 + 2;
const D = 2 + 4 + 9;

function noise(length: number, seed: number): Float32Array {
  const random = randomFrom(seed);
  return Float32Array.from({ length }, () => 2 * random() - 1);
}

const ROWS = 24;
const classes = Int32Array.from({ length: ROWS }, (_, i) => i % 2);
const inputs = Array.from({ length: ROWS }, (_, i) =>
  noise(T, 50 + i).map((value, k) => value + (k % 7 === i % 2 ? 1 : 0)),
);

async function fit(start = program.weights) {
  const before = tf.memory().numTensors;
  const network = new TopNetwork(engine, program, start);
  const losses: number[] = [];
  const { head } = await fitNetwork({
    ...{ engine, network, y: classes, classes: 2, dimensions: T, weightDecay: 0.01, batchSize: 8 },
    head: [{ inputs: D, units: 2, kernel: new Float32Array(2 * D), bias: new Float32Array(2), activation: 'softmax' }],
    mean: new Float32Array(D),
    deviation: new Float32Array(D).fill(1),
    read: (row) => inputs[row]!,
    train: Int32Array.from(classes.keys()),
    validation: new Int32Array(0),
    rowWeights: new Float32Array(ROWS).fill(1),
    ...{
      learningRate: 0.02,
      learningRateSchedule: 'cosine' as const,
      dropout: 0,
      schedule: 12,
      epochs: 12,
      patience: 0,
      judge: () => 0,
      random: randomFrom(4),
    },
    onEpoch: ({ trainLoss }) => losses.push(trainLoss),
  });
  const trained = network.weights();
  network.dispose();
  t.equal(tf.memory().numTensors, before, 'nothing is left in the engine');
  return { head, trained, losses };
}

t.test('training lowers the loss, moves the top, and is the same each time', async (t) => {
  const [first, second] = [await fit(), await fit()];
  t.ok(first.losses.at(-1)! < 0.5 * first.losses[0]!, `loss ${first.losses[0]} → ${first.losses.at(-1)}`);
  t.same(second, first);
  t.notSame(first.trained.get('a_w')!.values, program.weights.get('a_w')!.values);
  t.notSame(first.trained.get('d_w'), program.weights.get('d_w'), 'depthwise kernels, too');
  t.same(first.trained.get('n_m'), program.weights.get('n_m'), 'and the means of a normalisation');
});

t.test('a top can start at random', async (t) => {
  const random = randomTopWeights(program, randomFrom(9));
  t.notSame(random.get('e_w')!.values, program.weights.get('e_w')!.values);
  t.same([...random.get('n_v')!.values], [1, 1, 1, 1]);
  const spread = random.get('e_w')!.values.reduce((sum, value) => sum + value ** 2, 0) / 180;
  t.ok(spread > 0.03 && spread < 0.09, `variance ${spread}, 2/36 expected`);
  const { losses } = await fit(random);
  t.ok(losses.at(-1)! < 0.7 * losses[0]!, `loss ${losses[0]} → ${losses.at(-1)}`);
});

t.test('an operator that cannot be trained is named, with what to do', async (t) => {
  const model = modelOf({
    inputs: [imageInput(['N', 3, 6, 6])],
    nodes: [node('Round', 'x', 's'), node('GlobalAveragePool', 's', 'p'), node('Flatten', 'p', 'features')],
    outputs: ['features'],
  });
  const odd = await inspectGraph(model, { id: 'odd', features: 'features', input: SMALL, pixels: false });
  t.throws(() => readTop(odd, { ...CUT, beside: [] }), {
    code: 'setting_conflict',
    message: /backbone 'odd'.*Round 's'.*trainable_blocks/,
  });
});

t.test('stored weights that are cut short are found out', (t) => {
  const { index, weights: values } = writeTopWeights(program.weights);
  t.same(readTopWeights({ index, weights: values }).weights, program.weights);
  t.throws(() => readTopWeights({ index, weights: values.subarray(4) }), { code: 'version_damaged' });
  t.end();
});

t.test('a cut goes where only one map passes, top first', async (t) => {
  const folder = join(PACKAGE_ROOT, 'models', 'rootstock_s');
  const card = JSON.parse(readFileSync(join(folder, 'backbone.json'), 'utf8')) as ImageBackboneCard;
  const { programs, limit } = findCuts(await openGraph(new Uint8Array(readFileSync(join(folder, card.file))), card));
  t.equal(limit, undefined);
  t.same(
    programs
      .slice(0, 2)
      .map(({ cut: { tensor, dims, beside } }) => [tensor, dims[0], beside.map((other) => other.dims[0])]),
    [
      ['map_3', 320, [160, 320]],
      ['map_2', 320, [160]],
    ],
  );
});
