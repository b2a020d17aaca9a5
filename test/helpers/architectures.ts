/** Narrow replicas of known networks: their blocks and how these are joined, with a few channels. */
import { int64Tensor } from '../../src/onnx/build-node.js';
import { type Idiom, Layers, type MapOf } from './layers.js';

export interface Replica {
  file: Uint8Array;
  /** Length of the last features. */
  last: number;
  /** Whether a dense layer lies between pooling and classifier. */
  hidden?: boolean;
}

type Build = (net: Layers) => { features: { name: string; length: number }; hidden?: boolean };

const pooled = (net: Layers, map: MapOf) => ({ features: { name: net.mean(map), length: map.channels } });
const max = { kernel: 3, stride: 2 };

/** Krizhevsky et al., 2012, as torchvision has it. */
const alexnet: Build = (net) => {
  const plain = { normalised: false };
  let x = net.conv(net.input, 8, { ...plain, kernel: 11, stride: 4 });
  x = net.conv(net.pool(x, 'MaxPool', max), 12, { ...plain, kernel: 5 });
  x = net.pool(x, 'MaxPool', max);
  for (const channels of [16, 12, 12]) x = net.conv(x, channels, plain);
  const hidden = net.dense(net.flatten(net.pool(x, 'MaxPool', max)), 24, 'relu');
  return { features: net.dense(hidden, 20, 'relu'), hidden: true };
};

/** Simonyan and Zisserman, 2014. */
const vgg =
  (depths: number[]): Build =>
  (net) => {
    let x = net.input;
    for (const [stage, depth] of depths.entries()) {
      const channels = [4, 8, 8, 12, 12][stage]!;
      for (let i = 0; i < depth; i += 1) x = net.conv(x, channels, { normalised: false });
      x = net.pool(x, 'MaxPool', { kernel: 2, stride: 2 });
    }
    return { features: net.dense(net.dense(net.flatten(x), 24, 'relu'), 20, 'relu'), hidden: true };
  };

/** Szegedy et al., Rethinking the Inception Architecture, 2015: one block of each kind. */
const inceptionV3: Build = (net) => {
  const valid = { padding: 'valid' } as const;
  let x = net.conv(net.conv(net.input, 4, { ...valid, stride: 2 }), 6);
  x = net.pool(x, 'MaxPool', max);
  x = net.conv(net.conv(x, 6, { kernel: 1 }), 8, valid);
  const averaged = (from: MapOf, channels: number) =>
    net.conv(net.pool(from, 'AveragePool', { kernel: 3, stride: 1, same: true }), channels, { kernel: 1 });
  for (let i = 0; i < 2; i += 1) {
    const five = net.conv(net.conv(x, 4, { kernel: 1 }), 6, { kernel: 5 });
    const three = net.conv(net.conv(net.conv(x, 4, { kernel: 1 }), 6), 6);
    x = net.concat([net.conv(x, 4, { kernel: 1 }), five, three, averaged(x, 4)]);
  }
  const down = (from: MapOf) =>
    net.concat([
      net.conv(from, 8, { ...valid, stride: 2 }),
      net.conv(net.conv(net.conv(from, 4, { kernel: 1 }), 6), 6, { ...valid, stride: 2 }),
      net.pool(from, 'MaxPool', max),
    ]);
  x = down(x);
  for (let i = 0; i < 2; i += 1) {
    const across = (from: MapOf, channels: number) =>
      net.conv(net.conv(from, channels, { kernel: [1, 7] }), channels, { kernel: [7, 1] });
    x = net.concat([net.conv(x, 8, { kernel: 1 }), across(net.conv(x, 4, { kernel: 1 }), 8), averaged(x, 8)]);
  }
  x = down(x);
  for (let i = 0; i < 2; i += 1) {
    const split = (from: MapOf) =>
      net.concat([net.conv(from, 6, { kernel: [1, 3] }), net.conv(from, 6, { kernel: [3, 1] })]);
    x = net.concat([
      net.conv(x, 8, { kernel: 1 }),
      split(net.conv(x, 6, { kernel: 1 })),
      split(net.conv(net.conv(x, 6, { kernel: 1 }), 6)),
      averaged(x, 6),
    ]);
  }
  return pooled(net, x);
};

