import { once, EventEmitter } from 'node:events';
import { readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { newKey } from '../../src/access/api-key.js';
import { changeKeyFile, makeFirstKey, type NamedKey, readKeyFile, watchKeyFile } from '../../src/access/key-file.js';
import { ALL_SCOPES } from '../../src/access/scopes.js';

const fileIn = (t: Test) => join(t.testdir({}), 'sub', 'keys.json');
const named = (name: string): NamedKey => ({
  name,
  tenant: 'default',
  sha256: newKey().sha256,
  scopes: ['read'],
  created_at: new Date().toISOString(),
});

t.test('the first key is made once, by whichever of many comes first', async (t) => {
  const path = fileIn(t);
  t.equal(await readKeyFile(path), undefined);
  const made = await Promise.all(Array.from({ length: 8 }, () => makeFirstKey(path)));
  t.equal(made.filter((key) => key !== undefined).length, 1);
  const keys = await readKeyFile(path);
  t.match(keys, [{ name: 'first', tenant: 'default', scopes: ALL_SCOPES }]);
  t.equal((await stat(path)).mode & 0o777, 0o600);
  t.notOk(JSON.stringify(keys).includes(made.find(Boolean)!), 'it keeps a digest only');
  t.same(await readdir(join(path, '..')), ['keys.json'], 'nothing is left beside it');
});

t.test('of changes at the same time none is lost', async (t) => {
  const path = fileIn(t);
  const names = Array.from({ length: 20 }, (_, i) => `key-${i}`);
  await Promise.all(names.map((name) => changeKeyFile(path, (keys) => [...keys, named(name)])));
  t.same((await readKeyFile(path))!.map(({ name }) => name).sort(), [...names].sort());
  await changeKeyFile(path, () => []);
  t.same(await readKeyFile(path), [], 'no key is left, and the file stays: nobody may enter');
});

t.test('a watcher tells of every change, and of a file that it cannot read', async (t) => {
  const path = fileIn(t);
  const heard = new EventEmitter();
  const stop = watchKeyFile(
    path,
    (keys) =>
      heard.emit(
        'keys',
        keys?.map(({ name }) => name),
      ),
    (error) => heard.emit('fault', error),
  );
  const alive = setInterval(() => undefined, 1000); // the watcher alone keeps no process running
  t.teardown(() => {
    clearInterval(alive);
    stop();
  });
  t.same(await once(heard, 'keys'), [undefined], 'there is none');
  await changeKeyFile(path, () => [named('one')]);
  t.same(await once(heard, 'keys'), [['one']]);
  await writeFile(`${path}.new`, '{ broken');
  await rename(`${path}.new`, path);
  t.match(await once(heard, 'fault'), [{ code: 'config_invalid', message: /it is not JSON/ }]);
  await rm(path);
  t.same(await once(heard, 'keys'), [undefined]);
});

t.test('what is no key file is refused, and says why', async (t) => {
  const path = join(t.testdir({}), 'keys.json');
  const good = named('one');
  const faults: [unknown, RegExp][] = [
    [[], /"format": 1/],
    [{ format: 2, keys: [] }, /"format": 1/],
    [{ format: 1, keys: [{ ...good, name: undefined }] }, /key 1 has no name/],
    [{ format: 1, keys: [good, { ...good, sha256: 'abc' }] }, /key 2 has no sha256/],
    [{ format: 1, keys: [{ ...good, tenant: '../x' }] }, /has no tenant/],
    [{ format: 1, keys: [{ ...good, scopes: ['everything'] }] }, /scopes other than predict/],
    [{ format: 1, keys: [{ ...good, models: 'cats' }] }, /models that are no names/],
    [{ format: 1, keys: [null] }, /key 1 has no name/],
  ];
  for (const [value, message] of faults) {
    await writeFile(path, JSON.stringify(value));
    await t.rejects(readKeyFile(path), { code: 'config_invalid', message });
  }
});
