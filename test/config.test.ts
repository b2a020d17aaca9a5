import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import t from 'tap';
import { TENANT_SCOPES } from '../src/access/scopes.js';
import { ConfigSchema, isLoopback, loadConfig, unknownSettings, PACKAGE_ROOT, settingsTable } from '../src/config.js';
import { AppError } from '../src/errors.js';

const SHA = 'a'.repeat(64);

function faultsOf(env: NodeJS.ProcessEnv): string[] {
  try {
    loadConfig(env);
  } catch (error) {
    if (error instanceof AppError && error.code === 'config_invalid') return error.details.faults as string[];
    throw error;
  }
  return [];
}

t.test('nothing set gives the defaults, with whole paths', (t) => {
  const config = loadConfig({});
  t.match(config, { HOST: '127.0.0.1', PORT: 8080, LOG_LEVEL: 'info', API_KEYS: [], REDIS_URL: '' });
  t.equal(config.DATA_DIR, resolve('data'));
  t.equal(config.CACHE_DIR, resolve('data', 'cache'));
  t.equal(config.MODELS_DIR, join(PACKAGE_ROOT, 'models'));
  t.equal(config.BACKBONE_THREADS, availableParallelism());
  t.end();
});

t.test('a setting that is empty or blank counts as not set', (t) => {
  t.match(loadConfig({ PORT: '', LOG_LEVEL: ' ', HOST: '' }), { PORT: 8080, LOG_LEVEL: 'info', HOST: '127.0.0.1' });
  t.end();
});

t.test('values are read as what they are', (t) => {
  const config = loadConfig({ PORT: ' 0 ', MAX_UPLOAD_BYTES: '1000', DATA_DIR: '/srv/x', CACHE_DIR: '/srv/c' });
  t.match(config, { PORT: 0, MAX_UPLOAD_BYTES: 1000, DATA_DIR: '/srv/x', CACHE_DIR: '/srv/c' });
  t.end();
});

t.test('all faults are reported at once, each with its name, value and what was expected', (t) => {
  const faults = faultsOf({ PORT: '70000', LOG_LEVEL: 'loud', WORKER_CONCURRENCY: 'many', CORS_ORIGINS: '*' });
  t.equal(faults.length, 4);
  t.match(faults.join('\n'), /PORT="70000": expected a whole number, 0 to 65535/);
  t.match(faults.join('\n'), /LOG_LEVEL="loud": expected one of trace, .*silent/);
  t.match(faults.join('\n'), /WORKER_CONCURRENCY="many": expected a whole number/);
  t.match(faults.join('\n'), /CORS_ORIGINS="\*"/);
  t.end();
});

t.test('numbers outside their bounds, or not whole, or in another notation, are refused and never cut', (t) => {
  for (const value of ['-1', '65536', '80.5', '1e3', '0x50', '80 81', 'NaN', 'true']) {
    t.equal(faultsOf({ PORT: value }).length, 1, value);
  }
  for (const value of ['0', '-5', '1e9', '1_000']) t.equal(faultsOf({ MAX_UPLOAD_BYTES: value }).length, 1, value);
  t.end();
});

t.test('a time that a timer cannot hold is refused, for it would end at once', (t) => {
  for (const name of ['JOB_TIMEOUT_SECONDS', 'SHUTDOWN_SECONDS', 'REQUEST_TIMEOUT_SECONDS']) {
    t.equal(faultsOf({ [name]: '2147484' }).length, 1, name);
    t.equal(faultsOf({ [name]: '2147483' }).length, 0, name);
  }
  t.end();
});

t.test('which addresses are loopback', (t) => {
  for (const host of ['0.0.0.0', '::', '192.168.1.2', 'example.org', '127.0.0.1.example.org']) {
    t.notOk(isLoopback(host), host);
  }
  for (const host of ['127.0.0.1', '127.1.2.3', 'localhost', '::1']) t.ok(isLoopback(host), host);
  t.end();
});

t.test('hosts and origins are lists, in small letters', (t) => {
  const { ALLOWED_HOSTS, CORS_ORIGINS } = loadConfig({
    ALLOWED_HOSTS: ' Graft.lan, *.example.com',
    CORS_ORIGINS: 'https://App.example.com, http://localhost:3000',
  });
  t.same(ALLOWED_HOSTS, ['graft.lan', '*.example.com']);
  t.same(CORS_ORIGINS, ['https://app.example.com', 'http://localhost:3000']);
  for (const CORS_ORIGINS of ['*', 'app.example.com', 'https://a.com/path', 'ftp://a.com']) {
    t.equal(faultsOf({ CORS_ORIGINS }).length, 1, CORS_ORIGINS);
  }
  for (const BASE_PATH of ['graft', '/graft/', '/', '//x', '/a b'])
    t.equal(faultsOf({ BASE_PATH }).length, 1, BASE_PATH);
  t.end();
});

t.test('API keys are taken apart, spaces and a last comma are no matter', (t) => {
  const other = 'b'.repeat(64);
  t.same(loadConfig({ API_KEYS: ` ada:${SHA} , bob-2:${other}:predict, ` }).API_KEYS, [
    { tenant: 'ada', sha256: SHA, scopes: TENANT_SCOPES },
    { tenant: 'bob-2', sha256: other, scopes: ['predict'] },
  ]);
  for (const API_KEYS of [
    'secret',
    `Ada:${SHA}`,
    `../x:${SHA}`,
    `:${SHA}`,
    'ada:abc',
    `ada:${SHA} bob:${SHA}`,
    `ada:${SHA}:all`,
  ]) {
    t.equal(faultsOf({ API_KEYS }).length, 1, API_KEYS);
  }
  t.end();
});

t.test('a message about a secret does not repeat it', (t) => {
  const faults = faultsOf({ API_KEYS: 'my-very-secret-key', REDIS_URL: 'http://user:password@redis' });
  t.equal(faults.length, 2);
  t.notMatch(faults.join(), /my-very-secret-key|password@/);
  t.end();
});

t.test('Redis is reached by redis, rediss or unix', (t) => {
  for (const REDIS_URL of ['redis://localhost:6379/1', 'rediss://:p@host', 'unix:///run/redis.sock']) {
    t.equal(loadConfig({ REDIS_URL }).REDIS_URL, REDIS_URL);
  }
  t.equal(faultsOf({ REDIS_URL: 'localhost:6379' }).length, 1);
  t.end();
});

t.test('the table of settings has one row for each', (t) => {
  const rows = settingsTable().split('\n').slice(2);
  t.equal(rows.length, Object.keys(ConfigSchema.properties).length);
  t.match(rows[0], /^\| `HOST` \| `127\.0\.0\.1` \| .+ \|$/);
  t.end();
});

t.test('a name that looks like a setting and is none is told, with the one that was meant', (t) => {
  const found = (env: NodeJS.ProcessEnv) => unknownSettings(env).join(' ');
  t.match(found({ MAX_UPLOAD_BYTE: '1' }), /MAX_UPLOAD_BYTE is no setting .* MAX_UPLOAD_BYTES is one/);
  t.match(found({ GRAFT_PORT: '1' }), /GRAFT_PORT is no setting .* PORT is one/);
  t.match(found({ default_backbone: 'x' }), /DEFAULT_BACKBONE is one/);
  t.equal(
    found({ PORT: '1', HOSTNAME: 'x', HOME: '/', PATH: '', GRAFT_URL: 'x', XDG_DATA_DIRS: 'x', LOGNAME: 'x' }),
    '',
  );
  t.end();
});