/** Szegedy et al., Inception-v4, Inception-ResNet, 2016. */
const inceptionResnetV2: Build = (net) => {
  let x = net.pool(net.conv(net.conv(net.input, 6, { stride: 2 }), 12), 'MaxPool', max);
  const block = (from: MapOf, branches: MapOf[], scale: number, activation: 'relu' | 'none' = 'relu') => {
    const up = net.conv(net.concat(branches), from.channels, { kernel: 1, normalised: false, activation: 'none' });
    return net.add(from, { ...up, name: net.node('Mul', [up.name, net.number(scale)]) }, activation);
  };
  const one = (from: MapOf) => net.conv(from, 4, { kernel: 1 });
  for (let i = 0; i < 2; i += 1) x = block(x, [one(x), net.conv(one(x), 4), net.conv(net.conv(one(x), 6), 6)], 0.17);
  const down = (from: MapOf) =>
    net.concat([net.conv(from, 12, { padding: 'valid', stride: 2 }), net.pool(from, 'MaxPool', max)]);
  x = down(x);
  for (let i = 0; i < 2; i += 1) {
    const across = net.conv(net.conv(one(x), 5, { kernel: [1, 7] }), 6, { kernel: [7, 1] });
    x = block(x, [net.conv(x, 6, { kernel: 1 }), across], 0.1);
  }
  x = down(x);
  x = block(x, [one(x), net.conv(net.conv(one(x), 5, { kernel: [1, 3] }), 6, { kernel: [3, 1] })], 0.2);
  x = block(x, [one(x), net.conv(one(x), 6)], 1, 'none');
  return pooled(net, net.conv(x, 40, { kernel: 1 }));
};

/** Chollet, 2017. */
const xception: Build = (net) => {
  let x = net.conv(net.conv(net.input, 6, { stride: 2, padding: 'valid' }), 8, { padding: 'valid' });
  for (const channels of [12, 16]) {
    const shortcut = net.conv(x, channels, { kernel: 1, stride: 2, activation: 'none' });
    const deep = net.separable(net.activate(net.separable(x, channels), 'relu'), channels);
    x = net.add(net.pool(deep, 'MaxPool', { ...max, same: true }), shortcut);
  }
  for (let i = 0; i < 2; i += 1) {
    let deep = x;
    for (let j = 0; j < 3; j += 1) deep = net.separable(net.activate(deep, 'relu'), x.channels);
    x = net.add(deep, x);
  }
  const shortcut = net.conv(x, 24, { kernel: 1, stride: 2, activation: 'none' });
  const deep = net.separable(net.activate(net.separable(net.activate(x, 'relu'), 16), 'relu'), 24);
  x = net.add(net.pool(deep, 'MaxPool', { ...max, same: true }), shortcut);
  for (const channels of [28, 32]) x = net.activate(net.separable(x, channels), 'relu');
  return pooled(net, x);
};

/** He et al., 2015: bottlenecks. */
const resnet: Build = (net) => {
  let x = net.pool(net.conv(net.input, 8, { kernel: 7, stride: 2 }), 'MaxPool', { ...max, same: true });
  for (const [stage, channels] of [12, 16, 24, 32].entries()) {
    for (let i = 0; i < 2; i += 1) {
      const stride = stage > 0 && i === 0 ? 2 : 1;
      const inner = net.conv(net.conv(x, channels / 4, { kernel: 1 }), channels / 4, { stride });
      const deep = net.conv(inner, channels, { kernel: 1, activation: 'none' });
      const shortcut = i === 0 ? net.conv(x, channels, { kernel: 1, stride, activation: 'none' }) : x;
      x = net.add(deep, shortcut, 'relu');
    }
  }
  return pooled(net, x);
};

/** He et al., Identity Mappings, 2016: normalised before each convolution. */
const resnetV2: Build = (net) => {
  let x = net.pool(net.conv(net.input, 8, { kernel: 7, stride: 2, normalised: false, activation: 'none' }), 'MaxPool', {
    ...max,
    same: true,
  });
  for (const [stage, channels] of [12, 16, 24, 32].entries()) {
    for (let i = 0; i < 2; i += 1) {
      const stride = stage > 0 && i === 0 ? 2 : 1;
      const before = net.activate(net.normalise(x), 'relu');
      const bare = { normalised: false, activation: 'none' } as const;
      const inner = net.conv(net.conv(before, channels / 4, { kernel: 1 }), channels / 4, { stride });
      const deep = net.conv(inner, channels, { ...bare, kernel: 1 });
      x = net.add(deep, i === 0 ? net.conv(before, channels, { ...bare, kernel: 1, stride }) : x);
    }
  }
  return pooled(net, net.activate(net.normalise(x), 'relu'));
};

