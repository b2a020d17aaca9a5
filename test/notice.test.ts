/** NOTICE names the license of every package that is shipped. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { PACKAGE_ROOT } from '../src/config.js';

const read = (name: string) => readFileSync(join(PACKAGE_ROOT, name), 'utf8');

t.test('each direct dependency stands in NOTICE with its license, and each license of the others is named', (t) => {
  const notice = read('NOTICE');
  const { dependencies, optionalDependencies } = JSON.parse(read('package.json'));
  const { packages } = JSON.parse(read('package-lock.json')) as {
    packages: Record<string, { license?: string; dev?: boolean }>;
  };
  for (const name of Object.keys({ ...dependencies, ...optionalDependencies })) {
    const line = `| ${name} | ${packages[`node_modules/${name}`]!.license} |`;
    t.ok(notice.includes(line), line);
  }
  const licenses = Object.entries(packages).flatMap(([path, { license, dev }]) =>
    path === '' || dev ? [] : (license ?? `unknown, of ${path}`).split(/ (?:AND|OR) |[()]/).filter(Boolean),
  );
  const free = new Set(licenses);
  free.delete('CC0-1.0'); // only as a choice beside MIT
  t.same(
    [...free].filter((license) => !notice.includes(license)),
    [],
  );
  t.end();
});
