/** The short form of every row of `npm run test:faults`. */
import pLimit from 'p-limit';
import t from 'tap';
import { loadRows } from './rows.js';

/** Most rows wait for something most of the time. */
const AT_ONCE = pLimit(2);

const running = [...(await loadRows())].map(([key, row]) => {
  const lines: string[] = [];
  const figures = AT_ONCE(async () => {
    const began = performance.now();
    const found = await row.run({ long: false, seed: 1, log: (line) => void lines.push(`${key}: ${line}`) });
    lines.push(`${key}: ${((performance.now() - began) / 1000).toFixed(0)} s`);
    return found;
  });
  figures.catch(() => undefined);
  return { row, lines, figures };
});
for (const { row, lines, figures } of running) {
  t.test(`${row.name}: ${row.goal}`, async (t) => {
    try {
      const found = await figures;
      if (found.length === 0) t.pass('tried', { skip: 'not tried here; the comment says why' });
      for (const { name, value, goal, unit = '', reached } of found) {
        t.ok(reached, `${name}: ${value} ${unit} (goal ${goal} ${unit})`);
      }
    } finally {
      for (const line of lines) t.comment(line);
    }
  });
}