/** Howard et al., 2017. */
const mobilenet: Build = (net) => {
  let x = net.conv(net.input, 8, { stride: 2, activation: 'relu6' });
  for (const [channels, stride] of [
    [12, 2],
    [12, 1],
    [16, 2],
    [16, 1],
    [24, 2],
    [24, 1],
  ] as const) {
    x = net.separable(x, channels, { stride, activation: 'relu6' });
  }
  return pooled(net, x);
};

/** Sandler et al., 2018; with squeeze and excitation and other activations: MobileNetV3 (2019), EfficientNet (Tan and Le, 2019). */
const inverted =
  (options: { gate?: 'hard' | 'soft'; activation: 'relu6' | 'hard-swish' | 'swish'; hidden?: boolean }): Build =>
  (net) => {
    const { gate, activation, hidden = false } = options;
    let x = net.conv(net.input, 8, { stride: 2, activation });
    for (const [channels, stride] of [
      [8, 1],
      [12, 2],
      [12, 1],
      [16, 2],
      [16, 1],
      [24, 2],
      [24, 1],
    ] as const) {
      const wide = net.conv(x, x.channels * 2, { kernel: 1, activation });
      const deep = net.conv(wide, wide.channels, { stride, group: wide.channels, activation });
      const made = net.conv(gate ? net.excite(deep, gate) : deep, channels, { kernel: 1, activation: 'none' });
      x = stride === 1 && channels === x.channels ? net.add(x, made) : made;
    }
    x = net.conv(x, 48, { kernel: 1, activation });
    const { features } = pooled(net, x);
    return hidden ? { features: net.dense(features, 40, activation), hidden } : { features };
  };

/** Huang et al., 2017. */
const densenet: Build = (net) => {
  let x = net.pool(net.conv(net.input, 12, { kernel: 7, stride: 2 }), 'MaxPool', { ...max, same: true });
  for (const [stage, depth] of [2, 3, 3].entries()) {
    for (let i = 0; i < depth; i += 1) {
      const small = net.conv(net.activate(net.normalise(x), 'relu'), 12, { kernel: 1 });
      x = net.concat([x, net.conv(small, 6, { normalised: false, activation: 'none' })]);
    }
    if (stage === 2) break;
    const half = net.conv(net.activate(net.normalise(x), 'relu'), x.channels / 2, {
      kernel: 1,
      normalised: false,
      activation: 'none',
    });
    x = net.pool(half, 'AveragePool', { kernel: 2, stride: 2 });
  }
  return pooled(net, net.activate(net.normalise(x), 'relu'));
};

/** Zoph et al., 2018: cells that read the two before them. */
const nasnet: Build = (net) => {
  let before = net.conv(net.input, 8, { stride: 2, activation: 'none' });
  let x = net.conv(before, 8, { stride: 2, activation: 'none' });
  const squeeze = (from: MapOf, channels: number) =>
    net.conv(net.activate(from, 'relu'), channels, { kernel: 1, activation: 'none' });
  const separable = (from: MapOf, kernel: number, stride = 1) =>
    net.separable(net.activate(from, 'relu'), from.channels, { kernel, stride });
  /** Half of the places, and those beside them: so that nothing is lost where the size is halved. */
  const halved = (from: MapOf, channels: number) => {
    const active = net.activate(from, 'relu');
    const around = [net.integers(0, 0, 0, 0, 0, 0, 1, 1), net.integers(1, 1), net.integers(2 ** 31 - 1, 2 ** 31 - 1)];
    const shifted = net.node('Slice', [
      net.node('Pad', [active.name, around[0]!]),
      around[1]!,
      around[2]!,
      net.integers(2, 3),
    ]);
    const halves = [active, { ...active, name: shifted }].map((each) =>
      net.conv(net.pool(each, 'AveragePool', { kernel: 1, stride: 2 }), channels / 2, {
        kernel: 1,
        activation: 'none',
      }),
    );
    return net.normalise(net.concat(halves));
  };
  const average = (from: MapOf) => net.pool(from, 'AveragePool', { kernel: 3, stride: 1, same: true });
  const normal = (channels: number) => {
    const h = squeeze(x, channels);
    const p = before.side === x.side ? squeeze(before, channels) : halved(before, channels);
    const parts = [
      net.add(separable(h, 5), separable(p, 3)),
      net.add(separable(p, 5), separable(p, 3)),
      net.add(average(h), p),
      net.add(average(p), average(p)),
      net.add(separable(h, 3), h),
    ];
    [before, x] = [x, net.concat([p, ...parts])];
  };
  const reduction = (channels: number) => {
    const h = squeeze(x, channels);
    const p = before.side === x.side ? squeeze(before, channels) : halved(before, channels);
    const pool = (kind: 'MaxPool' | 'AveragePool') => net.pool(h, kind, { ...max, same: true });
    const first = net.add(separable(h, 5, 2), separable(p, 7, 2));
    const parts = [
      net.add(pool('MaxPool'), separable(p, 7, 2)),
      net.add(pool('AveragePool'), separable(p, 5, 2)),
      net.add(average(first), net.add(pool('MaxPool'), separable(first, 3))),
    ];
    [before, x] = [x, net.concat([first, ...parts])];
  };
  normal(4);
  normal(4);
  reduction(8);
  normal(8);
  normal(8);
  reduction(8);
  normal(8);
  return pooled(net, net.activate(x, 'relu'));
};

