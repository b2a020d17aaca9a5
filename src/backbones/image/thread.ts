/**
 * The thread of one session. `run()` of onnxruntime-node holds its event loop until the pass is done (1.30: a synchronous
 * call behind `setImmediate`), so the session lives here, and the server goes on reading, decoding and answering.
 */

import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { tensorsOf, topModel, trunkModel, valuesOf } from '../../onnx/cut-graph.js';
import { decodeModel, encodeModel } from '../../onnx/model-proto.js';
import { InferenceSession, Tensor } from '../../onnx/runtime.js';
import type { FeatureMap } from './maps/class-activation-map.js';
import {
  type EmbedRequest,
  GPU_BATCH_SIZE,
  type ThreadData,
  type ThreadMessage,
  type TopRequest,
  type WeightsMessage,
} from './thread-messages.js';

const { file, card, threads, providers, top } = workerData as ThreadData;
const port = parentPort!;
const say = (message: ThreadMessage) => port.postMessage(message);

try {
  const bytes = await readFile(file);
  if (createHash('sha256').update(bytes).digest('hex') !== card.sha256) {
    throw new Error(`${file} is not the file its card describes`);
  }
  const model = top && decodeModel(bytes);
  const first = model ? encodeModel(trunkModel(model, top.cut)) : bytes;
  const { session, provider, unavailableProviders } = await createSession(first);
  const runTop = model && (await startTop(encodeModel(topModel(model, { ...top, features: top.features.name }))));
  const { input, features } = card;
  if (!session.inputNames.includes(input.name) || !session.outputNames.includes(features.name)) {
    throw new Error(`${file} has no input '${input.name}' or no output '${features.name}'`);
  }
  const feedsOf = (pixels: Uint8Array, size: number) => {
    const whole = filled(pixels, size * input.height * input.width * 3);
    return { [input.name]: new Tensor('uint8', whole, [size, input.height, input.width, 3]) };
  };
  // The first pass of a size is slow there.
  if (provider !== 'cpu') await session.run(feedsOf(new Uint8Array(0), GPU_BATCH_SIZE), [features.name]);
  const embed = ({ id, pixels, count, maps: wanted }: EmbedRequest) => {
    const size = passSize(provider, count);
    const feeds = feedsOf(pixels, size);
    if (wanted) {
      readMaps(session, feeds).then(
        (read) => say({ kind: 'maps', id, maps: read }),
        (error: Error) => say({ kind: 'failed', id, reason: error.message }),
      );
    } else {
      const dims: [number, number] = [size, features.dimensions];
      answer(id, session.run(feeds, [features.name]), { name: features.name, dims, count });
    }
  };
  port.on('message', (message: EmbedRequest | TopRequest | WeightsMessage) => {
    if ('pixels' in message) embed(message);
    else runTop?.(message);
  });
  say({ kind: 'ready', provider, unavailableProviders });
} catch (error) {
  say({ kind: 'refused', reason: (error as Error).message });
}

/** Ask for the maps alone: only then are they copied out of the session. */
async function readMaps(session: InferenceSession, feeds: Record<string, Tensor>): Promise<FeatureMap[]> {
  const names = card.maps.map(({ name }) => name);
  const missing = names.find((name) => !session.outputNames.includes(name));
  if (names.length === 0 || missing !== undefined) throw new Error(`it has no map ${missing ?? ''}`);
  const outputs = await session.run(feeds, names);
  return card.maps.map(({ name, channels }) => {
    const { dims, data } = outputs[name]!;
    const [count, depth, height, width] = dims as [number, number, number, number];
    if (dims.length !== 4 || count < 1 || depth !== channels) throw new Error(`its ${name} has the shape [${dims}]`);
    // Of a batch that was filled up, the first image's.
    return { channels, height, width, values: (data as Float32Array).slice(0, channels * height * width) };
  });
}

