/** Every file of the public corpora of broken and hostile files goes through the public API. */
import { readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import t, { type Test } from 'tap';
import type { Dataset } from '../../src/schemas/datasets.js';
import { zip } from '../helpers/archives.js';
import { type Answer, filesBelow, form, inParallel, problemFault, send, until } from '../helpers/http.js';
import { photo, photos, upload } from '../helpers/photos.js';
import { serveModel } from '../helpers/serve-model.js';
import { serviceForTest, type TestService } from '../helpers/service.js';
import { ARCHIVE_CORPORA, needs, SHARED } from '../helpers/shared.js';

const IMAGES = [
  'libpng-crashers',
  'image-png',
  'image-rs',
  'pillow-bad',
  'sharp-edge',
  'libvips-edge',
  'go-fuzz-corpus/gif',
  'go-fuzz-corpus/jpeg',
  'go-fuzz-corpus/png',
  'go-fuzz-corpus/webp',
];
/** Two decoders, a batch and an archive of 100 images need far less. */
const MAX_MEMORY_MB = 1200;

const here = needs('bad-inputs');
const WIDTH = 4;

async function corpus(name: string): Promise<{ path: string; bytes: Buffer }[]> {
  const folder = join(SHARED, 'bad-inputs', name);
  const paths = (await filesBelow(folder)).filter((path) => !path.endsWith('SOURCE.txt'));
  return Promise.all(
    paths.map(async (path) => ({ path: `${name}/${path}`, bytes: await readFile(join(folder, path)) })),
  );
}

/** Peak memory of the server, MB; undefined where there is no /proc. */
function peakMemory(service: TestService): number | undefined {
  try {
    const status = readFileSync(`/proc/${service.server.pid}/status`, 'utf8');
    return Number(/VmHWM:\s+(\d+)/.exec(status)![1]) / 1024;
  } catch {
    return undefined;
  }
}

if (here.skip) {
  t.test('the corpora of bad files', here, () => undefined);
} else {
  const service = await serviceForTest(t, { worker: false, env: { LOG_LEVEL: 'error' } });
  const { url, json, dataDir } = service;
  const dataset = await upload(service, await photos(['a', 'b'], 4));
  await serveModel({ dataDir, model: 'm' });
  const outside = () => readdir(dirname(dataDir));
  const before = { outside: await outside(), top: (await readdir(dataDir)).sort() };
  const good = await photo(0, 12);

  /** That each answer is 2xx or a complete problem with 4xx. */
  const check = (t: Test, path: string, answer: Answer, outcomes: Map<string, number>) => {
    const success = answer.status >= 200 && answer.status < 300;
    const fault = success ? undefined : problemFault(answer);
    if (fault) t.fail(`${path}: ${fault}`, { body: answer.text.slice(0, 500) });
    const outcome = success ? String(answer.status) : fault ? 'fault' : JSON.parse(answer.text).code;
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    return outcome as string;
  };

  const stillSound = async (t: Test) => {
    const answer = await send(url, '/v1/models/m/predict', { method: 'POST', body: good });
    t.equal(answer.status, 200, 'the service still answers');
    const left = () => filesBelow(join(dataDir, '.tmp'));
    await until(async () => (await left()).length === 0, { timeoutMs: 3000 }).catch(() => undefined);
    t.same(await left(), [], 'no temporary file is left');
    t.same(await outside(), before.outside, 'nothing outside the data folder');
    t.same((await readdir(dataDir)).sort(), before.top, 'nothing beside what belongs into the data folder');
    t.same(
      (await json<{ data: { id: string }[] }>('/v1/datasets')).data.map(({ id }) => id),
      [dataset.id],
      'no data set is left',
    );
    t.same(await readdir(join(dataDir, 'tenants', 'default', 'datasets')), [dataset.id]);
    const memory = peakMemory(service);
    if (memory !== undefined) {
      t.comment(`peak memory of the server: ${memory.toFixed(0)} MB`);
      t.ok(memory < MAX_MEMORY_MB, `${memory} MB`);
    }
  };

  await t.test('archives are taken in or refused', async (t) => {
    for (const name of ARCHIVE_CORPORA) {
      const outcomes = new Map<string, number>();
      await inParallel(await corpus(name), WIDTH, async ({ path, bytes }) => {
        const answer = await send(url, '/v1/datasets', { method: 'POST', body: bytes });
        const outcome = check(t, path, answer, outcomes);
        if (outcome === '201')
          await json(`/v1/datasets/${JSON.parse(answer.text).id}`, { method: 'DELETE', status: 204 });
        // One holds a file named with a backslash, as Windows packs them: a text in a folder.
        const isText = path.endsWith('invalid characters in fileName a txt.zip');
        if (name === 'yauzl-failure') t.equal(outcome === '201', isText, `${path} is ${isText ? 'a text' : 'refused'}`);
      });
      t.comment(name, Object.fromEntries(outcomes));
    }
    await stillSound(t);
  });

  await t.test('the bomb that claims 546 GB is refused before it is inflated', async (t) => {
    const [bomb] = await corpus('overlap-zip-bomb');
    const began = Date.now();
    const { body, headers } = form([{ name: 'file', value: bomb!.bytes, filename: 'bomb.zip' }]);
    const answer = await send(url, '/v1/datasets', { method: 'POST', body, headers });
    t.equal(JSON.parse(answer.text).code, 'archive_unsafe');
    t.ok(Date.now() - began < 5000);
  });

  await t.test('images are classified or refused, by themselves', async (t) => {
    for (const name of IMAGES) {
      const outcomes = new Map<string, number>();
      await inParallel(await corpus(name), WIDTH, async ({ path, bytes }) => {
        const answer = await send(url, '/v1/models/m/predict', { method: 'POST', body: bytes });
        const outcome = check(t, path, answer, outcomes);
        if (path.endsWith('17000x17000.avif')) t.match(outcome, /^content_(too_large|unsupported)$/);
        if (path.endsWith('.svg')) t.match(outcome, /^content_/, path);
      });
      t.comment(name, Object.fromEntries(outcomes));
    }
    await stillSound(t);
  });

  await t.test('images inside an archive are kept or named with the reason, every one of them', async (t) => {
    for (const name of IMAGES) {
      const files = await corpus(name);
      const archive = zip([
        ...files.map(({ bytes }, i) => ({ name: `bad/${i}.jpg`, bytes, stored: true })),
        { name: 'good/1.jpg', bytes: good },
      ]);
      const answer = await send(url, '/v1/datasets', { method: 'POST', body: archive });
      t.equal(answer.status, 201, `${name} ${answer.text.slice(0, 300)}`);
      const { id, examples: images, refused, duplicates } = JSON.parse(answer.text) as Dataset;
      t.equal(images + refused.length + duplicates.length, files.length + 1, `${name}: every file is accounted for`);
      t.same(
        refused.filter(({ code, reason }) => !/^content_|^nested_archive$/.test(code) || reason === ''),
        [],
      );
      await json(`/v1/datasets/${id}`, { method: 'DELETE', status: 204 });
    }
    await stillSound(t);
  });

  await t.test('bodies of the JSON test suite are refused by every route that takes JSON', async (t) => {
    const files = await corpus('jsontestsuite');
    const routes = [
      ['POST', '/v1/jobs'],
      ['PUT', '/v1/models/m/aliases/production'],
      ['POST', '/v1/models/m/predict'],
    ] as const;
    for (const [method, route] of routes) {
      const outcomes = new Map<string, number>();
      await inParallel(files, WIDTH, async ({ path, bytes }) => {
        const answer = await send(url, route, { method, body: bytes, headers: { 'content-type': 'application/json' } });
        check(t, `${method} ${route} ${path}`, answer, outcomes);
        const name = path.split('/').at(-1)!;
        if (name.startsWith('n_')) t.equal(answer.status, 400, `${route} ${name}`);
        t.ok(answer.status >= 400, `${route} ${name}`);
      });
      t.comment(route, Object.fromEntries(outcomes));
    }
    await stillSound(t);
  });

  await t.test('bodies of the multipart corpus are refused or read', async (t) => {
    const files = await corpus('go-fuzz-corpus/multipart');
    for (const route of ['/v1/datasets', '/v1/jobs', '/v1/models/m/predict']) {
      const outcomes = new Map<string, number>();
      await inParallel(files, WIDTH, async ({ path, bytes }) => {
        const answer = await send(url, route, {
          method: 'POST',
          body: bytes,
          headers: { 'content-type': 'multipart/form-data; boundary=dfhjksd23f43242f43fv4b4g2g2g23vf2' },
          timeoutMs: 20_000,
        });
        check(t, `${route} ${path}`, answer, outcomes);
      });
      t.comment(route, Object.fromEntries(outcomes));
    }
    await stillSound(t);
  });
}
