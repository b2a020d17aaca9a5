import { createHash } from 'node:crypto';
import t from 'tap';
import { type ApiKey, parseApiKeys } from '../../src/access/api-key.js';
import { KeyRing } from '../../src/access/key-ring.js';
import { ALL_SCOPES, TENANT_SCOPES } from '../../src/access/scopes.js';

const sha256 = (key: string) => createHash('sha256').update(key).digest('hex');
const apiKeys = (keys: Pick<ApiKey, 'tenant' | 'sha256'>[] | undefined) => {
  const ring = new KeyRing({ keys: keys?.map((key) => ({ scopes: TENANT_SCOPES, ...key })) });
  return ring.identify.bind(ring);
};
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
  const identify = apiKeys(undefined);
  const local = { tenant: 'default', by: 'local', scopes: new Set(ALL_SCOPES) };
  for (const key of [undefined, '', 'any']) t.same(identify(key, HINT), local);
  t.throws(() => apiKeys([])(undefined, HINT), { code: 'unauthorized' }, 'a ring whose last key is gone is not open');
  t.end();
});

t.test('a key may do what it is told to, by default everything within its tenant', (t) => {
  const [digest, other] = [sha256('one'), sha256('two')];
  t.same(parseApiKeys(` alice:${digest} , bob:${other}:operator+read`), [
    { tenant: 'alice', sha256: digest, scopes: TENANT_SCOPES },
    { tenant: 'bob', sha256: other, scopes: ['operator', 'read'] },
  ]);
  const ring = new KeyRing({ keys: [{ tenant: 'a', sha256: digest, scopes: ['predict'], models: ['cats'] }] });
  const { scopes, models } = ring.identify('one', HINT);
  t.same([[...scopes], [...models!]], [['predict'], ['cats']]);
  t.notOk(TENANT_SCOPES.includes('operator'));
  t.end();
});

t.test('keys are replaced while the ring is used, and each use is told', (t) => {
  const used: string[] = [];
  const ring = new KeyRing({
    keys: [{ tenant: 'a', sha256: sha256('one'), scopes: TENANT_SCOPES }],
    onUse: (by) => used.push(by),
  });
  const { by } = ring.identify('one', HINT);
  t.same([used, ring.open, ring.tenants], [[by], false, 1]);
  ring.replace([
    { tenant: 'a', sha256: sha256('two'), scopes: TENANT_SCOPES },
    { tenant: 'b', sha256: sha256('three'), scopes: TENANT_SCOPES },
  ]);
  t.throws(() => ring.identify('one', HINT), { code: 'unauthorized' });
  t.equal(ring.identify('two', HINT).tenant, 'a');
  t.same([used.length, ring.tenants], [2, 2]);
  ring.replace(undefined);
  t.ok(ring.open);
  t.end();
});
