import { createHash } from 'node:crypto';
import t from 'tap';
import { apiKeys } from '../../src/access/api-keys.js';

const sha256 = (key: string) => createHash('sha256').update(key).digest('hex');
const HINT = '`X-Key: <key>`';

t.test('a key stands for its tenant and for a name that does not tell it', (t) => {
  const identify = apiKeys([
    { tenant: 'alice', sha256: sha256('one') },
    { tenant: 'alice', sha256: sha256('two') },
    { tenant: 'bob', sha256: sha256('three') },
  ]);
  const [one, two, three] = ['one', 'two', 'three'].map((key) => identify(key, HINT));
  t.same([one!.tenant, two!.tenant, three!.tenant], ['alice', 'alice', 'bob']);
  const names = [one!.by, two!.by, three!.by];
  t.equal(new Set(names).size, 3, 'each key has its own');
  for (const name of names) t.match(name, /^[0-9a-f]{16}$/);
  t.notOk(names.some((name) => sha256('one').includes(name)));
  t.same(identify('one', HINT), one);
  t.same(
    apiKeys([{ tenant: 'alice', sha256: sha256('one') }])('one', HINT),
    one,
    'and it is the same in every process',
  );
  t.end();
});

t.test('no key and a wrong key are refused, each in its own words', (t) => {
  const identify = apiKeys([{ tenant: 'alice', sha256: sha256('one') }]);
  t.throws(() => identify(undefined, HINT), { code: 'unauthorized', message: /send it as `X-Key: <key>`/ });
  for (const wrong of ['two', '', sha256('one'), 'alice']) {
    t.throws(() => identify(wrong, HINT), { code: 'unauthorized', message: 'This API key is not known.' });
  }
  t.end();
});

t.test('without keys everybody is the local caller', (t) => {
  const identify = apiKeys([]);
  for (const key of [undefined, '', 'any']) t.same(identify(key, HINT), { tenant: 'default', by: 'local' });
  t.end();
});
