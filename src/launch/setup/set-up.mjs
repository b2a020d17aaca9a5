import { takeLock } from './lock.mjs';
import { command } from './run.mjs';

/** A set-up that cannot go on; its message is all that the user is told. */
export class SetupError extends Error {}

/**
 * Do the steps that are needed, in order, one set-up of this folder at a time.
 * A step is `{needed(): boolean, title: string, run(command): Promise<void>, note?: string, progress?(): string}`; the notes
 * come before everything. Progress goes to standard error, so that standard
 * output belongs to what is started.
 */
export async function setUp({ root, steps }) {
  const needed = steps.filter((step) => step.needed());
  if (needed.length === 0) return;
  const notes = needed.flatMap((step) => step.note ?? []);
  if (notes.length > 0) say(`${notes.join('\n')}\n`);
  const lock = await takeLock(root, (pid) => say(`Waiting for another set-up (process ${pid}).\n`));
  try {
    for (const step of steps) {
      if (!step.needed()) continue; // another set-up may have done it meanwhile
      const started = Date.now();
      const seconds = () => Math.max(1, Math.round((Date.now() - started) / 1000));
      say(`${step.title} … `);
      const moving = showThatItMoves(step, seconds);
      try {
        await step.run((words, options) => command(words, { ...options, onStart: lock.share }));
        moving.stop();
        say(`${seconds()} s\n`);
      } catch (error) {
        moving.stop();
        say('failed\n');
        throw error;
      }
    }
  } finally {
    lock.release();
  }
}

/** In a terminal the line is written anew every second; in a log a dot comes every ten. */
function showThatItMoves(step, seconds) {
  const { isTTY } = process.stderr;
  const tick = isTTY
    ? () => say(`\r${step.title} … ${seconds()} s${step.progress ? `, ${step.progress()}` : ''} `)
    : () => say('.');
  const timer = setInterval(tick, isTTY ? 1000 : 10_000);
  return {
    stop() {
      clearInterval(timer);
      if (isTTY) say(`\r\x1b[K${step.title} … `);
    },
  };
}

function say(text) {
  process.stderr.write(text);
}
