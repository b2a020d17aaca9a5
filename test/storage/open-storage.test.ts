import { existsSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { openStorage } from '../../src/storage/open-storage.js';

t.test('a data folder is made where it is missing, and what was left half-written is swept', async (t) => {
  const root = t.testdir({ data: { '.tmp': { left: 'x' }, kept: 'y' } });
  const { storage, maintenance, temporaryFolder } = await openStorage({ DATA_DIR: join(root, 'data') });
  t.equal((await storage.head('kept'))?.bytes, 1);
  t.same((await maintenance.topNames()).sort(), ['.tmp', 'kept']);
  t.ok(existsSync(join(temporaryFolder, 'left')));
  t.same(await maintenance.leftovers(60_000), []);
  t.same(await maintenance.leftovers(-1), ['left']);
  t.equal(await maintenance.sweep(-1), 1);
  t.notOk(existsSync(join(temporaryFolder, 'left')));
  await openStorage({ DATA_DIR: join(root, 'new') });
  t.ok(existsSync(join(root, 'new')));
});

t.test('whoever only looks makes no folder', async (t) => {
  const DATA_DIR = join(t.testdir(), 'none');
  await t.rejects(openStorage({ DATA_DIR }, { mustExist: true }), {
    code: 'config_invalid',
    message: /There is no data folder/,
  });
  t.notOk(existsSync(DATA_DIR));
});
