import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import t from 'tap';
import { PACKAGE_ROOT } from '../../src/config.js';

function start(env: NodeJS.ProcessEnv) {
  return spawnSync(process.execPath, [join(PACKAGE_ROOT, 'build', 'src', 'bin', 'server.js')], {
    env: { ...process.env, NODE_OPTIONS: '', REDIS_URL: 'redis://127.0.0.1:1', PORT: '0', ...env },
    encoding: 'utf8',
    timeout: 60_000,
  });
}

t.test('without keys no address but loopback is listened on', (t) => {
  for (const HOST of ['0.0.0.0', '::']) {
    const refused = start({ HOST, API_KEYS: '' });
    t.equal(refused.status, 1, HOST);
    t.match(refused.stderr, `HOST=${HOST}: without an API key Graft listens on loopback only`);
    t.notMatch(refused.stderr, /\n\s+at /, 'a sentence, not a stack');
  }
  t.end();
});

t.test('wrong settings are named all at once, and a wrong key is not shown', (t) => {
  const { status, stderr } = start({ API_KEYS: 'alice:secret-in-clear', PORT: 'eighty', LOG_LEVEL: 'loud' });
  t.equal(status, 1);
  for (const name of ['API_KEYS', 'PORT', 'LOG_LEVEL']) t.match(stderr, name);
  t.notMatch(stderr, 'secret-in-clear');
  t.end();
});
