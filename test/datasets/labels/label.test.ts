import t from 'tap';
import { labelFault, normalise } from '../../../src/datasets/labels/label.js';

t.test('any name can be a label', (t) => {
  for (const label of ['__proto__', 'constructor', 'CON', 'dot.', ' x', '🐈‍⬛', 'a b', 'x'.repeat(200), '0']) {
    t.equal(labelFault(label), undefined, label);
  }
  t.end();
});

t.test('empty, endless and control characters are refused', (t) => {
  for (const label of ['', '  ', 'x'.repeat(201), 'a\tb', 'a\u0007', 'a\u0085']) {
    t.match(labelFault(label), { code: 'bad_label', reason: String }, JSON.stringify(label));
  }
  t.end();
});

t.test('two Unicode forms of one name are one', (t) => {
  t.equal(normalise('cafe\u0301'), normalise('caf\u00e9'));
  t.end();
});
