import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { getPriority } from 'node:os';
import { Worker } from 'node:worker_threads';
import t from 'tap';
import { standBack } from '../../src/jobs/stand-back.js';

const linux = { skip: existsSync('/proc/self/task') ? false : 'there is no /proc' };

t.test('all threads stand back, those that come later too', linux, async (t) => {
  await readFile(import.meta.filename); // threads of the pool run already
  const nice = Math.min(19, getPriority() + 5);
  standBack(nice);
  const later = new Worker('setTimeout(() => {}, 60_000)', { eval: true });
  await once(later, 'online');
  const threads = readdirSync('/proc/self/task').map(Number);
  t.ok(threads.length > 2);
  t.same(
    threads.filter((thread) => getPriority(thread) !== nice),
    [],
  );
  standBack(0);
  t.equal(getPriority(), nice, 'a process that stands back further stays where it is');
  await later.terminate();
});
