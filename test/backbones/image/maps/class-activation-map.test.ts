import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import t, { type Test } from 'tap';
import type { Backbones } from '../../../../src/backbones/backbones.js';
import { classActivationMap } from '../../../../src/backbones/image/maps/class-activation-map.js';
import type { ImageExplanation } from '../../../../src/backbones/image/maps/explain.js';
import { overlayPicture } from '../../../../src/backbones/image/maps/map-pictures.js';
import { PACKAGE_ROOT } from '../../../../src/config.js';
import type { DenseLayer } from '../../../../src/heads/head.js';
import { backbonesIn, featuresOf, importInto } from '../../../helpers/backbones.js';
import { randomFrom } from '../../../helpers/photos.js';
import { needs, SHARED } from '../../../helpers/shared.js';

function linearHead(inputs: number, units: number): DenseLayer {
  const random = randomFrom(3);
  const values = (count: number) => Float32Array.from({ length: count }, () => 0.2 * (random() - 0.5));
  return { inputs, units, kernel: values(inputs * units), bias: values(units), activation: 'softmax' };
}

function logitsOf({ inputs, units, kernel, bias }: DenseLayer, features: Float32Array): number[] {
  return [...bias.keys()].map((k) => {
    let sum = bias[k]!;
    for (let d = 0; d < inputs; d += 1) sum += features[d]! * kernel[d * units + k]!;
    return sum;
  });
}

const mean = (values: Float32Array) => values.reduce((a, b) => a + b, 0) / values.length;

async function photosFor(backbones: Backbones, id: string) {
  const backbone = await backbones.load(id);
  const folder = join(SHARED, 'datasets', 'imagenet-val');
  const files = readdirSync(folder)
    .filter((name) => name.endsWith('.JPEG'))
    .slice(0, 3);
  return { backbone, photos: files.map((name) => readFileSync(join(folder, name))) };
}

async function checkExact(t: Test, backbones: Backbones, id: string): Promise<void> {
  const { backbone, photos } = await photosFor(backbones, id);
  const layer = linearHead(backbone.card.features.dimensions, 4);
  for (const photo of photos) {
    const logits = logitsOf(layer, await featuresOf(backbone, photo));
    for (const [k, logit] of logits.entries()) {
      const { map } = (await backbone.explain!(
        await backbone.prepare(photo),
        { layers: [layer] },
        k,
      )) as ImageExplanation;
      t.ok(Math.abs(map!.logit - logit) < 1e-3, `${map!.logit} is the score ${logit}`);
      const { png, min, max, width, height } = map!;
      const { data, info } = await sharp(Buffer.from(png.split(',')[1]!, 'base64'))
        .toColourspace('grey16')
        .raw({ depth: 'ushort' })
        .toBuffer({ resolveWithObject: true });
      t.same([info.width, info.height, info.channels], [width, height, 1]);
      const greys = new Uint16Array(new Uint8Array(data).buffer);
      const values = Float32Array.from(greys, (grey) => min + (grey / 65_535) * (max - min));
      t.ok(Math.abs(mean(values) + map!.bias - logit) < 1e-3, 'and so is the mean of the map plus the bias');
    }
  }
}

t.test('the map of a real photo adds up to the score of the class', needs('datasets', 'imagenet-val'), async (t) => {
  const backbones = backbonesIn(join(PACKAGE_ROOT, 'models'));
  await checkExact(t, backbones, 'rootstock_s');
});

t.test('so it does on an imported network', needs('backbones', 'mobilenet_v2', 'classifier.onnx'), async (t) => {
  const modelsDir = t.testdir({});
  const file = join(SHARED, 'backbones', 'mobilenet_v2', 'classifier.onnx');
  await importInto(modelsDir, { file, id: 'mobilenet_v2', preset: 'tf' });
  await checkExact(t, backbonesIn(modelsDir), 'mobilenet_v2');
});

t.test('levels of any sizes keep their means, and a peak stays in its place', (t) => {
  const peak = { channels: 1, height: 2, width: 3, values: Float32Array.of(0, 0, 6, 0, 0, 0) };
  const fine = { channels: 1, height: 5, width: 7, values: new Float32Array(35).fill(2) };
  const layer: DenseLayer = {
    inputs: 2,
    units: 1,
    kernel: Float32Array.of(1, 0.5),
    bias: Float32Array.of(-4),
    activation: 'softmax',
  };
  const map = classActivationMap([peak, fine], layer, 0);
  t.same([map.width, map.height, map.bias], [7, 5, -4]);
  t.ok(Math.abs(map.logit - (1 + 1 - 4)) < 1e-6);
  t.ok(Math.abs(mean(map.values) - 2) < 1e-6);
  t.equal(map.values.indexOf(Math.max(...map.values)), 6, 'the upper right corner');
  t.end();
});

t.test('the overlay is red where the map speaks for the class, blue where against it', async (t) => {
  const map = { width: 2, height: 1, values: Float32Array.of(3, -1), bias: -1, logit: 0 };
  const pixels = new Uint8Array(8 * 4 * 3).fill(120);
  const { png, width, height, limit } = await overlayPicture(map, pixels, { width: 8, height: 4 });
  t.same([width, height, limit], [8, 4, 2]);
  const { data, info } = await sharp(png).raw().toBuffer({ resolveWithObject: true });
  t.same([info.width, info.height, info.channels], [8, 4, 3]);
  const [red, , blue] = data.subarray(0, 3);
  t.ok(red! > blue! + 50, 'left: for');
  t.ok(data[7 * 3 + 2]! > data[7 * 3]! + 50, 'right: against');
});
