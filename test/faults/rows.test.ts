/** The short form of every row of `npm run test:faults`. */
import t from 'tap';
import { loadRows } from './rows.js';

for (const [key, row] of await loadRows()) {
  t.test(`${row.name}: ${row.goal}`, async (t) => {
    const figures = await row.run({ long: false, seed: 1, log: (line) => t.comment(`${key}: ${line}`) });
    if (figures.length === 0) t.pass('tried', { skip: 'it cannot be tried here; the comment says why' });
    for (const { name, value, goal, unit = '', reached } of figures) {
      t.ok(reached, `${name}: ${value} ${unit} (goal ${goal} ${unit})`);
    }
  });
}
