import t from 'tap';
import { ByteBudget } from '../../src/http/byte-budget.js';

t.test('requests share the budget; what one gives back the next may take', (t) => {
  const budget = new ByteBudget(100);
  const [one, two] = [budget.open(), budget.open()];
  one.take(60);
  two.take(40);
  t.throws(() => two.take(1), { code: 'overloaded' });
  one.close();
  two.take(60);
  one.close(); // once is enough
  t.throws(() => two.take(1), { code: 'overloaded' });
  two.close();
  budget.open().take(100);
  t.end();
});
