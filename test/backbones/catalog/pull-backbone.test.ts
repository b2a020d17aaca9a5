import { createHash } from 'node:crypto';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { Catalog, CatalogNetwork } from '../../../src/backbones/catalog/catalog.js';
import { type PullOptions, pullBackbone } from '../../../src/backbones/catalog/pull-backbone.js';
import { InstalledBackbones } from '../../../src/backbones/installed.js';
import { FileStorage } from '../../../src/storage/file-storage.js';
import { type Answer, closedPort, serveFile } from '../../helpers/file-server.js';
import { fileOf, plain } from '../../helpers/onnx-models.js';

const body = fileOf(plain);
const sha256 = createHash('sha256').update(body).digest('hex');
const tiny: CatalogNetwork = {
  id: 'tiny',
  name: 'Tiny',
  family: 'tiny',
  exporter: 'test',
  file: 'tiny-1.onnx',
  paths: ['zoo/tiny/tiny-1.onnx', 'old/tiny-1.onnx'],
  bytes: body.length,
  sha256,
  license: 'MIT',
  imagenet_top1: 12.5,
  preset: 'tf',
  input_px: 16,
  gmacs: 0.1,
  good_for: 'tests',
  note: null,
  tried: false,
};

interface Scene {
  answer?: Answer;
  network?: Partial<CatalogNetwork>;
  bytes?: Uint8Array;
}

/** A catalog whose files lie on a server of its own, and an empty storage. */
async function scene(t: Test, { answer, network, bytes = body }: Scene = {}) {
  const server = await serveFile(t, bytes, answer);
  const folder = t.testdir();
  const downloads = join(folder, 'cache', 'downloads');
  const installed = new InstalledBackbones({
    storage: new FileStorage({ root: folder }),
    folder: join(folder, 'cache', 'backbones'),
  });
  const other = { ...tiny, id: 'other', name: 'Other', gmacs: 0.12 };
  const catalog: Catalog = { base: server.url, networks: [{ ...tiny, ...network }, other], missing: [] };
  const pull = (options: Partial<PullOptions> = {}) =>
    pullBackbone({
      catalog,
      id: 'tiny',
      source: installed,
      install: (backbone) => installed.install(backbone),
      downloads,
      patience: { attempts: 2, backoffMs: 1 },
      ...options,
    });
  const kept = () => (existsSync(downloads) ? readdirSync(downloads) : []);
  return { ...server, installed, pull, kept };
}

t.test('a network is fetched, checked and imported as the catalog says', async (t) => {
  const { pull, kept, requests, url, installed } = await scene(t);
  const progress: number[] = [];
  const imported = await pull({ onProgress: (done, total) => progress.push(done / total) });
  t.match(imported, {
    preset: 'tf',
    card: {
      id: 'tiny',
      name: 'Tiny',
      license: 'MIT',
      imagenet_top1: 12.5,
      source: `${url}/zoo/tiny/tiny-1.onnx, sha256 ${sha256}`,
      input: { width: 16 },
    },
  });
  t.same(await installed.card('tiny'), imported!.card);
  t.equal(progress.at(-1), 1);
  t.same(requests, ['/zoo/tiny/tiny-1.onnx']);
  t.same(kept(), []);
  t.equal(await pull(), undefined, 'a second time there is nothing to do');
  t.equal(requests.length, 1);
});

t.test('another backbone of that name is left alone, before anything is fetched', async (t) => {
  const { pull, requests } = await scene(t);
  await pull();
  const other: Catalog = { base: 'http://127.0.0.1', networks: [{ ...tiny, sha256: 'a'.repeat(64) }], missing: [] };
  await t.rejects(pull({ catalog: other }), { message: /another backbone tiny/ });
  t.equal(requests.length, 1);
});

t.test('a file that is not at its first address is looked for at the next', async (t) => {
  const { pull, requests } = await scene(t, {
    answer: ({ request, response, send }) => (request.url?.startsWith('/old') ? send() : response.writeHead(404).end()),
  });
  t.ok(await pull());
  t.same(requests, ['/zoo/tiny/tiny-1.onnx', '/old/tiny-1.onnx']);
});

