import { once } from 'node:events';
import { Agent, createServer, get, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import t, { type Test } from 'tap';
import { watchConnections } from '../../src/api/close-idle.js';

async function listening(t: Test, answer: (request: IncomingMessage, response: ServerResponse) => void) {
  const server = createServer(answer);
  const closeIdle = watchConnections(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.closeAllConnections());
  const close = async () => {
    const repeat = setInterval(closeIdle, 10);
    t.teardown(() => clearInterval(repeat));
    const closed = once(server, 'close');
    server.close();
    await closed;
  };
  return { port: (server.address() as AddressInfo).port, close };
}

t.test('a connection that was never used does not hold up the close', async (t) => {
  const { port, close } = await listening(t, (_, response) => response.end());
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  await Promise.all([close(), once(socket, 'close')]);
});

t.test('a request that is open is answered, and its kept connection then ends', async (t) => {
  let answer: (() => void) | undefined;
  const arrived = new Promise<void>((resolve) => {
    answer = resolve;
  });
  let response: ServerResponse | undefined;
  const { port, close } = await listening(t, (_, open) => {
    response = open;
    answer!();
  });
  const agent = new Agent({ keepAlive: true });
  t.teardown(() => agent.destroy());
  const answered = once(get({ port, host: '127.0.0.1', agent }), 'response') as Promise<[IncomingMessage]>;
  await arrived;
  const closed = close();
  response!.end('late, but whole');
  const [message] = await answered;
  t.equal(await text(message), 'late, but whole');
  await closed;
});
