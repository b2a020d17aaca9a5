/** Files and artifacts are handed out as HTTP wants it. That they compute what the service computes: test/flows/artifacts. */
import { createHash } from 'node:crypto';
import t, { type Test } from 'tap';
import { appForTest } from '../../helpers/app.js';
import { isProblem } from '../../helpers/http.js';

const REPORT = JSON.stringify({ this: 'is sent as it lies there' });
const SVG = '<svg xmlns="http://www.w3.org/2000/svg"></svg>';

async function withVersion(t: Test) {
  const app = await appForTest(t);
  const manifest = await app.publish({
    files: {
      'report.json': REPORT,
      'report/curves.svg': SVG,
      'README.md': '# m',
      'exemplars/features.bin': new Uint8Array(100),
    },
  });
  return { ...app, manifest };
}

t.test('files are sent by their path, with their type and digest', async (t) => {
  const { send, manifest } = await withVersion(t);
  for (const { path, bytes, sha256 } of manifest.files) {
    const answer = await send(`/v1/models/m/versions/1/files/${path}`);
    t.same([answer.status, answer.body.length], [200, bytes], path);
    t.equal(createHash('sha256').update(answer.body).digest('hex'), sha256, path);
    t.equal(answer.headers.etag, `"${sha256}"`);
    t.match(answer.headers['cache-control'], 'private, max-age=31536000, immutable');
  }
  const typed = async (path: string) => (await send(`/v1/models/m/versions/1/${path}`)).headers['content-type'];
  t.match(await typed('files/README.md'), 'text/markdown');
  t.match(await typed('files/labels.json'), 'application/json');
  t.match(await typed('files/head/weights.bin'), 'application/octet-stream');
  const report = await send('/v1/models/m/versions/1/report');
  t.match([report.text, report.headers['content-type']], [REPORT, /^application\/json/]);
  const curves = await send('/v1/models/m/versions/1/report/curves.svg');
  t.match([curves.text, curves.headers['content-type']], [SVG, 'image/svg+xml']);
});

t.test('what is not there is refused by name', async (t) => {
  const { send } = await withVersion(t);
  const of = (path: string) => send(`/v1/models/m/versions/1/${path}`);
  const missing = isProblem(t, await of('files/none'), 404, 'not_found');
  t.ok((missing.files as string[]).includes('labels.json'), 'and it says what is');
  for (const path of ['files/..%2Fmanifest.json', 'files/head', 'files/claim.json']) {
    isProblem(t, await of(path), 404, 'not_found', path);
  }
  isProblem(t, await of('report/confusion.svg'), 404, 'not_found', 'a chart that it does not have');
  for (const path of ['report', 'report/curves.svg', 'artifact', 'files/labels.json']) {
    isProblem(t, await send(`/v1/models/m/versions/2/${path}`), 404, 'version_not_found', path);
    isProblem(t, await send(`/v1/models/none/versions/1/${path}`), 404, 'model_not_found', path);
  }
  for (const query of ['format=h5', 'format=exe', 'form=onnx']) {
    isProblem(t, await of(`artifact?${query}`), 400, 'invalid_request', query);
  }
});

for (const format of ['bundle', 'tfjs']) {
  t.test(`the ${format} artifact is sent with its digest, by ranges, and not twice`, async (t) => {
    const { send } = await withVersion(t);
    const path = `/v1/models/m/versions/1/artifact?format=${format}`;
    const whole = await send(path);
    t.equal(whole.status, 200);
    const { etag } = whole.headers;
    const digest = createHash('sha256').update(whole.body).digest('base64');
    t.match(whole.headers, {
      'content-type': 'application/zip',
      'content-disposition': /^attachment; filename="m-v1(-tfjs)?\.zip"$/,
      'repr-digest': `sha-256=:${digest}:`,
      etag: /^"[0-9a-f]{64}"$/,
      'content-length': String(whole.body.length),
      'accept-ranges': 'bytes',
    });
    t.ok((await send(path)).body.equals(whole.body), 'the same bytes again');

    const head = await send(path, { method: 'HEAD' });
    t.same([head.status, head.body.length], [200, 0]);
    for (const name of ['etag', 'content-length', 'content-type', 'repr-digest']) {
      t.equal(head.headers[name], whole.headers[name], `HEAD: ${name}`);
    }
    const get = (headers: Record<string, string>) => send(path, { headers });
    for (const tag of [etag!, `W/${etag}`, `"other", ${etag}`, '*']) {
      const same = await get({ 'if-none-match': tag });
      t.same([same.status, same.body.length, same.headers.etag], [304, 0, etag], tag);
    }
    t.equal((await get({ 'if-none-match': '"other"' })).status, 200);

    const size = whole.body.length;
    for (const [range, start, end] of [
      ['bytes=0-99', 0, 99],
      [`bytes=${size - 10}-`, size - 10, size - 1],
      ['bytes=-17', size - 17, size - 1],
      [`bytes=100-${size + 1000}`, 100, size - 1],
      [`bytes=-${size + 1000}`, 0, size - 1],
      ['bytes=7-7', 7, 7],
    ] as const) {
      const part = await get({ range });
      t.match(
        [part.status, part.headers['content-range'], part.headers['content-length'], part.headers.etag],
        [206, `bytes ${start}-${end}/${size}`, String(end - start + 1), etag],
        range,
      );
      t.ok(part.body.equals(whole.body.subarray(start, end + 1)), range);
    }
    for (const range of [`bytes=${size}-`, `bytes=${size + 5}-${size + 9}`, 'bytes=-0']) {
      const outside = await get({ range });
      isProblem(t, outside, 416, 'range_not_satisfiable', range);
      t.equal(outside.headers['content-range'], `bytes */${size}`);
    }
    for (const range of ['bytes=5-2', 'lines=0-1', 'bytes=0-1,5-6', 'bytes=abc', 'bytes=-']) {
      const ignored = await get({ range });
      t.same([ignored.status, ignored.body.length], [200, size], `${range} is ignored`);
    }
    t.equal((await get({ range: 'bytes=0-9', 'if-range': etag! })).status, 206, 'If-Range holds');
    t.equal((await get({ range: 'bytes=0-9', 'if-range': '"other"' })).status, 200, 'If-Range does not hold');
    t.equal((await get({ range: 'bytes=0-9', 'if-range': `W/${etag}` })).status, 200, 'a weak If-Range never holds');
    t.equal((await get({ range: 'bytes=0-9', 'if-none-match': etag! })).status, 304);
  });
}
