/**
 * The short form of rows of `npm run test:faults`; those that take long or lean on timing are left to
 * `npm run test:faults -- --short`, and what they try has tests in test/flows/jobs.test.ts besides.
 */
import pLimit from 'p-limit';
import t from 'tap';
import { loadRows } from './rows.js';

const LEFT_OUT = ['accepted-jobs', 'cancel', 'exactly-once', 'overload', 'poison-job', 'sigterm'];
/** Most rows wait for something most of the time. */
const AT_ONCE = pLimit(2);

const rows = [...(await loadRows())];
for (const [key, { name }] of rows) {
  if (LEFT_OUT.includes(key))
    t.test(
      `${name}: npm run test:faults -- --short --only ${key}`,
      { skip: 'long, or leaning on timing' },
      () => undefined,
    );
}
const running = rows
  .filter(([key]) => !LEFT_OUT.includes(key))
  .map(([key, row]) => {
    const lines: string[] = [];
    const figures = AT_ONCE(() => row.run({ long: false, seed: 1, log: (line) => void lines.push(`${key}: ${line}`) }));
    figures.catch(() => undefined);
    return { row, lines, figures };
  });
for (const { row, lines, figures } of running) {
  t.test(`${row.name}: ${row.goal}`, async (t) => {
    try {
      const found = await figures;
      if (found.length === 0) t.pass('tried', { skip: 'it cannot be tried here; the comment says why' });
      for (const { name, value, goal, unit = '', reached } of found) {
        t.ok(reached, `${name}: ${value} ${unit} (goal ${goal} ${unit})`);
      }
    } finally {
      for (const line of lines) t.comment(line);
    }
  });
}
