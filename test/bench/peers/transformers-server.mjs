// A Fastify route around the image-classification pipeline of transformers.js: `node transformers-server.mjs <models>`.
import { env, pipeline, RawImage } from '@huggingface/transformers';
import { fastify } from 'fastify';

env.allowRemoteModels = false;
env.localModelPath = process.argv[2];
const classify = await pipeline('image-classification', 'mobilenet_v2', { dtype: 'fp32', device: 'cpu' });

const app = fastify();
app.addContentTypeParser('image/jpeg', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
app.post('/predict', async (request) => classify(await RawImage.fromBlob(new Blob([request.body]))));
await app.listen({ host: '127.0.0.1', port: 0 });
console.log(`port ${app.server.address().port}`);