t.test('a file that is nowhere names every address, and what to fetch', async (t) => {
  const { pull, url } = await scene(t, { answer: ({ response }) => response.writeHead(404).end() });
  await t.rejects(pull(), {
    code: 'download_failed',
    message: new RegExp(
      `${url}/zoo/tiny/tiny-1.onnx: it answers 404[\\s\\S]*${url}/old/tiny-1.onnx: it answers 404[\\s\\S]*sha256  ${sha256}[\\s\\S]*never tried the address[\\s\\S]*pull other  \\(Other\\)`,
    ),
  });
});

t.test('a wrong checksum is told with both digests, and the file is deleted', async (t) => {
  const wrong = Uint8Array.from(body, (byte, i) => (i === 100 ? byte ^ 1 : byte));
  const { pull, kept, installed } = await scene(t, { bytes: wrong });
  const found = createHash('sha256').update(wrong).digest('hex');
  await t.rejects(pull(), {
    code: 'digest_mismatch',
    message: new RegExp(`was deleted.*sha256 is ${found} instead of ${sha256}\\.$`),
  });
  t.same(kept(), []);
  t.same(await installed.ids(), []);
});

t.test('a wrong size is told without fetching', async (t) => {
  const { pull, requests } = await scene(t, { network: { bytes: 10 } });
  await t.rejects(pull(), { code: 'download_failed', message: /bytes instead of 10/ });
  t.equal(requests.length, 2);
});

t.test('what a broken download left is used the next time', async (t) => {
  const broken: Answer = ({ send, number, response }) => {
    if (number === 0) send({ stallAfter: 500 });
    else if (number === 1) response.destroy();
    else send();
  };
  const { pull, kept, requests, cut } = await scene(t, { answer: broken });
  await t.rejects(pull({ onProgress: cut }), { code: 'download_failed', message: /What has arrived is kept/ });
  t.same(kept(), [`tiny-${sha256.slice(0, 12)}.part`]);
  t.ok(await pull());
  t.same(requests[2], '/zoo/tiny/tiny-1.onnx bytes=500-');
  t.same(kept(), []);
});

t.test('without a network it says exactly what to fetch and how to hand it over', async (t) => {
  const { pull } = await scene(t);
  const mirror = await closedPort();
  await t.rejects(pull({ mirror }), {
    code: 'download_failed',
    message: new RegExp(
      `ECONNREFUSED[\\s\\S]*address ${mirror}/zoo/tiny/tiny-1\\.onnx[\\s\\S]*size    ${body.length} bytes[\\s\\S]*` +
        `sha256  ${sha256}[\\s\\S]*npm run backbones -- pull tiny --from tiny-1\\.onnx`,
    ),
  });
});

t.test('a mirror is asked instead, and may have the file in its own folder', async (t) => {
  const { pull, url, requests } = await scene(t, {
    answer: ({ request, response, send }) =>
      request.url === '/hub/tiny-1.onnx' ? send() : response.writeHead(404).end(),
  });
  t.match(await pull({ mirror: `${url}/hub/` }), { card: { source: `${url}/hub/tiny-1.onnx, sha256 ${sha256}` } });
  t.equal(requests.length, 3);
});

t.test('the file may come from elsewhere: another address, or the disk', async (t) => {
  const { pull, url, requests } = await scene(t);
  t.match(await pull({ from: `${url}/my.onnx` }), { card: { source: `${url}/my.onnx, sha256 ${sha256}` } });
  t.same(requests, ['/my.onnx']);
  await t.rejects(
    scene(t).then(({ pull }) => pull({ from: 'file:///x.onnx' })),
    { message: /only https and http/ },
  );
});

t.test('a file from the disk is checked, imported, and never deleted', async (t) => {
  const { pull, requests } = await scene(t);
  const folder = t.testdir({ wrong: 'x'.repeat(body.length), short: 'x' });
  const right = join(folder, 'right.onnx');
  writeFileSync(right, body);
  await t.rejects(pull({ from: join(folder, 'wrong') }), { code: 'digest_mismatch', message: /sha256/ });
  await t.rejects(pull({ from: join(folder, 'short') }), {
    code: 'digest_mismatch',
    message: /size is 1 bytes instead/,
  });
  await t.rejects(pull({ from: join(folder, 'none') }), { code: 'missing_file' });
  t.match(await pull({ from: right }), { card: { id: 'tiny', source: `right.onnx, sha256 ${sha256}` } });
  t.ok(existsSync(right) && existsSync(join(folder, 'wrong')));
  t.same(requests, []);
});
