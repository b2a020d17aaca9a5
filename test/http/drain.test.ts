import { once } from 'node:events';
import { Agent, createServer, get, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import t, { type Test } from 'tap';
import { drainable } from '../../src/http/drain.js';

async function listening(t: Test, answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const server = createServer(answer);
  const drain = drainable(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.closeAllConnections());
  const close = async () => {
    const closed = once(server, 'close');
    drain();
    server.close();
    await closed;
  };
  return { port: (server.address() as AddressInfo).port, close };
}

async function ask(port: number, agent: Agent): Promise<{ connection: string | undefined; body: string }> {
  const [answer] = (await once(get({ port, host: '127.0.0.1', agent }), 'response')) as [IncomingMessage];
  return { connection: answer.headers.connection, body: await text(answer) };
}

function keptAgent(t: Test): Agent {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.teardown(() => agent.destroy());
  return agent;
}

t.test('a connection that was never used does not hold up the close', async (t) => {
  const { port, close } = await listening(t, (_, response) => response.end());
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  await Promise.all([close(), once(socket, 'close')]);
});

t.test('a request that is open is answered, and its kept connection then ends', async (t) => {
  let response: ServerResponse | undefined;
  const arrived = new EventTarget();
  const { port, close } = await listening(t, (_, open) => {
    response = open;
    arrived.dispatchEvent(new Event('request'));
  });
  const asking = ask(port, keptAgent(t));
  await once(arrived, 'request');
  const closed = close();
  response!.end('late, but whole');
  t.match(await asking, { connection: 'close', body: 'late, but whole' });
  await closed;
});

t.test('a kept connection is used once more, and told that this was the last time', async (t) => {
  const { port, close } = await listening(t, (_, response) => response.end('here'));
  const agent = keptAgent(t);
  t.equal((await ask(port, agent)).connection, 'keep-alive');
  const closed = close();
  t.match(await ask(port, agent), { connection: 'close', body: 'here' });
  await closed;
});

t.test('a connection whose first request is still under way is waited for', async (t) => {
  const { port, close } = await listening(t, (_, response) => response.end('in time'));
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  const closed = close();
  setTimeout(() => socket.write('GET / HTTP/1.1\r\nHost: here\r\n\r\n'), 700);
  t.match(await text(socket), /in time$/);
  await closed;
});
