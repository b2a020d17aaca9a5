import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { loadConfig, PACKAGE_ROOT } from '../../src/config.js';

const keys = (words: string[], env: NodeJS.ProcessEnv = {}) =>
  promisify(execFile)(process.execPath, [join(PACKAGE_ROOT, 'build/src/keys.js'), ...words], {
    env: { ...process.env, API_KEYS: '', ...env },
  });

t.test('a key is random, and its line is what the settings take', async (t) => {
  const { stdout } = await keys(['--tenant', 'acme']);
  const key = stdout.match(/^ {2}(graft_[\w-]{43})$/m)![1]!;
  const sha256 = createHash('sha256').update(key).digest('hex');
  const API_KEYS = stdout.match(/API_KEYS=(.*)/)![1]!;
  t.same(loadConfig({ API_KEYS, HOST: '0.0.0.0' }).API_KEYS, [{ tenant: 'acme', sha256 }]);
  t.notMatch((await keys(['--tenant', 'acme'])).stdout, key);
});

t.test('keys that are set already stay in the line', async (t) => {
  const before = `default:${'0'.repeat(64)}`;
  const { stdout } = await keys([], { API_KEYS: before });
  t.match(loadConfig({ API_KEYS: stdout.match(/API_KEYS=(.*)/)![1]! }).API_KEYS, [{ sha256: '0'.repeat(64) }, {}]);
});

t.test('a tenant that cannot be, and words that are not understood, are refused', async (t) => {
  await t.rejects(keys(['--tenant', '../x']), { code: 1, stderr: /A tenant is named/ });
  await t.rejects(keys(['--what']), { code: 1, stderr: /Usage/ });
});