/** Liu et al., A ConvNet for the 2020s, 2022. */
const convnext: Build = (net) => {
  const norm = (from: MapOf) => {
    const last = net.node('Transpose', [from.name], { perm: [0, 2, 3, 1] });
    const vector = (mean: number) => net.random([from.channels], { deviation: 0.1, mean });
    return net.node('LayerNormalization', [last, vector(1), vector(0)], { axis: -1, epsilon: { f: 1e-6 } });
  };
  const back = (name: string, like: MapOf): MapOf => ({
    ...like,
    name: net.node('Transpose', [name], { perm: [0, 3, 1, 2] }),
  });
  const bare = { normalised: false, activation: 'none' } as const;
  let x = net.conv(net.input, 8, { ...bare, kernel: 4, stride: 4, padding: 'valid' });
  x = back(norm(x), x);
  for (const [stage, channels] of [8, 12, 16].entries()) {
    if (stage > 0) x = net.conv(back(norm(x), x), channels, { ...bare, kernel: 2, stride: 2, padding: 'valid' });
    for (let i = 0; i < 2; i += 1) {
      const even = norm(net.conv(x, channels, { ...bare, kernel: 7, group: channels }));
      const wide = net.node('Add', [
        net.node('MatMul', [
          even,
          net.random([channels, 4 * channels], { deviation: Math.SQRT2 / Math.sqrt(channels) }),
        ]),
        net.random([4 * channels], { deviation: 0.1 }),
      ]);
      const narrow = net.node('Add', [
        net.node('MatMul', [
          net.activated(wide, 'gelu'),
          net.random([4 * channels, channels], { deviation: 0.5 / Math.sqrt(channels) }),
        ]),
        net.random([channels], { deviation: 0.1 }),
      ]);
      const scaled = net.node('Mul', [narrow, net.random([channels], { deviation: 0.1, mean: 0.5 })]);
      x = net.add(back(scaled, x), x);
    }
  }
  const mean = net.node('GlobalAveragePool', [x.name]);
  const last = net.node('Transpose', [mean], { perm: [0, 2, 3, 1] });
  const even = net.node(
    'LayerNormalization',
    [last, net.random([16], { deviation: 0.1, mean: 1 }), net.random([16], { deviation: 0.1 })],
    { axis: -1 },
  );
  return { features: { name: net.node('Reshape', [even, net.integers(-1, 16)]), length: 16 } };
};

interface Transformer {
  /** Tokens between the class token and the patches (Darcet et al., 2024). */
  registers?: number;
  /** What the classifier reads. */
  head: 'class' | 'mean' | 'attention' | 'projection';
}

