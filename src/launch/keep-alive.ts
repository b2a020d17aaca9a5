import { setTimeout as sleep } from 'node:timers/promises';
import { AppError } from '../errors.js';

/** A part that dies within this time of its start dies quickly; this many quick deaths in a row are enough. */
const QUICK_DEATH_MS = 10_000;
const QUICK_DEATHS = 5;

/** How a part ended, and the last it said. */
export interface Death {
  reason: string;
  said: string;
}

export interface KeepAliveOptions {
  /** What it is called in a sentence. */
  name: string;
  /** Runs it until it ends. */
  run: () => Promise<Death>;
  /** Aborted when its end is wanted. */
  signal: AbortSignal;
  onNote: (sentence: string) => void;
  /** First pause before it runs again; doubled with each quick death. */
  backoffMs: number;
}

/**
 * Run something again and again until its end is wanted.
 * @throws AppError `process_failed` after five quick deaths in a row.
 */
export async function keepAlive({ name, run, signal, onNote, backoffMs }: KeepAliveOptions): Promise<void> {
  for (let quickDeaths = 0; !signal.aborted; ) {
    const started = Date.now();
    const { reason, said } = await run();
    if (signal.aborted) return;
    quickDeaths = Date.now() - started < QUICK_DEATH_MS ? quickDeaths + 1 : 0;
    if (quickDeaths === QUICK_DEATHS) {
      throw new AppError(
        'process_failed',
        `The ${name} died ${QUICK_DEATHS} times in a row, the last time: ${reason}.`,
        {
          details: { said },
        },
      );
    }
    onNote(`The ${name} died (${reason}); starting it again.`);
    await sleep(backoffMs * 2 ** quickDeaths, undefined, { signal }).catch(() => {}); // aborted: the loop ends
  }
}
