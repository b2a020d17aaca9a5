import { createRequire } from 'node:module';
import { dirname, join, sep } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';
import { AppError } from '../errors.js';

/** TensorFlow.js with a backend chosen: what heads are trained on. */
export interface Engine {
  tf: typeof tf;
  /** Such as `tfjs-wasm 4.22.0`; recorded in every report, because equal digests need equal engines. */
  name: string;
}

let loading: Promise<Engine> | undefined;

/**
 * TensorFlow's native library where `@tensorflow/tfjs-node` is installed and loads, else WebAssembly, which ships inside
 * npm. Loaded once a process.
 */
export function loadEngine(): Promise<Engine> {
  loading ??= load();
  return loading;
}

async function load(): Promise<Engine> {
  const native = await loadNative();
  if (native) return { tf, name: `tfjs-node ${tf.version_core}` };
  const { setWasmPaths } = await import('@tensorflow/tfjs-backend-wasm');
  const require = createRequire(import.meta.url);
  const folder = dirname(require.resolve('@tensorflow/tfjs-backend-wasm/package.json'));
  setWasmPaths(join(folder, 'dist') + sep);
  await tf.setBackend('wasm');
  await tf.ready();
  return { tf, name: `tfjs-wasm ${tf.version_core}` };
}

/** Whether the engine is TensorFlow's own library. */
export function isNative({ name }: Engine): boolean {
  return name.startsWith('tfjs-node');
}

/** @throws AppError `engine_unavailable` that says what to install */
export function requireNative(engine: Engine): void {
  if (isNative(engine)) return;
  throw new AppError(
    'engine_unavailable',
    `trainable all needs TensorFlow's native library, and this worker trains on ${engine.name}. Let the package @tensorflow/tfjs-node install where the worker runs (Node 22 at most; its install script downloads the library; the Docker image has it with --build-arg TFJS_NODE=yes), or use trainable top.`,
    { details: { engine: engine.name } },
  );
}

/** Optional: its install script downloads libtensorflow, which is not possible everywhere. */
async function loadNative(): Promise<boolean> {
  for (const name of ['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node']) {
    try {
      await import(name);
      return await tf.setBackend('tensorflow');
    } catch {
      // Not installed, or its native library does not load here: the next one, then WebAssembly.
    }
  }
  return false;
}
