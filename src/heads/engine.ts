import { createRequire } from 'node:module';
import { dirname, join, sep } from 'node:path';
import * as tf from '@tensorflow/tfjs-core';

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
