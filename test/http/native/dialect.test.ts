import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { PACKAGE_ROOT } from '../../../src/config.js';

t.test('every file of routes has a test that asks them by injection', (t) => {
  const routes = join(PACKAGE_ROOT, 'src', 'http', 'native');
  const files = readdirSync(routes).filter((file) =>
    /\bapp\.(get|post|put|delete)\(/.test(readFileSync(join(routes, file), 'utf8')),
  );
  t.ok(files.length > 5);
  const tests = join(PACKAGE_ROOT, 'test', 'http', 'native');
  t.same(
    files.filter((file) => !existsSync(join(tests, file.replace('.ts', '.test.ts')))),
    [],
  );
  t.end();
});
