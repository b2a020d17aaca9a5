import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { mkdtemp, rmdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import t, { type Test } from 'tap';
import { FeatureCache, type FeatureKey } from '../../src/backbones/feature-cache.js';

const KEY: FeatureKey = { content: 'a'.repeat(64), backbone: 'b'.repeat(64), recipe: 'r', variation: '' };
const FEATURES = Float32Array.from([1.5, -2, 3e-30, Number.MAX_VALUE, 0]);

async function cacheIn(t: Test, folder: string, maxBytes = 2 ** 30) {
  const cache = await FeatureCache.open({ folder, maxBytes });
  let open = true;
  const close = async () => {
    if (open) await cache.close();
    open = false;
  };
  t.teardown(close);
  return { cache, close };
}

t.test('features come back bit by bit, also from a part of a larger array', async (t) => {
  const { cache } = await cacheIn(t, t.testdir());
  const large = new Float32Array(15);
  large.set(FEATURES, 5);
  await cache.putAll([{ key: KEY, features: large.subarray(5, 10) }]);
  t.same(cache.get(KEY, 5), FEATURES);
});

t.test('every part of the key matters, and the number of features', async (t) => {
  const { cache } = await cacheIn(t, t.testdir());
  await cache.putAll([{ key: KEY, features: FEATURES }]);
  t.equal(cache.get({ ...KEY, content: 'c'.repeat(64) }, 5), undefined);
  t.equal(cache.get({ ...KEY, recipe: 'another' }, 5), undefined);
  t.equal(cache.get({ ...KEY, backbone: 'c'.repeat(64) }, 5), undefined);
  t.equal(cache.get({ ...KEY, variation: '{"flip":true}' }, 5), undefined);
  t.equal(cache.get(KEY, 4), undefined);
  t.same(cache.get({ ...KEY }, 5), FEATURES);
});

t.test('what was stored is there after closing and opening again', async (t) => {
  const folder = t.testdir();
  const first = await cacheIn(t, folder);
  await first.cache.putAll(
    Array.from({ length: 100 }, (_, i) => ({ key: { ...KEY, content: `${i}` }, features: Float32Array.of(i) })),
  );
  await first.close();
  const { cache } = await cacheIn(t, folder);
  for (let i = 0; i < 100; i += 1) t.same(cache.get({ ...KEY, content: `${i}` }, 1), Float32Array.of(i));
});

t.test('two processes share one cache', async (t) => {
  const folder = t.testdir();
  const { cache } = await cacheIn(t, folder);
  await cache.putAll([{ key: KEY, features: FEATURES }]);
  const module = pathToFileURL(join(import.meta.dirname, '../../src/backbones/feature-cache.js')).href;
  const program = `
    const { FeatureCache } = await import(${JSON.stringify(module)});
    const cache = await FeatureCache.open({ folder: ${JSON.stringify(folder)}, maxBytes: 2 ** 30 });
    const key = ${JSON.stringify(KEY)};
    const seen = cache.get(key, 5);
    await cache.putAll([{ key: { ...key, content: 'other' }, features: Float32Array.of(seen[0], 7) }]);
    await cache.close();`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: 'inherit' });
  const [code] = await once(child, 'exit');
  t.equal(code, 0);
  t.same(cache.get({ ...KEY, content: 'other' }, 2), Float32Array.of(1.5, 7));
});

t.test('a file that is no cache, or breaks off in its header, is replaced', async (t) => {
  for (const bytes of [Buffer.alloc(100_000, 'garbage'), Buffer.alloc(100_000), Buffer.from('x'), Buffer.alloc(0)]) {
    const folder = t.testdir();
    mkdirSync(join(folder, 'features'));
    writeFileSync(join(folder, 'features', 'data.mdb'), bytes);
    const { cache, close } = await cacheIn(t, folder);
    t.equal(cache.get(KEY, 5), undefined);
    await cache.putAll([{ key: KEY, features: FEATURES }]);
    t.same(cache.get(KEY, 5), FEATURES);
    await close();
    truncateSync(join(folder, 'features', 'data.mdb'), 4100);
    const again = await cacheIn(t, folder);
    t.equal(again.cache.get(KEY, 5), undefined);
    await again.close();
  }
});

t.test('past its size the cache starts anew; below it, it stays', async (t) => {
  const folder = t.testdir();
  const first = await cacheIn(t, folder);
  await first.cache.putAll(
    Array.from({ length: 50 }, (_, i) => ({ key: { ...KEY, content: `${i}` }, features: new Float32Array(1000) })),
  );
  await first.close();
  const file = join(folder, 'features', 'data.mdb');
  const { size } = statSync(file);
  t.ok(size > 200_000);
  const below = await cacheIn(t, folder, size);
  t.ok(below.cache.get({ ...KEY, content: '1' }, 1000));
  await below.close();
  const past = await cacheIn(t, folder, size - 1);
  t.equal(past.cache.get({ ...KEY, content: '1' }, 1000), undefined);
  t.ok(existsSync(file) && statSync(file).size < size);
  await past.cache.putAll([{ key: KEY, features: FEATURES }]);
  t.same(past.cache.get(KEY, 5), FEATURES);
});

/** A file system of a few MB, where this user may mount one. */
async function smallDisk(t: Test, megabytes: number): Promise<string | undefined> {
  const folder = await mkdtemp(join(tmpdir(), 'graft-small-'));
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', folder]);
  t.teardown(() => rmdir(folder));
  if (mounted.status !== 0) return undefined;
  t.teardown(() => void spawnSync('umount', ['--lazy', folder]));
  return folder;
}

t.test('where room is short nothing is written, and the disk is named', async (t) => {
  const { cache } = await cacheIn(t, t.testdir());
  await cache.putAll([{ key: KEY, features: FEATURES }]);
  const short = await FeatureCache.open({ folder: t.testdir(), maxBytes: 2 ** 30, spareBytes: 2 ** 60 });
  await t.rejects(short.putAll([{ key: KEY, features: FEATURES }]), {
    code: 'storage_full',
    message: /disk of the feature cache .* is full.*CACHE_DIR/,
  });
  t.equal(short.get(KEY, 5), undefined);
  await short.close();
});

t.test('a disk that fills all the same ends no process', async (t) => {
  const folder = await smallDisk(t, 6);
  if (folder === undefined) return void t.pass('left out: this user may not mount a small file system');
  const module = pathToFileURL(join(import.meta.dirname, '../../src/backbones/feature-cache.js')).href;
  const program = `
    const { FeatureCache } = await import(${JSON.stringify(module)});
    const cache = await FeatureCache.open({ folder: ${JSON.stringify(folder)}, maxBytes: 2 ** 30, spareBytes: -1e12 });
    const key = (i) => ({ content: String(i), backbone: 'b', recipe: 'r', variation: '' });
    let failed = 0;
    for (let i = 0; i < 60; i += 1) {
      const entries = Array.from({ length: 50 }, (_, j) => ({ key: key(100 * i + j), features: new Float32Array(1280).fill(i) }));
      await cache.putAll(entries).catch((error) => { failed += 1; if (error.code !== 'storage_full') throw error; });
    }
    const found = cache.get(key(0), 1280);
    await cache.close();
    await new Promise((resolve) => setTimeout(resolve, 200));
    process.stdout.write(JSON.stringify({ failed, found: found?.[5] === 0 }));`;
  const child = spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
  t.equal(child.status, 0, child.stderr.slice(-2000));
  const { failed, found } = JSON.parse(child.stdout || '{}') as { failed: number; found: boolean };
  t.ok(failed > 10, `${failed} writes found no room`);
  t.ok(found, 'and what was stored before is read');
});
