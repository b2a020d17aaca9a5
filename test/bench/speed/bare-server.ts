/**
 * The least a service in Node can be: `node:http` around Graft's own decoding and backbone, and nothing else. A process of its
 * own; arguments: the folder of backbones and the one to use. It says its port when it is ready.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { availableParallelism } from 'node:os';
import { buffer } from 'node:stream/consumers';
import { Backbones } from '../../../src/backbones/backbones.js';
import { EmbeddedBackbones } from '../../../src/backbones/embedded.js';
import { decodeImage } from '../../../src/backbones/image/pixels.js';

const [folder, id] = process.argv.slice(2);
const backbones = new Backbones({
  source: new EmbeddedBackbones({ folder: folder! }),
  threads: availableParallelism(),
  provider: 'cpu',
});
const backbone = await backbones.load(id!);
const server = createServer(async (request, response) => {
  const photo = await buffer(request);
  const began = performance.now();
  const pixels = await decodeImage(photo, backbone.card, { maxPixels: 1e8 });
  const decoded = performance.now();
  await backbone.embed(pixels, 1);
  const timings = { decode_ms: decoded - began, queue_ms: 0, inference_ms: performance.now() - decoded };
  response.end(JSON.stringify({ results: [{ predictions: [] }], timings }));
});
server.listen(0, '127.0.0.1', () => process.send!((server.address() as AddressInfo).port));
process.on('disconnect', () => process.exit(0));
