import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { startLoadClient, withExpected } from './speed/load.js';
import { quantile, summary } from './speed/rounds.js';
import { figuresOf, printed, type Row } from './speed/table.js';

t.test('figures are the rows with a goal', async (t) => {
  const rows: Row[] = [
    { name: 'a', ...summary([3, 1, 2]), unit: '×', goal: { atLeast: 2 } },
    { name: 'b', value: 5, unit: 'ms', goal: { atMost: 4 } },
    { name: 'c', value: Number.NaN, unit: 'ms', goal: { atMost: 4 } },
    { name: 'd', value: 5, unit: 's' },
  ];
  t.same(
    figuresOf(rows).map(({ name, value, goal, reached }) => [name, value, goal, reached]),
    [
      ['a', 2, 2, true],
      ['b', 5, 4, false],
      ['c', Number.NaN, 4, false],
    ],
  );
  t.match(printed(rows), '| a | 2 × | 1 – 3 | ≥ 2 | yes |');
  t.equal(quantile([5, 1, 4, 2, 3], 0.99), 5);
});

t.test('the load client measures every answer and notices a wrong one', async (t) => {
  const photo = join(t.testdir(), 'photo.jpg');
  await writeFile(photo, Buffer.alloc(100_000, 7));
  let [calls, label] = [0, 'cat'];
  const server = createServer((request, response) => {
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
    });
    request.on('end', () => {
      calls += 1;
      const timings = { decode_ms: 1, queue_ms: 0, inference_ms: 2 };
      response.end(JSON.stringify({ results: [{ predictions: [{ label, score: bytes }] }], timings }));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const client = startLoadClient();
  t.teardown(() => {
    client.close();
    server.closeAllConnections();
    server.close();
  });
  const requests = await withExpected(client, port, [{ path: '/', photo }]);
  t.equal(requests[0]!.expected, '[{"label":"cat","score":100000}]');
  const result = await client.run({ port, requests: Array(20).fill(requests[0]), concurrency: 4, seconds: 'once' });
  t.equal(calls, 21);
  t.equal(result.latencies.length, 20);
  t.equal(result.timings.inference.length, 20);
  label = 'dog';
  await t.rejects(client.run({ port, requests, concurrency: 1, seconds: 'once' }), { message: /Wrong answers/ });
});
