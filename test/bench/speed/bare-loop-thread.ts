/** A thread of the bare loop: one session, nothing around it. */
import { parentPort, workerData } from 'node:worker_threads';
import { InferenceSession, Tensor } from '../../../src/onnx/runtime.js';

const { file, threads, width, height } = workerData as { file: string; threads: number; width: number; height: number };
const session = await InferenceSession.create(file, { intraOpNumThreads: threads, interOpNumThreads: 1 });
parentPort!.on('message', ({ pixels, count }: { pixels: Uint8Array; count: number }) => {
  const images = new Tensor('uint8', pixels, [count, height, width, 3]);
  session.run({ images }, ['features']).then(({ features }) => parentPort!.postMessage(features!.data));
});
parentPort!.postMessage('ready');
