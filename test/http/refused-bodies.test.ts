/** A refusal reaches its client, though it is still sending, and the connection stays as long as that costs little. */
import { Agent, type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import t, { type Test } from 'tap';
import { appForTest } from '../helpers/app.js';
import { zip } from '../helpers/archives.js';
import { lightFiles } from '../helpers/light-content.js';

const MiB = 1024 * 1024;

async function listening(t: Test, env: Record<string, string> = {}) {
  const { app, send } = await appForTest(t, { env, keys: { alice: 'graft_alice' } });
  const url = await app.listen({ host: '127.0.0.1', port: 0 });
  return { url, port: Number(new URL(url).port), send };
}

t.test('fetch hears every refusal, of bodies raw and in forms, small and large', async (t) => {
  const { url } = await listening(t, { MAX_UPLOAD_BYTES: '1000', MAX_PREDICT_BYTES: '1000' });
  const form = (bytes: number) => {
    const data = new FormData();
    data.set('file', new Blob([Buffer.alloc(bytes)]), 'x.zip');
    return data;
  };
  const key = { authorization: 'Bearer graft_alice' };
  for (const bytes of [64 * 1024, 8 * MiB]) {
    for (const [what, path, init, status] of [
      ['without a key, a form', '/v1/datasets', { body: form(bytes) }, 401],
      ['without a key, raw', '/v1/datasets', { body: Buffer.alloc(bytes) }, 401],
      ['too large, a form', '/v1/datasets', { body: form(bytes), headers: key }, 413],
      ['too large, raw', '/v1/datasets', { body: Buffer.alloc(bytes), headers: key }, 413],
      ['no such model', '/v1/models/m/predict', { body: Buffer.alloc(bytes), headers: key }, 404],
      ['a form that is none', '/v1/jobs', { body: form(bytes), headers: key }, 413],
      ['no such path', '/v1/nothing', { body: form(bytes) }, 404],
    ] as const) {
      for (let n = 0; n < 3; n += 1) {
        const answer = await fetch(url + path, { method: 'POST', ...init });
        t.equal(answer.status, status, `${what}, ${bytes} bytes`);
        t.match(await answer.json(), { status });
      }
    }
  }
});

t.test('after a refusal the connection goes on with the next request', async (t) => {
  const { port } = await listening(t);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.teardown(() => agent.destroy());
  const ask = () =>
    new Promise<[status: number, port: number]>((resolve, reject) => {
      const asking = request({ port, agent, method: 'POST', path: '/v1/datasets' }, (answer) => {
        answer.resume();
        const from = answer.socket.localPort!;
        answer.once('end', () => resolve([answer.statusCode!, from]));
      });
      asking.once('error', reject).end(Buffer.alloc(MiB));
    });
  const [first, second] = [await ask(), await ask()];
  t.equal(first[0], 401);
  t.same(second, first, 'the same connection');
});

t.test('what is dropped has an end', async (t) => {
  const { port } = await listening(t, { MAX_DROPPED_BYTES: String(MiB) });
  const socket = connect(port, '127.0.0.1');
  socket.on('error', () => undefined);
  let got = '';
  socket.on('data', (data) => {
    got += data;
  });
  socket.write(`POST /v1/datasets HTTP/1.1\r\nhost: x\r\ncontent-length: ${2 ** 40}\r\n\r\n`);
  let sent = 0;
  const sending = setInterval(() => {
    if (socket.writable && socket.write(Buffer.alloc(64 * 1024))) sent += 64 * 1024;
  }, 1);
  await new Promise((resolve) => socket.once('close', resolve));
  clearInterval(sending);
  t.match(got, /^HTTP\/1\.1 401 /);
  t.ok(sent < 512 * MiB, `${sent} bytes`);
});

/** Ask before sending: whether the server said `100 Continue`, and its answer. */
function expecting(port: number, options: { path: string; headers?: Record<string, string> }, body: Buffer) {
  return new Promise<{ continued: boolean; answer: IncomingMessage }>((resolve, reject) => {
    let continued = false;
    const headers = { ...options.headers, expect: '100-continue', 'content-length': String(body.length) };
    const asking = request({ port, method: 'POST', path: options.path, headers }, (answer) => {
      answer.resume();
      answer.once('end', () => resolve({ continued, answer }));
    });
    asking.once('continue', () => {
      continued = true;
      asking.end(body);
    });
    asking.once('error', reject).flushHeaders();
  });
}

t.test('a client that asks before it sends is refused from its headers, or sends', async (t) => {
  const { port } = await listening(t, { MAX_UPLOAD_BYTES: '100000' });
  const body = zip(lightFiles(['a', 'b'], 5));
  const refused = await expecting(port, { path: '/v1/datasets' }, body);
  t.equal(refused.answer.statusCode, 401);
  t.notOk(refused.continued);
  const headers = { authorization: 'Bearer graft_alice' };
  const large = await expecting(port, { path: '/v1/datasets', headers }, Buffer.alloc(200_000));
  t.equal(large.answer.statusCode, 413);
  t.notOk(large.continued);
  const taken = await expecting(port, { path: '/v1/datasets', headers }, body);
  t.equal(taken.answer.statusCode, 201);
  t.ok(taken.continued);
  const json = { ...headers, 'content-type': 'application/json' };
  const settings = await expecting(port, { path: '/v1/jobs', headers: json }, Buffer.from('{"model":"m"}'));
  t.equal(settings.answer.statusCode, 400);
  t.ok(settings.continued);
});
