import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { prepareDataFolder } from '../../src/storage/data-folder.js';

t.test('a data folder that is missing is made, with those above it; one that is there stays', async (t) => {
  const path = join(t.testdir(), 'a', 'b', 'c');
  await Promise.all([prepareDataFolder(path), prepareDataFolder(path)]);
  t.ok(statSync(path).isDirectory());
  await t.resolves(prepareDataFolder(path));
});

t.test('a data folder that cannot be made is refused with a sentence, and at once', async (t) => {
  const file = join(t.testdir(), 'file');
  writeFileSync(file, '');
  for (const path of [file, join(file, 'below'), '/dev/null/x']) {
    await t.rejects(prepareDataFolder(path), { code: 'config_invalid', message: /DATA_DIR=.* cannot be used \(E/ });
  }
});

t.test(
  'a folder below /proc is refused, too',
  { skip: process.platform === 'linux' ? false : 'there is no /proc on this system' },
  async (t) => {
    await t.rejects(prepareDataFolder('/proc/graft/data'), { code: 'config_invalid' });
  },
);
