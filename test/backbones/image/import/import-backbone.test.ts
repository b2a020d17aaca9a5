import { createHash } from 'node:crypto';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Value } from '@sinclair/typebox/value';
import t, { type Test } from 'tap';
import { classifierPieces, featureGraph } from '../../../../src/artifacts/onnx-classifier.js';
import { type ImportOptions, importBackbone } from '../../../../src/backbones/image/import/import-backbone.js';
import { floatTensor, int64Tensor } from '../../../../src/onnx/build-node.js';
import { ELEMENT, encodeModel } from '../../../../src/onnx/model-proto.js';
import { BackboneCard } from '../../../../src/schemas/backbones.js';
import * as models from '../../../helpers/onnx-models.js';
import { relativeDifference, runOnnx } from '../../../helpers/onnx-run.js';
import { needs, SHARED, sharedBytes, sharedFloats } from '../../../helpers/shared.js';

/** Import a file's bytes. */
async function imported(t: Test, bytes: Uint8Array, options: Partial<ImportOptions> = {}) {
  const folder = t.testdir();
  const file = join(folder, 'network.onnx');
  writeFileSync(file, bytes);
  const result = await importBackbone({ file, id: 'tiny', ...options });
  const model = result.files.get('model.onnx') as Uint8Array;
  return { ...result, model, left: readdirSync(folder) };
}

const pixels = Uint8Array.from({ length: 3 * 16 * 16 * 3 }, (_, i) => (i * 7919 + (i >> 5) * 31) % 256);
const dims = [3, 16, 16, 3];

/** What a tiny NCHW network with pre-processing `unit` answers in the tensor `name`. */
async function original(parts: Parameters<typeof models.fileOf>[0], name: string, batch = 3) {
  const data = new Float32Array(3 * 3 * 256);
  for (let n = 0; n < 3; n++) {
    for (let i = 0; i < 256; i++) {
      for (let c = 0; c < 3; c++) data[(n * 3 + c) * 256 + i] = pixels[(n * 256 + i) * 3 + c]! / 255;
    }
  }
  const file = models.fileOf({
    ...parts,
    inputs: [models.imageInput(['N', 3, 16, 16])],
    outputs: [name],
    irVersion: 7,
  });
  return (await runOnnx(file, { data, dims: [batch, 3, 16, 16] }))[name]!.data;
}

const kinds = {
  'Gemm with transB': models.plain,
  'MatMul, Add and Softmax': models.matMulAdd,
  'a 1×1 convolution before pooling': models.convClassifier,
  'Gemm behind the ReduceMean of opset 18': models.recentOpset,
};
for (const [kind, parts] of Object.entries(kinds)) {
  t.test(`a classifier of ${kind} is found and cut off`, async (t) => {
    const { card, model, classes } = await imported(t, models.fileOf(parts), { levels: 1, preset: 'unit' });
    t.equal(classes, 5);
    t.match(card, { features: { name: 'features', dimensions: 6 }, maps: [{ name: 'map_1', channels: 6 }] });
    const { features, map_1 } = await runOnnx(model, { data: pixels, dims });
    t.same(features!.dims, [3, 6]);
    t.ok(relativeDifference(map_1!.data, await original(models.plain, 'b')) < 1e-5);
    const expected = await original(models.plain, 'flat');
    t.ok(relativeDifference(features!.data, expected) < 1e-5);
  });
}

