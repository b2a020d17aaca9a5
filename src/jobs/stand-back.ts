import { readdirSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';

/**
 * Lower the priority of this process, so that others on the same cores go first; never raises it. On Linux priority belongs
 * to threads: those that run already are each lowered, those that come later inherit it.
 * @param nice 0 to 19, the most modest
 */
export function standBack(nice: number): void {
  for (const thread of threads()) {
    try {
      if (getPriority(thread) < nice) setPriority(thread, nice);
    } catch (error) {
      if (!String(error).includes('ESRCH')) throw error; // it has ended meanwhile
    }
  }
}

/** Numbers of the threads of this process; 0 stands for all where the system keeps none. */
function threads(): number[] {
  try {
    return readdirSync('/proc/self/task').map(Number);
  } catch {
    return [0];
  }
}
