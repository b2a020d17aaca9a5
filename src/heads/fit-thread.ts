/** The thread of `fit-threads.ts`: one fit after another. */
import { parentPort } from 'node:worker_threads';
import type { FitAnswer, FitTask } from './fit-threads.js';
import { solve } from './sparse-problem.js';

const port = parentPort!;
let before: Promise<void> = Promise.resolve();

port.on('message', ({ id, problem, options }: FitTask) => {
  before = before.then(() =>
    solve(problem, options).then(
      (solved) => port.postMessage({ id, solved } satisfies FitAnswer),
      (error: unknown) => port.postMessage({ id, failed: String((error as Error).stack ?? error) } satisfies FitAnswer),
    ),
  );
});
