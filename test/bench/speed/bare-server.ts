/**
 * The least a service in Node can be: `node:http` around Graft's own decoding and backbone, and nothing else. A process of its
 * own; arguments: the folder of backbones and the one to use. It says its port when it is ready.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { availableParallelism } from 'node:os';
import { buffer } from 'node:stream/consumers';
import { backbonesIn } from '../../helpers/backbones.js';

const [folder, id] = process.argv.slice(2);
const backbones = backbonesIn(folder!, { threads: availableParallelism(), provider: 'cpu' });
const backbone = await backbones.load(id!);
const server = createServer(async (request, response) => {
  const photo = await buffer(request);
  const began = performance.now();
  const pixels = await backbone.prepare(photo);
  const decoded = performance.now();
  await backbone.embed([pixels]);
  const timings = { decode_ms: decoded - began, queue_ms: 0, inference_ms: performance.now() - decoded };
  response.end(JSON.stringify({ results: [{ predictions: [] }], timings }));
});
server.listen(0, '127.0.0.1', () => process.send!((server.address() as AddressInfo).port));
process.on('disconnect', () => process.exit(0));
