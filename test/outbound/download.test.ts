import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { type DownloadOptions, download } from '../../src/outbound/download.js';
import { type Answer, closedPort, serveFile } from '../helpers/file-server.js';

/** More than a socket takes at once. */
const body = Uint8Array.from({ length: 300_000 }, (_, i) => (i * 7919) >> 3);
const CUT = 100_000;

async function fetched(
  t: Test,
  answer: Answer | undefined,
  options: Partial<DownloadOptions> & { have?: Uint8Array; cutOnce?: boolean } = {},
) {
  const server = await serveFile(t, body, answer);
  const file = join(t.testdir(), 'file.part');
  if (options.have) writeFileSync(file, options.have);
  const retries: string[] = [];
  const done: number[] = [];
  const outcome = await download({
    url: new URL('/net.onnx', server.url),
    file,
    bytes: body.length,
    stallMs: 2000,
    attempts: 3,
    backoffMs: 1,
    onRetry: (reason) => retries.push(reason),
    onProgress: (bytes) => {
      if (done.push(bytes) === 1 && options.cutOnce) server.cut();
    },
    ...options,
  });
  return { ...server, outcome, retries, done, content: existsSync(file) ? readFileSync(file) : undefined };
}

t.test('a file comes whole, and how much has come is told', async (t) => {
  const { outcome, content, requests, done } = await fetched(t, undefined);
  t.same(outcome, { kind: 'complete' });
  t.ok(content!.equals(body));
  t.same(requests, ['/net.onnx']);
  t.equal(done.at(-1), body.length);
});

t.test('a cut connection is made again and goes on where it was', async (t) => {
  const { outcome, content, requests, retries } = await fetched(
    t,
    ({ send, number }) => send(number === 0 ? { stallAfter: CUT } : {}),
    { cutOnce: true, stallMs: 20_000 },
  );
  t.same(outcome, { kind: 'complete' });
  t.ok(content!.equals(body));
  t.same(retries, ['the connection was cut']);
  t.equal(requests.length, 2);
  t.match(requests[1], /^\/net\.onnx bytes=[1-9]\d*-$/);
});

t.test('what an earlier call left is not fetched again', async (t) => {
  const { outcome, content, requests } = await fetched(t, undefined, { have: body.subarray(0, CUT) });
  t.same([outcome.kind, requests], ['complete', [`/net.onnx bytes=${CUT}-`]]);
  t.ok(content!.equals(body));
  const whole = await fetched(t, undefined, { have: body });
  t.same([whole.outcome.kind, whole.requests], ['complete', []]);
  const tooMuch = await fetched(t, undefined, { have: Buffer.concat([body, body]) });
  t.ok(tooMuch.content!.equals(body));
});

t.test('a server that cannot do ranges sends all of it again', async (t) => {
  const { outcome, content } = await fetched(t, ({ send }) => send({ ranges: false }), { have: body.subarray(0, CUT) });
  t.same(outcome, { kind: 'complete' });
  t.ok(content!.equals(body));
});

t.test('a server that finds nothing behind what is here is asked from the start', async (t) => {
  const { outcome, content } = await fetched(
    t,
    ({ request, response, send }) => (request.headers.range ? response.writeHead(416).end() : send()),
    { have: body.subarray(0, CUT) },
  );
  t.same(outcome, { kind: 'complete' });
  t.ok(content!.equals(body));
});

t.test('a server that stalls is asked again; one that always does is given up', async (t) => {
  const once = await fetched(t, ({ send, number }) => send(number === 0 ? { stallAfter: CUT } : {}), { stallMs: 300 });
  t.same([once.outcome.kind, once.retries[0]], ['complete', 'nothing arrived for 0.3 s']);
  const always = await fetched(t, () => {}, { stallMs: 50 });
  t.same(always.outcome, { kind: 'unreachable', reason: 'nothing arrived for 0.05 s' });
  t.equal(always.requests.length, 3);
});

t.test('faults of the server are tried again, then given up, and what has come stays', async (t) => {
  const { outcome, requests, content } = await fetched(t, ({ response }) => response.writeHead(503).end(), {
    have: body.subarray(0, CUT),
  });
  t.same(outcome, { kind: 'unreachable', reason: 'it answers 503' });
  t.equal(requests.length, 3);
  t.equal(content!.length, CUT);
});

t.test('a file that is not there, or of another size, is not taken', async (t) => {
  for (const status of [401, 403, 404]) {
    const { outcome, requests } = await fetched(t, ({ response }) => response.writeHead(status).end('no'));
    t.same(outcome, { kind: 'absent', reason: `it answers ${status}` });
    t.equal(requests.length, 1);
  }
  const other = await fetched(t, undefined, { bytes: body.length + 1 });
  t.same(other.outcome, {
    kind: 'absent',
    reason: 'it has 300000 bytes instead of 300001',
  });
  t.equal(other.content, undefined);
  const endless = await fetched(t, ({ response }) => response.end(Buffer.concat([body, body])), {
    have: body.subarray(0, 10),
  });
  t.match(endless.outcome, { kind: 'absent' });
});

t.test('more than was announced is thrown away', async (t) => {
  const { outcome, content } = await fetched(t, ({ response }) => {
    response.write(body); // no length: it ends when it ends
    response.end(body);
  });
  t.same(outcome, { kind: 'absent', reason: 'it has more than 300000 bytes' });
  t.equal(content!.length, 0);
});

t.test('redirects are followed to where may be asked, with the range', async (t) => {
  const { outcome, content, requests } = await fetched(
    t,
    ({ request, response, send }) =>
      request.url === '/net.onnx' ? response.writeHead(302, { location: '/cdn/1?signed=x' }).end() : send(),
    { have: body.subarray(0, CUT) },
  );
  t.same(outcome, { kind: 'complete' });
  t.ok(content!.equals(body));
  t.same(requests[1], `/cdn/1?signed=x bytes=${CUT}-`);
  for (const location of ['http://a.example/x', 'file:///etc/passwd', 'https://a:b@c.example/']) {
    const bad = fetched(t, ({ response }) => response.writeHead(302, { location }).end());
    await t.rejects(bad, { code: 'download_failed', message: /only https/ }, location);
  }
  const round = fetched(t, ({ response }) => response.writeHead(302, { location: '/net.onnx' }).end());
  await t.rejects(round, { code: 'download_failed', message: /sends on and on/ });
});

t.test('where nobody answers nobody is asked twice', async (t) => {
  const { outcome, retries } = await fetched(t, undefined, { url: new URL(await closedPort()) });
  t.same(outcome, { kind: 'unreachable', reason: 'it cannot be reached (ECONNREFUSED)' });
  t.same(retries, []);
});

t.test('a disk without room is told, and keeps what has arrived', { skip: !existsSync('/dev/full') }, async (t) => {
  await t.rejects(fetched(t, undefined, { file: '/dev/full' }), { code: 'storage_full', message: /Make room/ });
});
