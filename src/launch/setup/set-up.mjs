import { takeLock } from './lock.mjs';
import { command } from './run.mjs';

/** A set-up that cannot go on; its message is all that the user is told. */
export class SetupError extends Error {}

/**
 * Do the steps that are needed, in order, one set-up of this folder at a time.
 * A step is `{needed(): boolean, title: string, run(command): Promise<void>}`. Progress goes to standard error, so that standard
 * output belongs to what is started.
 */
export async function setUp({ root, steps }) {
  if (!steps.some((step) => step.needed())) return;
  const lock = await takeLock(root, (pid) => say(`Waiting for another set-up (process ${pid}).\n`));
  try {
    for (const step of steps) {
      if (!step.needed()) continue; // another set-up may have done it meanwhile
      const started = Date.now();
      say(`${step.title} … `);
      try {
        await step.run((words, options) => command(words, { ...options, onStart: lock.share }));
        say(`${Math.max(1, Math.round((Date.now() - started) / 1000))} s\n`);
      } catch (error) {
        say('failed\n');
        throw error;
      }
    }
  } finally {
    lock.release();
  }
}

function say(text) {
  process.stderr.write(text);
}
