/**
 * Fits in threads, so that the folds of a cross-validation go on at once: one fit on sparse features takes one core. A small fit
 * is done at once, where it is asked for.
 */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { ObjectiveOptions } from './softmax-objective.js';
import { lanesOf, type ProblemOptions, type Solved, solve } from './sparse-problem.js';

export interface FitTask {
  id: number;
  problem: ProblemOptions;
  options: Omit<ObjectiveOptions, 'onIteration'>;
}

export type FitAnswer = { id: number } & ({ solved: Solved } | { failed: string });

/** Numbers that a pass over the features multiplies; below, a thread costs more than it brings. */
const WORTH_A_THREAD = 2_000_000;

interface Thread {
  worker: Worker;
  /** Fits under way in it. */
  tasks: Map<number, { resolve: (solved: Solved) => void; reject: (error: Error) => void }>;
}

const threads: Thread[] = [];
let last = 0;

/** The same, in memory that threads see without a copy. */
export function shared(problem: ProblemOptions): ProblemOptions {
  const { features, y } = problem;
  if (!isWorthIt(problem)) return problem;
  return {
    ...problem,
    y: sharedArray(y, Int32Array),
    features: {
      ...features,
      offsets: sharedArray(features.offsets, Int32Array),
      indices: sharedArray(features.indices, Int32Array),
      values: sharedArray(features.values, Float32Array),
    },
  };
}

function sharedArray<T extends Int32Array | Float32Array>(values: T, Kind: new (buffer: SharedArrayBuffer) => T): T {
  const out = new Kind(new SharedArrayBuffer(values.byteLength));
  out.set(values);
  return out;
}

function isWorthIt({ features, classes }: ProblemOptions): boolean {
  return features.values.length * lanesOf(classes).lanes >= WORTH_A_THREAD && availableParallelism() > 1;
}

/** `solve` in the thread with the least to do. @param problem as `shared` gives it */
export function solveInThread(problem: ProblemOptions, options: FitTask['options']): Promise<Solved> {
  if (!isWorthIt(problem)) return solve(problem, options);
  const [least] = [...threads].sort((a, b) => a.tasks.size - b.tasks.size);
  const mayStart = threads.length < availableParallelism();
  const thread = least && (least.tasks.size === 0 || !mayStart) ? least : startThread();
  last += 1;
  const id = last;
  return new Promise((resolve, reject) => {
    thread.tasks.set(id, { resolve, reject });
    thread.worker.ref();
    thread.worker.postMessage({ id, problem, options } satisfies FitTask);
  });
}

function startThread(): Thread {
  const worker = new Worker(new URL('./fit-thread.js', import.meta.url), {
    execArgv: ['--enable-source-maps'], // not those of this process, which may not be for threads
  });
  const thread: Thread = { worker, tasks: new Map() };
  const settle = (id: number) => {
    const task = thread.tasks.get(id);
    thread.tasks.delete(id);
    if (thread.tasks.size === 0) worker.unref();
    return task;
  };
  worker.on('message', (answer: FitAnswer) => {
    if ('solved' in answer) settle(answer.id)?.resolve(answer.solved);
    else settle(answer.id)?.reject(new Error(answer.failed));
  });
  const end = (reason: string) => {
    const place = threads.indexOf(thread);
    if (place >= 0) threads.splice(place, 1);
    for (const id of [...thread.tasks.keys()])
      settle(id)?.reject(new Error(`A thread that fits heads ended: ${reason}.`));
  };
  worker.on('error', (error) => end(error instanceof Error ? error.message : String(error)));
  worker.on('exit', (code) => end(`code ${code}`));
  worker.unref();
  threads.push(thread);
  return thread;
}
