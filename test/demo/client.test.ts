import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import t, { type Test } from 'tap';
import { createClient } from '../../src/demo/client.js';
import { modelName } from '../../src/demo/run-demo.js';

async function clientOf(t: Test, answer: RequestListener, signal = new AbortController().signal) {
  const server = createServer(answer);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return createClient({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`, key: 'secret', signal });
}

const problem = JSON.stringify({ code: 'not_an_archive', detail: 'These bytes are no archive.' });

t.test('an upload is streamed, counted and named, with the key', async (t) => {
  const client = await clientOf(t, async (request, response) => {
    const body = await text(request);
    const { authorization, 'content-disposition': name } = request.headers;
    response.end(JSON.stringify({ body, authorization, name }));
  });
  const sent: number[] = [];
  const answer = await client.upload('/x', Readable.from([Buffer.from('one '), Buffer.from('two')]), {
    name: 'my "photos".tar',
    onBytes: (bytes) => sent.push(bytes),
  });
  t.same(answer, { body: 'one two', authorization: 'Bearer secret', name: 'attachment; filename="my _photos_.tar"' });
  t.same(sent, [4, 7]);
});

t.test('an upload that is refused early says why, and not that the pipe broke', async (t) => {
  const client = await clientOf(t, (request, response) => {
    response.writeHead(415, { connection: 'close' }).end(problem, () => request.socket.destroySoon());
  });
  const endless = Readable.from(
    (async function* () {
      for (;;) yield Buffer.alloc(65_536);
    })(),
  );
  await t.rejects(client.upload('/x', endless, { name: 'x', onBytes: () => {} }), {
    code: 'not_an_archive',
    message: 'These bytes are no archive.',
  });
  t.ok(endless.destroyed);
});

t.test('errors of a service come back as they were, others as what was said', async (t) => {
  const client = await clientOf(t, (request, response) => {
    response.writeHead(422).end(request.url === '/ours' ? problem : 'Bad gateway, says the proxy');
  });
  await t.rejects(client.get('/ours'), { code: 'not_an_archive' });
  await t.rejects(client.get('/theirs'), { code: 'internal', message: /422: Bad gateway/ });
});

t.test('where nobody answers, that is said', async (t) => {
  const client = createClient({ url: 'http://127.0.0.1:1', signal: new AbortController().signal });
  await t.rejects(client.get('/'), { code: 'not_found', message: /No Graft answers at http:\/\/127\.0\.0\.1:1/ });
  await t.rejects(client.upload('/', Readable.from(['x']), { name: 'x', onBytes: () => {} }), { code: 'not_found' });
});

t.test('a model is named after its photos, as the service takes it', (t) => {
  const names = ['/a/My Photos', 'cats-dogs.tar.gz', '/x/_ünder.ZIP', '/日本'].map(modelName);
  t.same(names, ['my-photos', 'cats-dogs', 'nder', 'demo']);
  t.end();
});
