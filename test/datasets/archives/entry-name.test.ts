import * as fc from 'fast-check';
import t from 'tap';
import { entryName } from '../../../src/datasets/archives/entry-name.js';

t.test('paths lose what means nothing, and backslashes', (t) => {
  t.equal(entryName('./a//b/./c.jpg'), 'a/b/c.jpg');
  t.equal(entryName('a\\b.jpg'), 'a/b.jpg');
  t.equal(entryName('./'), '');
  t.equal(entryName('dots../..x/y..'), 'dots../..x/y..');
  t.end();
});

t.test('paths that leave the archive are refused by name', (t) => {
  for (const path of ['../x', 'a/../../x', 'a/..', '/etc/x', '\\x', 'a\\..\\x', 'C:\\x', 'c:x', 'a\0.jpg']) {
    t.throws(() => entryName(path), { code: 'archive_unsafe', details: { entry: path } }, JSON.stringify(path));
  }
  t.end();
});

t.test('paths too long or too deep are refused, and the message stays short', (t) => {
  t.throws(() => entryName('x'.repeat(50_000)), { code: 'archive_unsafe', message: /50000 characters/ });
  t.throws(() => entryName('x/'.repeat(65)), { code: 'archive_unsafe', message: /65 folders/ });
  t.equal(entryName('x'.repeat(1024)).length, 1024);
  t.end();
});

t.test('whatever goes in, nothing absolute and nothing that climbs comes out', (t) => {
  const path = fc.array(fc.constantFrom('..', '.', '', '/', '\\', 'a', 'C:', '\0', 'é'), { maxLength: 8 });
  fc.assert(
    fc.property(path, fc.constantFrom('', '/', '\\'), (parts, separator) => {
      try {
        const name = entryName(parts.join(separator));
        return !name.startsWith('/') && !name.split('/').includes('..') && !name.includes('\0');
      } catch {
        return true;
      }
    }),
  );
  t.end();
});
