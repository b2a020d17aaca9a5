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
  card: Pick<BackboneCard, 'sha256' | 'input' | 'features'>;
  threads: number;
  /** In the order in which they are tried. */
  providers: string[];
}

/** uint8 `[count, H, W, 3]` */
export interface EmbedRequest {
  id: number;
  pixels: Uint8Array;
  count: number;
}

/** `ready` on one of the providers, with why not on those before it; or why on none. Then an answer per request: float32 `[count, D]`, or why not. */
export type ThreadMessage =
  | { kind: 'ready'; provider: string; without: string[] }
  | { kind: 'refused'; reason: string }
  | { kind: 'features'; id: number; features: Float32Array }
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
  port.on('message', ({ id, pixels, count }: EmbedRequest) => {
    const images = new Tensor('uint8', pixels, [count, input.height, input.width, 3]);
    session.run({ [input.name]: images }, [features.name]).then(
      (outputs) => {
        const output = outputs[features.name]!;
        if (output.dims.length === 2 && output.dims[0] === count && output.dims[1] === features.dimensions) {
          say({ kind: 'features', id, features: output.data as Float32Array });
        } else say({ kind: 'failed', id, reason: `it answered features of shape [${output.dims}]` });
      },
      (error: Error) => say({ kind: 'failed', id, reason: error.message }),
    );
  });
  say({ kind: 'ready', provider, without });
} catch (error) {
  say({ kind: 'refused', reason: (error as Error).message });
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
