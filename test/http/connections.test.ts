/** What needs a connection: bodies that stand still or break off, headers without end, what is no HTTP, too many at once. */
import { readdir } from 'node:fs/promises';
import { connect } from 'node:net';
import t, { type Test } from 'tap';
import { appForTest } from '../helpers/app.js';
import { zip } from '../helpers/archives.js';
import { form, send, until } from '../helpers/http.js';
import { content, lightFiles } from '../helpers/light-content.js';

const archive = zip(lightFiles(['a', 'b'], 400));
const ROUTES = ['/v1/datasets', '/v1/models/m/predict', '/v1/jobs'];

async function listening(t: Test, env: Record<string, string> = {}) {
  const app = await appForTest(t, { env });
  const { job } = await app.publish();
  const url = await app.app.listen({ host: '127.0.0.1', port: 0 });
  const { hostname, port } = new URL(url);
  const open = () => connect(Number(port), hostname);
  const nothingLeft = async () => {
    await until(async () => (await readdir(app.folder)).length === 0, { what: 'the end of the uploads' });
    t.same(await app.storage.list('tenants/default/datasets'), [], 'no data set is left');
    t.same(await app.storage.list('tenants/default/jobs'), [job], 'no other job was made');
    const answer = await send(url, '/v1/models/m/predict', { method: 'POST', body: content(0) });
    t.equal(answer.status, 200, 'the service goes on');
  };
  return { ...app, url, open, nothingLeft, raw: (text: string) => raw(open(), text) };
}

/** Write to a bare socket. @returns what came back until it was closed */
function raw(socket: ReturnType<typeof connect>, text: string, drip?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let got = '';
    socket.write(text);
    const dripping = drip === undefined ? undefined : setInterval(() => socket.write(drip), 100);
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`still open after 20 s: ${got}`));
    }, 20_000);
    socket.on('data', (chunk) => {
      got += chunk;
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearInterval(dripping);
      clearTimeout(timer);
      resolve(got);
    });
  });
}

t.test('a body that stands still is answered 408, whatever it announced', async (t) => {
  const { raw, nothingLeft } = await listening(t, { STALL_TIMEOUT_SECONDS: '1' });
  const answers = await Promise.all(
    ROUTES.map((path) =>
      raw(
        `POST ${path} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"a`,
      ),
    ),
  );
  for (const answer of answers) t.match(answer, /^HTTP\/1\.1 408 .*STALL_TIMEOUT_SECONDS/s);
  await nothingLeft();
});

t.test('a request that hardly moves is ended with 408', async (t) => {
  const { open, nothingLeft } = await listening(t, { REQUEST_TIMEOUT_SECONDS: '1' });
  const answers = await Promise.all(
    ['/v1/datasets', '/v1/models/m/predict'].map((path) =>
      raw(open(), `POST ${path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100000\r\n\r\n`, 'x'),
    ),
  );
  for (const answer of answers) t.match(answer, /^HTTP\/1\.1 408|^$/, answer.slice(0, 100));
  await nothingLeft();
});

t.test('an upload that is broken off leaves nothing', async (t) => {
  const { url, nothingLeft } = await listening(t);
  const made = form([
    { name: 'model', value: 'cut' },
    { name: 'file', value: archive, filename: 'a.zip' },
  ]);
  const requests: [string, Buffer, Record<string, string>][] = [
    ['/v1/datasets', archive, {}],
    ['/v1/datasets', made.body, made.headers],
    ['/v1/jobs', made.body, made.headers],
    ['/v1/models/m/predict', archive, {}],
    ['/v1/models/m/predict', made.body, made.headers],
  ];
  for (const [path, body, headers] of requests) {
    for (const share of [0.1, 0.5, 0.9]) {
      const cutAt = Math.floor(body.length * share);
      const answer = await send(url, path, { method: 'POST', body, headers, cutAt });
      t.ok(answer.status === 0 || answer.status >= 400, `${path} cut at ${share * 100} %: ${answer.status}`);
    }
  }
  await nothingLeft();
});

t.test('an upload beyond the limit is cut off, and the connection with it', async (t) => {
  const { url, nothingLeft } = await listening(t, { MAX_UPLOAD_BYTES: '200000' });
  const huge = await send(url, '/v1/datasets', { method: 'POST', body: Buffer.alloc(30_000_000) });
  t.ok(huge.status === 413 || huge.status === 0, `${huge.status}`);
  await nothingLeft();
});

t.test('headers without end, and what is no HTTP, are answered on the bare socket', async (t) => {
  const { raw } = await listening(t, { MAX_HEADER_BYTES: '2048' });
  const long = await raw(`GET /livez HTTP/1.1\r\nhost: localhost\r\nx-long: ${'x'.repeat(4000)}\r\n\r\n`);
  t.match(long, /^HTTP\/1\.1 413 .*2048 bytes \(MAX_HEADER_BYTES\)/s);
  const nonsense = await raw('NONSENSE\r\n\r\n');
  t.match(nonsense, /^HTTP\/1\.1 400 .*application\/problem\+json.*x-request-id: /s);
});

t.test('paths that lead out of a version are not followed', async (t) => {
  const { url } = await listening(t);
  for (const path of ['%2e%2e/%2e%2e/aliases', '../manifest.json', '..%2Fmanifest.json', './../../1/manifest.json']) {
    const { status, text } = await send(url, `/v1/models/m/versions/1/files/${path}`);
    t.same([status, JSON.parse(text).code], [404, 'not_found'], path);
  }
});

t.test('connections beyond the most are closed at once, and those there go on', async (t) => {
  const { url, open } = await listening(t, { MAX_CONNECTIONS: '3' });
  const held = Array.from({ length: 3 }, open);
  t.teardown(() => {
    for (const socket of held) socket.destroy();
  });
  // Answered once: then the server has counted them.
  const answered = (socket: (typeof held)[number]) =>
    new Promise<string>((resolve) => {
      socket.once('data', (chunk) => resolve(String(chunk)));
      socket.write('GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n');
    });
  for (const socket of held) t.match(await answered(socket), /^HTTP\/1\.1 200/);
  t.equal((await send(url, '/livez')).status, 0);
  t.match(await answered(held[0]!), /^HTTP\/1\.1 200/);
});

t.test('whoever leaves an artifact or a stream of events half-read costs nothing', async (t) => {
  const { url } = await listening(t);
  for (let n = 0; n < 10; n += 1) {
    const leaving = new AbortController();
    const response = await fetch(`${url}/v1/models/m/versions/1/artifact`, { signal: leaving.signal });
    await response.body!.getReader().read();
    leaving.abort();
  }
  t.equal((await send(url, '/livez')).status, 200);
});
