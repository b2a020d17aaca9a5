import t from 'tap';
import { LearningRates } from '../../src/heads/learning-rates.js';

t.test('constant stays, a cosine falls to nothing', (t) => {
  const constant = new LearningRates({ rate: 0.1, schedule: 'constant', epochs: 4 });
  constant.observe(1);
  constant.observe(2);
  constant.observe(3);
  t.same([constant.at(1, 0), constant.at(4, 0.9)], [0.1, 0.1]);
  const cosine = new LearningRates({ rate: 0.1, schedule: 'cosine', epochs: 4 });
  t.equal(cosine.at(1, 0), 0.1);
  t.ok(Math.abs(cosine.at(3, 0) - 0.05) < 1e-12, 'half of it half-way');
  t.ok(cosine.at(4, 1) < 1e-12);
  t.ok(cosine.at(9, 0) < 1e-12, 'and no further');
  t.end();
});

t.test('a plateau of two epochs takes the rate to a fifth, again and again, down to a thousandth', (t) => {
  const rates = new LearningRates({ rate: 1, schedule: 'plateau', epochs: 30 });
  const seen: number[] = [];
  for (const [i, loss] of [3, 2, 2, 2.5, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1].entries()) {
    seen.push(rates.at(i + 1, 0));
    rates.observe(loss);
  }
  const expected = [1, 1, 1, 1, 0.2, 0.2, 0.2, 0.04, 0.04, 0.008, 0.008, 0.0016, 0.0016, 0.001, 0.001];
  for (const [i, rate] of expected.entries()) t.ok(Math.abs(seen[i]! - rate) < 1e-9, `epoch ${i + 1}: ${seen[i]}`);
  t.same(rates.taken, seen);
  const again = new LearningRates({ rate: 1, schedule: 'plateau', epochs: 30, given: seen });
  t.same(
    seen.map((_, i) => again.at(i + 1, 0.5)),
    seen,
    'a fit without validation takes them as they were',
  );
  t.end();
});
