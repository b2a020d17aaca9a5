import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import t from 'tap';
import { PACKAGE_ROOT } from '../../src/config.js';
import { tableOfTexts } from '../helpers/reviews.js';

const demo = (words: string[], { folder, temporary }: { folder: string; temporary: string }) => {
  const { GRAFT_URL: _, ...env } = process.env;
  return promisify(execFile)(process.execPath, [join(PACKAGE_ROOT, 'build/src/bin/demo.js'), ...words], {
    env: { ...env, INIT_CWD: folder, TMPDIR: temporary },
  });
};

t.test(
  'without anything, it draws photos, trains on them, predicts, and leaves the artifact and nothing else',
  async (t) => {
    const root = t.testdir({ folder: {}, temporary: {} });
    const places = { folder: join(root, 'folder'), temporary: join(root, 'temporary') };
    const { stdout } = await demo([], places);
    t.match(stdout, /240 photos in 4 classes, a folder per class/);
    const [, accuracy] = stdout.match(/Accuracy ([\d.]+) % on 240 photos by cross-validation/)!;
    t.match(stdout, /95 % interval \d+ to \d+ %; guessing gets 25 %/);
    t.ok(Number(accuracy) >= 75, `learnable: ${accuracy} %`);
    t.ok(Number(accuracy) < 100, 'but not trivial');
    t.equal(stdout.match(/^[✓✗] /gm)?.length, 8);
    t.match(stdout, /8 photos, none of them was in the training/);
    t.notMatch(stdout, '\x1b');
    for (const line of stdout.split('\n')) t.ok([...line].length <= 120, line);
    t.ok(existsSync(join(places.folder, 'demo-artifact', 'demo-v1.zip')));
    t.match(
      stdout,
      /npm start\n.*tar -cC demo-artifact\/photos .*\n.*curl .*models\/demo\/predict .*@demo-artifact\/photo\.jpg/,
    );
    t.same(await readdir(places.temporary), []);
  },
);

t.test('a table of texts goes the same way, with the words that count', async (t) => {
  const root = t.testdir({ folder: { 'topics.csv': tableOfTexts(120) }, temporary: {} });
  const places = { folder: join(root, 'folder'), temporary: join(root, 'temporary') };
  const { stdout } = await demo(['--text', 'topics.csv'], places);
  t.match(stdout, /from texts to predictions/);
  t.match(stdout, /360 texts in 3 classes, rows of a table/);
  t.match(stdout, /Accuracy [\d.]+ % on \d+ texts that it was never shown/);
  t.match(stdout, /^[✓✗] .*\n {4}\w+ [\d.]+ %.*: \S+ [+−][\d.]+/m);
  t.match(stdout, /programs in Python and JavaScript/);
  t.notMatch(stdout, /photo/);
  t.match(stdout, /models\/topics\/predict -H 'content-type: text\/plain' -d '/);
  for (const line of stdout.split('\n')) t.ok([...line].length <= 130, line);
  t.ok(existsSync(join(places.folder, 'demo-artifact', 'topics-v1.zip')));
  t.same(await readdir(places.temporary), []);
  await t.rejects(demo(['--text', 'nothing.csv'], places), { code: 1, stderr: /^There is no file .*nothing\.csv/m });
});

t.test('what cannot be is said in a sentence', async (t) => {
  const root = t.testdir({ folder: {}, temporary: {} });
  const places = { folder: join(root, 'folder'), temporary: join(root, 'temporary') };
  await t.rejects(demo(['--url', 'http://127.0.0.1:1'], places), { code: 1, stderr: /^No Graft answers at/ });
  await t.rejects(demo(['--what'], places), { code: 1, stderr: /Usage: npm run demo/ });
  t.same(await readdir(places.folder), []);
});