/** Images in the pass that so many take. */
function passSize(provider: string, count: number): number {
  return provider === 'cpu' ? count : Math.max(count, GPU_BATCH_SIZE);
}

/** The same bytes, and zeros up to a length. */
function filled(bytes: Uint8Array, length: number): Uint8Array {
  if (bytes.length === length) return bytes;
  const whole = new Uint8Array(length);
  whole.set(bytes);
  return whole;
}

/** Say what a run gives, or why it gave nothing. */
function answer(
  id: number,
  run: Promise<InferenceSession.OnnxValueMapType>,
  { name, dims, count = dims[0] }: { name: string; dims: [number, number]; count?: number },
): void {
  run.then(
    (outputs) => {
      const output = outputs[name] as Tensor;
      const all = output.data as Float32Array;
      const features = count === dims[0] ? all : all.slice(0, count * dims[1]);
      if (output.dims.join() === dims.join()) say({ kind: 'features', id, features });
      else say({ kind: 'failed', id, reason: `it answered features of shape [${output.dims}]` });
    },
    (error: Error) => say({ kind: 'failed', id, reason: error.message }),
  );
}

/**
 * The part behind the cut. Its weights are inputs, so one session serves the tops of all models: making and releasing a
 * session for each would leak (onnxruntime#25325).
 */
async function startTop(bytes: Uint8Array) {
  const { cut, features } = top!;
  const { session, provider } = await createSession(bytes);
  const tops = new Map<string, Record<string, Tensor>>();
  const inputs = tensorsOf(cut).map(({ tensor, dims }) => ({ name: tensor, dims, length: valuesOf(dims) }));
  const total = inputs.reduce((sum, { length }) => sum + length, 0);
  return (message: TopRequest | WeightsMessage) => {
    const { key } = message;
    if ('weights' in message) {
      const named = [...(message.weights ?? [])].map(([name, { dims, values }]): [string, Tensor] => {
        return [name, new Tensor('float32', values, dims)];
      });
      if (message.weights) tops.set(key, Object.fromEntries(named));
      else tops.delete(key);
      return;
    }
    const { id, rows, count } = message;
    const size = passSize(provider, count);
    const feeds: Record<string, Tensor> = { ...tops.get(key) };
    let offset = 0;
    for (const { name, dims, length } of inputs) {
      const part = new Float32Array(size * length);
      for (let n = 0; n < count; n += 1) {
        part.set(rows.subarray(n * total + offset, n * total + offset + length), n * length);
      }
      feeds[name] = new Tensor('float32', part, [size, ...dims]);
      offset += length;
    }
    answer(id, session.run(feeds, [features.name]), { name: features.name, dims: [size, features.dimensions], count });
  };
}

/** A session on the first provider that works here. @throws Error with the reasons of all of them */
async function createSession(bytes: Uint8Array) {
  const unavailableProviders: string[] = [];
  for (const provider of providers) {
    // Asked first: the runtime prints an error of its own when it looks in vain.
    if (provider === 'cuda' && !isCudaInstalled()) {
      unavailableProviders.push('cuda: not installed (ONNXRUNTIME_NODE_INSTALL=cuda12 npm rebuild onnxruntime-node)');
      continue;
    }
    try {
      const session = await InferenceSession.create(bytes, {
        executionProviders: [provider],
        intraOpNumThreads: threads,
        interOpNumThreads: 1,
        graphOptimizationLevel: 'all',
        logSeverityLevel: 3,
      });
      return { session, provider, unavailableProviders };
    } catch (error) {
      unavailableProviders.push(`${provider}: ${(error as Error).message}`);
    }
  }
  throw new Error(`ONNX Runtime cannot load it (${unavailableProviders.join('; ')})`);
}

function isCudaInstalled(): boolean {
  const root = dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'));
  const found = readdirSync(join(root, 'bin'), { recursive: true, encoding: 'utf8' });
  return found.some((path) => /onnxruntime_providers_cuda\.(so|dll)$/.test(path));
}