t.test('card, README and file agree, and nothing is written', async (t) => {
  const { card, files, model, left } = await imported(t, models.fileOf(models.plain), {
    name: 'Tiny',
    license: 'MIT',
    source: 'a test',
    imagenetTop1: 12.5,
  });
  t.ok(Value.Check(BackboneCard, card));
  t.match(card, {
    id: 'tiny',
    name: 'Tiny',
    file: 'model.onnx',
    sha256: createHash('sha256').update(model).digest('hex'),
    bytes: model.length,
    input: { name: 'images', width: 16, height: 16 },
    resize: { mode: 'crop', short_side: 18 },
    license: 'MIT',
    source: 'a test',
    imagenet_top1: 12.5,
  });
  t.same([...files.keys()], ['model.onnx', 'README.md']);
  t.match(files.get('README.md'), /# Tiny\n[\s\S]*imagenet[\s\S]*MIT/);
  t.same(left, ['network.onnx']);
});

t.test('a network without blocks gives the last layer of each size, shallow first', async (t) => {
  const { parts, card, model } = await imported(t, models.fileOf(models.plain), { preset: 'unit' });
  t.match(parts.levels, [
    { name: 'a', channels: 4, height: 8, width: 8 },
    { name: 'b', channels: 6, height: 4, width: 4 },
  ]);
  t.equal(card.features.dimensions, 10);
  const { features, map_1, map_2 } = await runOnnx(model, { data: pixels, dims });
  t.ok(relativeDifference(map_1!.data, await original(models.plain, 'a')) < 1e-5);
  const means = (data: Float32Array, area: number) =>
    Array.from({ length: data.length / area }, (_, i) => data.subarray(i * area, (i + 1) * area)).map(
      (map) => map.reduce((sum, value) => sum + value, 0) / area,
    );
  const [shallow, deep] = [means(map_1!.data, 64), means(map_2!.data, 16)];
  const rows = [0, 1, 2].flatMap((n) => [...shallow.slice(n * 4, n * 4 + 4), ...deep.slice(n * 6, n * 6 + 6)]);
  t.ok(relativeDifference(features!.data, Float32Array.from(rows)) < 1e-5, 'features are the means of the maps');
});

t.test('a network of blocks gives the ends of its stages, and as many as asked', async (t) => {
  const bytes = models.fileOf(models.residual([4, 5, 6]));
  const names = async (levels?: number) =>
    (await imported(t, bytes, { levels })).parts.levels.map(({ name }) => name).join();
  t.equal(await names(), 's0q,s1q,s2q');
  t.equal(await names(2), 's1q,s2q');
  t.equal(await names(1), 's2q');
});

t.test('a file for one image at a time takes any number, though its Reshape says 1', async (t) => {
  const { model } = await imported(t, models.fileOf(models.fixedBatch), { levels: 1, preset: 'unit' });
  const { features } = await runOnnx(model, { data: pixels, dims });
  t.same(features!.dims, [3, 6]);
  t.ok(relativeDifference(features!.data, await original(models.plain, 'flat')) < 1e-5);
});

t.test('a network with channels last gives the same features and maps', async (t) => {
  const { model, card } = await imported(t, models.fileOf(models.channelsLast), { preset: 'unit' });
  t.equal(card.features.dimensions, 10);
  const { map_1, map_2 } = await runOnnx(model, { data: pixels, dims });
  t.same(map_2!.dims, [3, 6, 4, 4]);
  t.ok(relativeDifference(map_1!.data, await original(models.plain, 'a')) < 1e-5);
  t.ok(relativeDifference(map_2!.data, await original(models.plain, 'b')) < 1e-5);
});

t.test('features that are no mean of a map come last, as a map of one place', async (t) => {
  const { model, card, parts } = await imported(t, models.fileOf(models.hiddenDense), { preset: 'unit' });
  t.equal(parts.vector?.name, 'active');
  t.same(
    card.maps.map(({ channels }) => channels),
    [4, 6, 7],
  );
  const { features, map_3 } = await runOnnx(model, { data: pixels, dims });
  t.same(map_3!.dims, [3, 7, 1, 1]);
  t.same(features!.dims, [3, card.features.dimensions]);
  const width = card.features.dimensions;
  const last = Float32Array.from(
    [0, 1, 2].flatMap((n) => [...features!.data.subarray(n * width + width - 7, n * width + width)]),
  );
  t.ok(relativeDifference(last, await original(models.hiddenDense, 'active')) < 1e-5);
});

t.test('the tensor with the features can be named', async (t) => {
  const { parts, classes } = await imported(t, models.fileOf(models.plain), { features: 'a', levels: 1 });
  t.match(parts.levels, [{ name: 'a', channels: 4 }]);
  t.equal(classes, undefined);
  const missing = imported(t, models.fileOf(models.plain), { features: 'nothing' });
  await t.rejects(missing, { code: 'backbone_invalid', message: /no tensor nothing/ });
});

t.test('each preset shows the network what it was trained with', async (t) => {
  const colour = Uint8Array.from({ length: 16 * 16 * 3 }, (_, i) => [200, 100, 50][i % 3]!);
  const expected = {
    unit: [200 / 255, 100 / 255, 50 / 255],
    tf: [200 / 127.5 - 1, 100 / 127.5 - 1, 50 / 127.5 - 1],
    caffe: [50 - 103.939, 100 - 116.779, 200 - 123.68],
    imagenet: [(200 / 255 - 0.485) / 0.229, (100 / 255 - 0.456) / 0.224, (50 / 255 - 0.406) / 0.225],
    raw: [200, 100, 50],
  };
  for (const [preset, values] of Object.entries(expected)) {
    const { model, classes } = await imported(t, models.fileOf(models.channelMeans), { preset });
    t.equal(classes, undefined, 'a 1×1 convolution of a network without classifier is not taken for one');
    const { features } = await runOnnx(model, { data: colour, dims: [1, 16, 16, 3] });
    t.ok(relativeDifference(features!.data, Float32Array.from(values)) < 1e-5, preset);
  }
});

t.test('the preset is guessed from name and classes, and the reason told', async (t) => {
  const bytes = models.fileOf(models.plain);
  t.match(await imported(t, bytes), { preset: 'imagenet', presetReason: /nothing tells/ });
  t.match(await imported(t, bytes, { id: 'mobilenet_v1_tf' }), { preset: 'tf', presetReason: /TensorFlow/ });
  t.match(await imported(t, bytes, { id: 'bvlcalexnet' }), { preset: 'caffe' });
  t.match(await imported(t, bytes, { id: 'x_tf', preset: 'unit' }), {
    preset: 'unit',
    presetReason: 'it was asked for',
  });
  const wide = { ...models.plain, constants: models.plain.constants!.map((c) => c) };
  wide.constants = wide.constants.map((c) =>
    c.name === 'fc_w' ? models.weights('fc_w', 1001, 6) : c.name === 'fc_b' ? models.weights('fc_b', 1001) : c,
  );
  t.match(await imported(t, models.fileOf(wide)), { preset: 'tf', presetReason: /1,001 classes/ });
});

t.test('names that a backbone keeps for itself may be taken in the file', async (t) => {
  const rename = (name: string) =>
    ({ x: 'images', a: 'map_2', b: 'map_1', flat: 'features', y: 'probabilities' })[name] ?? name;
  const { nodes, constants } = models.plain;
  const bytes = models.fileOf({
    nodes: nodes.map((each) => ({ ...each, input: each.input!.map(rename), output: each.output!.map(rename) })),
    constants,
    inputs: [{ ...models.imageInput(), name: 'images' }],
    outputs: ['probabilities'],
  });
  const { model } = await imported(t, bytes, { preset: 'unit', features: 'features' });
  const { map_1, map_2 } = await runOnnx(model, { data: pixels, dims });
  t.ok(relativeDifference(map_1!.data, await original(models.plain, 'a')) < 1e-5);
  t.ok(relativeDifference(map_2!.data, await original(models.plain, 'b')) < 1e-5);
});

t.test('width and height that the file leaves open can be given', async (t) => {
  const bytes = models.fileOf({ ...models.plain, inputs: [models.imageInput(['N', 3, 'h', 'w'])] });
  t.match((await imported(t, bytes, { size: 24 })).card.input, { width: 24, height: 24 });
  t.match((await imported(t, bytes)).card.input, { width: 224, height: 224 });
});

t.test('an old operator set works too, and its classifier artifact gives probabilities', async (t) => {
  const { model, card } = await imported(t, models.fileOf({ ...models.plain, opset: 9 }), { preset: 'unit' });
  const layer = { inputs: 10, units: 2, kernel: new Float32Array(20).fill(0.5), bias: Float32Array.of(1, 0) };
  const head = { layers: [{ ...layer, activation: 'softmax' as const }] };
  const pieces = classifierPieces({ features: featureGraph(model, card), card, head, labels: ['a', 'b'] });
  const { probabilities } = await runOnnx(Buffer.concat(pieces), { data: pixels, dims });
  for (const [i, value] of probabilities!.data.entries()) {
    t.ok(Math.abs(value - 1 / (1 + Math.exp(i % 2 === 0 ? -1 : 1))) < 1e-6);
  }
});

t.test('thousands of nodes in a row are no problem', async (t) => {
  t.equal((await imported(t, models.fileOf(models.chain(3000)), { levels: 1 })).card.features.dimensions, 6);
});

const { plain } = models;
const external = models.externalTensor('fc_w');
const withoutDense = plain.constants!.filter(({ name }) => name !== 'fc_w');
const bad: Record<string, { bytes: Uint8Array; message: RegExp }> = {
  'garbage bytes': { bytes: Buffer.from('<html>not found</html>'), message: /not an ONNX model/ },
  'an empty file': { bytes: new Uint8Array(0), message: /not an ONNX model/ },
  'half a file': { bytes: models.fileOf(plain).slice(0, 900), message: /not an ONNX model/ },
  'sub-graphs without end': { bytes: models.nested(200_000), message: /too deep/ },
  'weights in another file': {
    bytes: models.fileOf({ ...plain, constants: [...withoutDense, external] }),
    message: /external data/,
  },
  'weights in another file, in a Constant': {
    bytes: models.fileOf({ nodes: [models.constantNode('fc_w', external), ...plain.nodes], constants: withoutDense }),
    message: /external data/,
  },
  'weights in another file, in a sub-graph': {
    bytes: models.fileOf({
      ...plain,
      nodes: [...plain.nodes, models.branching([models.branching([models.constantNode('w', external)])])],
    }),
    message: /external data/,
  },
  'two inputs': {
    bytes: models.fileOf({ ...plain, inputs: [models.imageInput(), { ...models.imageInput(), name: 'mask' }] }),
    message: /one input.*has 2/,
  },
  'numbers of double precision': {
    bytes: models.fileOf({ ...plain, inputs: [models.imageInput(['N', 3, 16, 16], ELEMENT.float64)] }),
    message: /float32; it is float64/,
  },
  'an input of three axes': {
    bytes: models.fileOf({ ...plain, inputs: [models.imageInput([3, 16, 16])] }),
    message: /four axes/,
  },
  'grey pictures': {
    bytes: models.fileOf({ ...plain, inputs: [models.imageInput(['N', 1, 16, 16])] }),
    message: /three channels/,
  },
  'a huge input': {
    bytes: models.fileOf({ ...plain, inputs: [models.imageInput(['N', 3, 100_000, 100_000])] }),
    message: /at most 2048/,
  },
  'an unknown operator': {
    bytes: models.fileOf({ ...plain, nodes: [...plain.nodes.slice(0, -1), models.node('Frobnicate', 'flat', 'y')] }),
    message: /does not run: .*Frobnicate/,
  },
  'weights that do not fit': {
    bytes: models.fileOf({ ...plain, constants: [...withoutDense, models.weights('fc_w', 5, 7)] }),
    message: /does not run/,
  },
  'more nodes than any network': { bytes: models.fileOf(models.chain(25_000)), message: /more than 20000 nodes/ },
  'millions of empty nodes': { bytes: models.emptyNodes(10_000_000), message: /beside its weights/ },
  'a loop': {
    bytes: models.fileOf({ ...plain, nodes: [...plain.nodes, { opType: 'Loop', input: [], output: ['z'] }] }),
    message: /loop/,
  },
  'operators of long ago': { bytes: models.fileOf({ ...plain, opset: 3 }), message: /opset 3/ },
  'pictures that influence each other': { bytes: models.fileOf(models.mixedBatch), message: /one batch/ },
  'an output that does not depend on the picture': {
    bytes: models.fileOf({ ...plain, outputs: ['fc_b'] }),
    message: /depends on the image/,
  },
  'features that are not numbers': {
    bytes: models.fileOf({
      nodes: [models.node('Mul', 'x', 'nan', ['bad']), ...convClassifierOf('nan')],
      constants: [...models.channelMeans.constants!, floatTensor('bad', [1], [Number.NaN])],
    }),
    message: /not finite/,
  },
  'features that are always the same': {
    bytes: models.fileOf({
      nodes: [models.node('Mul', 'x', 'zero', ['none']), ...convClassifierOf('zero')],
      constants: [...models.channelMeans.constants!, floatTensor('none', [1], [0])],
    }),
    message: /the same for two different pictures/,
  },
};

function convClassifierOf(input: string) {
  return models.channelMeans.nodes.map((each) => ({ ...each, input: each.input!.map((n) => (n === 'x' ? input : n)) }));
}

for (const [what, { bytes, message }] of Object.entries(bad)) {
  t.test(`a file with ${what} is refused with one sentence, and leaves nothing`, async (t) => {
    await t.rejects(imported(t, bytes), { name: 'AppError', code: 'backbone_invalid', message });
    t.same(readdirSync(t.testdirName), ['network.onnx']);
  });
}

t.test('a file over the limit is not read', async (t) => {
  await t.rejects(imported(t, models.fileOf(plain), { maxBytes: 100 }), {
    code: 'backbone_invalid',
    message: /at most 100/,
  });
});

t.test('options that are not possible are told', async (t) => {
  const bytes = models.fileOf(plain);
  const wrong = (options: Partial<ImportOptions>, message: RegExp) =>
    t.rejects(imported(t, bytes, options), { code: 'invalid_request', message });
  await wrong({ id: '../up' }, /not possible/);
  await wrong({ preset: 'constructor' }, /no preset/);
  await wrong({ levels: 0 }, /1 or more/);
  await t.rejects(importBackbone({ file: '/no/such/file', id: 'x' }), { code: 'missing_file' });
});

t.test('a damaged int64 constant or attribute does not crash the import', async (t) => {
  const shape = { ...int64Tensor('shape', [1, 6]), rawData: new Uint8Array(11) };
  const constants = models.fixedBatch.constants!.map((c) => (c.name === 'shape' ? shape : c));
  await t.rejects(imported(t, models.fileOf({ ...models.fixedBatch, constants })), { code: 'backbone_invalid' });
});

t.test('whatever byte of a file is changed, the answer is a backbone or an AppError', async (t) => {
  const bytes = encodeModel(models.modelOf(models.plain));
  let refused = 0;
  for (let i = 0; i < bytes.length; i += 11) {
    const changed = bytes.slice();
    changed[i] = changed[i]! ^ (1 << (i % 8));
    await imported(t, changed).catch((error: Error) => {
      refused++;
      if (error.name !== 'AppError') throw error;
    });
  }
  t.ok(refused > 0);
});

const real = [
  {
    folder: 'mobilenet_v2',
    file: 'classifier.onnx',
    dimensions: 1280,
    preset: 'tf',
    channels: [64, 96, 160, 320, 1280],
  },
  {
    folder: 'squeezenet1_1',
    file: 'classifier.onnx',
    dimensions: 512,
    preset: 'imagenet',
    channels: [128, 256, 384, 512],
  },
  { folder: 'mobilenet_v1_025', file: 'classifier.onnx', dimensions: 256, preset: 'tf', channels: [32, 64, 128, 256] },
  {
    folder: 'resnet50v2_stage3',
    file: 'extractor.onnx',
    dimensions: 1024,
    preset: 'imagenet',
    channels: [256, 512, 1024],
  },
];
for (const { folder, file, dimensions, preset, channels } of real) {
  t.test(`the features of ${folder} are found without being told`, needs('backbones', folder, file), async (t) => {
    const bytes = sharedBytes('backbones', folder, file);
    const images = sharedBytes('backbones', 'reference', 'pixels-4x224x224x3.u8');
    const expected = sharedFloats('backbones', folder, `features-4x${dimensions}.f32`);
    const input = { data: images, dims: [4, 224, 224, 3] };
    const last = await imported(t, bytes, { levels: 1, id: folder });
    t.equal(last.preset, preset);
    t.ok(relativeDifference((await runOnnx(last.model, input)).features!.data, expected) < 1e-4);

    const { model, card } = await importBackbone({
      file: join(SHARED, 'backbones', folder, file),
      id: folder,
    }).then(({ card, files }) => ({ card, model: files.get(card.file) as Uint8Array }));
    t.same(
      card.maps.map((map) => map.channels),
      channels,
    );
    const { features } = await runOnnx(model, input);
    const width = card.features.dimensions;
    const deepest = [0, 1, 2, 3].flatMap((n) => [
      ...features!.data.subarray((n + 1) * width - dimensions, (n + 1) * width),
    ]);
    t.ok(relativeDifference(Float32Array.from(deepest), expected) < 1e-4, 'the last features stand at the end');
  });
}

t.test('zeros that are padded before a maximum count, also behind negative numbers', async (t) => {
  const bytes = models.fileOf({
    nodes: [
      models.node('Conv', 'x', 'a', ['w', 'bias'], { kernel_shape: [3, 3], strides: [2, 2], pads: [1, 1, 0, 0] }),
      models.node('Pad', 'a', 'around', ['pads']),
      models.node('MaxPool', 'around', 'b', [], { kernel_shape: [3, 3], strides: [2, 2] }),
      models.node('GlobalAveragePool', 'b', 'y'),
    ],
    constants: [
      models.weights('w', 6, 3, 3, 3),
      floatTensor('bias', [6], [-90, -90, -90, -90, -90, -90]),
      int64Tensor('pads', [0, 0, 1, 1, 0, 0, 1, 1]),
    ],
  });
  const { model } = await imported(t, bytes, { levels: 1, preset: 'unit' });
  const { features } = await runOnnx(model, { data: pixels, dims });
  // All numbers are negative, so only windows without padding have a mean below 0: 9 of 16.
  for (const value of features!.data) t.ok(Number(value) < -10 && Number(value) > -90, `${value}`);
});
