import { setImmediate as turn } from 'node:timers/promises';
import t from 'tap';
import { MemoryStorage } from '../helpers/memory-storage.js';
import { storageSuite } from './contract.js';

storageSuite(t, () => new MemoryStorage());

t.test('a deletion takes key by key away, and lists say what is left', async (t) => {
  const storage = new MemoryStorage({ seed: 7 });
  for (const name of ['a', 'b', 'c', 'd']) await storage.put(`m/${name}`, '');
  let done = false;
  const deleting = storage.delete('m').then(() => {
    done = true;
  });
  const seen = new Set<number>();
  while (!done) {
    seen.add(storage.keys().length);
    await turn();
  }
  await deleting;
  t.same([...seen].sort().reverse().slice(0, 4), [4, 3, 2, 1]);
});
