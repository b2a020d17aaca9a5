/**
 * The thread of one backbone. `run()` of onnxruntime-node holds its event loop until the pass is done (1.30: a synchronous
 * call behind `setImmediate`), so the session lives here, and the server goes on reading, decoding and answering.
 */

import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import type { BackboneCard } from '../schemas.js';
import { InferenceSession, Tensor } from './onnx-runtime.js';

export interface ThreadData {
  file: string;
  card: Pick<BackboneCard, 'sha256' | 'input' | 'features' | 'maps'>;
  threads: number;
  /** In the order in which they are tried. */
  providers: string[];
}

/** uint8 `[count, H, W, 3]` */
export interface EmbedRequest {
  id: number;
  pixels: Uint8Array;
  count: number;
  /** Answer the maps instead of the features; of one image. */
  maps?: boolean;
}

/** A spatial map of one image. */
export interface FeatureMap {
  channels: number;
  height: number;
  width: number;
  /** float32 `[channels, height, width]` */
  values: Float32Array;
}

/**
 * `ready` on one of the providers, with why not on those before it; or why on none. Then an answer per request: float32
 * `[count, D]`, or the maps in the order of the card, or why not.
 */
export type ThreadMessage =
  | { kind: 'ready'; provider: string; without: string[] }
  | { kind: 'refused'; reason: string }
  | { kind: 'features'; id: number; features: Float32Array }
  | { kind: 'maps'; id: number; maps: FeatureMap[] }
  | { kind: 'failed'; id: number; reason: string };

const { file, card, threads, providers } = workerData as ThreadData;
const port = parentPort!;
const say = (message: ThreadMessage) => port.postMessage(message);

try {
  const bytes = await readFile(file);
  if (createHash('sha256').update(bytes).digest('hex') !== card.sha256) {
    throw new Error(`${file} is not the file its card describes`);
  }
  const { session, provider, without } = await createSession(bytes);
  const { input, features } = card;
  if (!session.inputNames.includes(input.name) || !session.outputNames.includes(features.name)) {
    throw new Error(`${file} has no input '${input.name}' or no output '${features.name}'`);
  }
  port.on('message', ({ id, pixels, count, maps: wanted }: EmbedRequest) => {
    const images = new Tensor('uint8', pixels, [count, input.height, input.width, 3]);
    const failed = (error: Error) => say({ kind: 'failed', id, reason: error.message });
    if (wanted) {
      readMaps(session, { [input.name]: images }).then((read) => say({ kind: 'maps', id, maps: read }), failed);
      return;
    }
    session.run({ [input.name]: images }, [features.name]).then((outputs) => {
      const output = outputs[features.name]!;
      if (output.dims.length === 2 && output.dims[0] === count && output.dims[1] === features.dimensions) {
        say({ kind: 'features', id, features: output.data as Float32Array });
      } else say({ kind: 'failed', id, reason: `it answered features of shape [${output.dims}]` });
    }, failed);
  });
  say({ kind: 'ready', provider, without });
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
    if (dims.length !== 4 || count !== 1 || depth !== channels) throw new Error(`its ${name} has the shape [${dims}]`);
    return { channels, height, width, values: data as Float32Array };
  });
}

/** A session on the first provider that works here. @throws Error with the reasons of all of them */
async function createSession(bytes: Uint8Array) {
  const without: string[] = [];
  for (const provider of providers) {
    // Asked first: the runtime prints an error of its own when it looks in vain.
    if (provider === 'cuda' && !isCudaInstalled()) {
      without.push('cuda: not installed (ONNXRUNTIME_NODE_INSTALL=cuda12 npm rebuild onnxruntime-node)');
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
      return { session, provider, without };
    } catch (error) {
      without.push(`${provider}: ${(error as Error).message}`);
    }
  }
  throw new Error(`ONNX Runtime cannot load it (${without.join('; ')})`);
}

function isCudaInstalled(): boolean {
  const root = dirname(createRequire(import.meta.url).resolve('onnxruntime-node/package.json'));
  const found = readdirSync(join(root, 'bin'), { recursive: true, encoding: 'utf8' });
  return found.some((path) => /onnxruntime_providers_cuda\.(so|dll)$/.test(path));
}