/** Dosovitskiy et al., 2021; DINOv2 with registers; CLIP with a projection; SigLIP with attention pooling. */
const transformer =
  ({ registers = 0, head }: Transformer): Build =>
  (net) => {
    const [width, heads, depth] = [16, 2, 4];
    const patches = net.conv(net.input, width, {
      ...{ kernel: 16, stride: 16, padding: 'valid', normalised: false, activation: 'none' },
    });
    const count = patches.side ** 2;
    const flat = net.node('Reshape', [patches.name, net.integers(0, width, count)]);
    let x = net.node('Transpose', [flat], { perm: [0, 2, 1] });
    /** Dimensions of `count` tokens an image. */
    const forEachImage = (count: number) => {
      const images = net.node('Slice', [net.node('Shape', [flat]), net.integers(0), net.integers(1)]);
      return net.node('Concat', [images, net.integers(count, width)], { axis: 0 });
    };
    const prefix = head === 'mean' || head === 'attention' ? 0 : 1 + registers;
    if (prefix > 0) {
      const size = forEachImage(prefix);
      const tokens = net.random([1, prefix, width], { deviation: 0.5 });
      x = net.node('Concat', [net.node('Expand', [tokens, size]), x], { axis: 1 });
    }
    x = net.node('Add', [x, net.random([1, prefix + count, width], { deviation: 0.5 })]);
    const norm = (from: string) => {
      const inputs = [from, net.random([width], { deviation: 0.1, mean: 1 }), net.random([width], { deviation: 0.1 })];
      return net.node('LayerNormalization', inputs, { axis: -1 });
    };
    const dense = (from: string, inputs: number, units: number) => {
      const w = net.random([inputs, units], { deviation: 1 / Math.sqrt(inputs) });
      return net.node('Add', [net.node('MatMul', [from, w]), net.random([units], { deviation: 0.1 })]);
    };
    const attention = (queries: string, keys: string) => {
      const inHeads = (from: string) => {
        const apart = net.node('Reshape', [dense(from, width, width), net.integers(0, -1, heads, width / heads)]);
        return net.node('Transpose', [apart], { perm: [0, 2, 1, 3] });
      };
      const turned = net.node('Transpose', [inHeads(keys)], { perm: [0, 1, 3, 2] });
      const alike = net.node('Mul', [
        net.node('MatMul', [inHeads(queries), turned]),
        net.number(1 / Math.sqrt(width / heads)),
      ]);
      const seen = net.node('MatMul', [net.node('Softmax', [alike], { axis: -1 }), inHeads(keys)]);
      const together = net.node('Reshape', [
        net.node('Transpose', [seen], { perm: [0, 2, 1, 3] }),
        net.integers(0, -1, width),
      ]);
      return dense(together, width, width);
    };
    for (let i = 0; i < depth; i += 1) {
      const before = norm(x);
      x = net.node('Add', [attention(before, before), x]);
      x = net.node('Add', [dense(net.activated(dense(norm(x), width, 2 * width), 'gelu'), 2 * width, width), x]);
    }
    x = norm(x);
    if (head === 'mean')
      return { features: { name: net.node('ReduceMean', [x], { axes: [1], keepdims: 0 }), length: width } };
    if (head === 'attention') {
      const size = forEachImage(1);
      const probe = net.node('Expand', [net.random([1, 1, width], { deviation: 1 }), size]);
      const pooledTokens = net.node('Squeeze', [attention(probe, x), net.integers(1)]);
      return { features: { name: pooledTokens, length: width }, hidden: true };
    }
    const first = net.node('Gather', [x, net.constant({ ...int64Tensor('first_token', [0]), dims: [] })], { axis: 1 });
    if (head === 'class') return { features: { name: first, length: width }, hidden: true };
    const projected = net.node('MatMul', [first, net.random([width, 12], { deviation: 0.25 })]);
    return { features: { name: projected, length: 12 }, hidden: true };
  };

/** Transformers, as PyTorch exports them. */
export const TRANSFORMERS: Record<string, Build> = {
  vit: transformer({ head: 'class' }),
  vit_registers: transformer({ head: 'class', registers: 4 }),
  vit_mean: transformer({ head: 'mean' }),
  siglip: transformer({ head: 'attention' }),
  clip: transformer({ head: 'projection' }),
};

/** The twelve that the literature of transfer learning names. */
export const TWELVE: Record<string, Build> = {
  alexnet,
  vgg16: vgg([2, 2, 3, 3, 3]),
  vgg19: vgg([2, 2, 4, 4, 4]),
  inception_v3: inceptionV3,
  inception_resnet_v2: inceptionResnetV2,
  xception,
  resnet,
  resnet_v2: resnetV2,
  mobilenet,
  mobilenet_v2: inverted({ activation: 'relu6' }),
  densenet,
  nasnet,
};

/** Others whose tops are trained. */
export const OTHERS: Record<string, Build> = {
  mobilenet_v3: inverted({ gate: 'hard', activation: 'hard-swish', hidden: true }),
  efficientnet: inverted({ gate: 'soft', activation: 'swish' }),
  convnext,
};

const SIDE = 96;

/** A replica as a file, as this exporter would write it. */
export function replica(name: string, idiom: Idiom): Replica {
  const build = { ...TWELVE, ...OTHERS, ...TRANSFORMERS }[name]!;
  const net = new Layers({ idiom, side: SIDE, seed: name.length });
  const { features, hidden = false } = build(net);
  // A network of this kind comes without a classifier: its projection is what it is for.
  const file = name === 'clip' ? net.file([features.name]) : net.classifier(features);
  return { file, last: features.length, hidden };
}
