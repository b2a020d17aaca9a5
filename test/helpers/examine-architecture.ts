/** What an import made of a network, held against the network itself. */
import type { AddressInfo } from 'node:net';
import { decodeImage } from '../../src/backbones/image/pixels.js';
import type { ImportedBackbone } from '../../src/backbones/image/import/imported-backbone.js';
import { PRESETS, preprocess } from '../../src/backbones/image/import/preprocessing.js';
import { loadEngine } from '../../src/heads/engine.js';
import { TRUNK, trunkModel } from '../../src/onnx/cut-graph.js';
import { imageInputOf } from '../../src/onnx/image-input.js';
import { decodeModel, encodeModel } from '../../src/onnx/model-proto.js';
import { pruneGraph } from '../../src/onnx/prune-graph.js';
import { symbolicBatch } from '../../src/onnx/symbolic-batch.js';
import type { ImageBackboneCard } from '../../src/schemas/backbones.js';
import { openGraph } from '../../src/top/backbone-graph.js';
import { TopNetwork } from '../../src/top/network.js';
import { readTop } from '../../src/top/program.js';
import type { imageAppForTest } from './image-app.js';
import { relativeDifference, runOnnx } from './onnx-run.js';

/** Photos as the backbone sees them. */
export function pixelsOf(photos: Buffer[], card: ImageBackboneCard): Promise<Uint8Array[]> {
  return Promise.all(photos.map((bytes) => decodeImage(bytes, card, { maxPixels: 1e8 })));
}

export interface Examined {
  /** Of the features to the network's own, relative to the largest. */
  difference: number;
  /** Share of the features whose deviation over the photos is at least a thousandth of their mean. */
  alive: number;
  /** The same differences, of the features through the tops behind some cuts. */
  tops: { cut: string; difference: number }[];
}

/**
 * @param options file: the network; cuts: which of the card's are tried, from 0
 */
export async function examineArchitecture(options: {
  file: Uint8Array;
  imported: ImportedBackbone;
  pixels: Uint8Array[];
  cuts: number[];
}): Promise<Examined> {
  const { file, imported, pixels, cuts } = options;
  const { card } = imported;
  const { width, height } = card.input;
  const backbone = imported.files.get(card.file) as Uint8Array;
  const images = { data: new Uint8Array(Buffer.concat(pixels)), dims: [pixels.length, height, width, 3] };
  const { features } = await runOnnx(backbone, images);
  const expected = await ownFeatures(file, imported, pixels);
  const graph = await openGraph(backbone, card);
  const engine = await loadEngine();
  const tops: Examined['tops'] = [];
  for (const block of cuts) {
    const { cut } = card.top!.blocks[block]!;
    const network = new TopNetwork(engine, readTop(graph, cut));
    const trunk = await runOnnx(encodeModel(trunkModel(decodeModel(backbone), cut)), images);
    const answer = engine.tf.tidy(() => network.forward(trunk[TRUNK]!.data, pixels.length).dataSync() as Float32Array);
    tops.push({ cut: cut.tensor, difference: relativeDifference(answer, features!.data) });
    network.dispose();
  }
  return {
    difference: relativeDifference(features!.data, expected),
    alive: aliveShare(features!.data, card.features.dimensions),
    tops,
  };
}

/** Features by the untouched network: its own maps, pooled here, one photo after another. */
async function ownFeatures(
  file: Uint8Array,
  { parts, preset, card }: ImportedBackbone,
  pixels: Uint8Array[],
): Promise<Float32Array> {
  const { levels, vector } = parts;
  const model = decodeModel(file);
  const names = [...levels.map(({ name }) => name), ...(vector ? [vector.name] : [])];
  const input = imageInputOf(model.graph!, card.input.width);
  const graph = pruneGraph(symbolicBatch(model.graph!, input), names);
  graph.output = names.map((name) => ({ name, type: { tensorType: { elemType: 1 } } }));
  const bytes = encodeModel({ ...model, graph });
  const dims = input.layout === 'nchw' ? [1, 3, input.height, input.width] : [1, input.height, input.width, 3];
  const rows: number[] = [];
  for (const picture of pixels) {
    const given = { data: preprocess(picture, PRESETS[preset], input), dims };
    const outputs = await runOnnx(bytes, given, { optimize: false });
    for (const { name, channels, height, width, layout, prefix = 0 } of levels) {
      const { data } = outputs[name]!;
      const area = height * width;
      for (let c = 0; c < channels; c += 1) {
        let sum = 0;
        for (let place = 0; place < area; place += 1) {
          sum += data[layout === 'nchw' ? c * area + place : (prefix + place) * channels + c]!;
        }
        rows.push(sum / area);
      }
    }
    if (vector) rows.push(...outputs[vector.name]!.data.subarray(0, vector.dimensions));
  }
  return Float32Array.from(rows);
}

function aliveShare(values: Float32Array, dimensions: number): number {
  const rows = values.length / dimensions;
  const alive = Array.from({ length: dimensions }, (_, d) => {
    const own = Array.from({ length: rows }, (_, n) => values[n * dimensions + d]!);
    const mean = own.reduce((sum, value) => sum + value, 0) / rows;
    const deviation = Math.sqrt(own.reduce((sum, value) => sum + (value - mean) ** 2, 0) / rows);
    return deviation >= 1e-3 * Math.abs(mean) && deviation > 0;
  });
  return alive.filter(Boolean).length / dimensions;
}

function addressOf({ app }: Awaited<ReturnType<typeof imageAppForTest>>): string {
  return `http://127.0.0.1:${(app.server.address() as AddressInfo).port}`;
}

/**
 * Train a model on a backbone, ask the service, and ask its ONNX download.
 * @returns the difference of both answers, relative to the largest probability
 */
export async function servedAndDownloaded(
  app: Awaited<ReturnType<typeof imageAppForTest>>,
  { dataset, backbone, image }: { dataset: string; backbone: string; image: Buffer },
): Promise<number> {
  const hyperparameters = { weight_decay: 0.01 };
  await app.train({ dataset, model: backbone, backbone, head: 'linear', hyperparameters });
  const { results } = await app.json<{ results: { predictions: { label: string; score: number }[] }[] }>(
    `/v1/models/${backbone}/predict?top_k=100`,
    { method: 'POST', body: image },
  );
  const { labels } = await app.json<{ labels: string[] }>(`/v1/models/${backbone}/versions/1`);
  const served = labels.map((label) => results[0]!.predictions.find((row) => row.label === label)!.score);
  // Over the network: what is injected becomes a text, too, which may not be as long as VGG's file.
  const address = app.app.server.listening ? addressOf(app) : await app.app.listen({ host: '127.0.0.1', port: 0 });
  const download = await fetch(`${address}/v1/models/${backbone}/versions/1/artifact?format=onnx`);
  const body = new Uint8Array(await download.arrayBuffer());
  const card = (await app.backbones.card(backbone)) as ImageBackboneCard;
  const [seen] = await pixelsOf([image], card);
  const dims = [1, card.input.height, card.input.width, 3];
  const { probabilities } = await runOnnx(body, { data: new Uint8Array(seen!), dims });
  return relativeDifference(Float32Array.from(served), probabilities!.data);
}
