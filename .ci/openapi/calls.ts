// Ordinary calls, as people write them with openapi-fetch and the types that openapi-typescript makes of openapi.yaml. They
// are compiled, not run.
import createClient from 'openapi-fetch';
import type { components, paths } from './schema.js';

const graft = createClient<paths>({ baseUrl: 'http://localhost:8080', headers: { authorization: 'Bearer graft_…' } });

export async function train(archive: Blob): Promise<components['schemas']['Job']> {
  const form = new FormData();
  form.set('file', archive, 'photos.zip');
  const { data: dataset, error } = await graft.POST('/v1/datasets', { body: form as never });
  if (error) throw new Error(`${error.code}: ${error.detail}`);
  const { data: job } = await graft.POST('/v1/jobs', {
    params: { header: { 'idempotency-key': 'once' } },
    body: { dataset: dataset.id, model: 'my-first', head: 'linear', hyperparameters: { epochs: 20 } },
  });
  if (!job) throw new Error('no job');
  return job;
}

export async function follow(id: string): Promise<number | null> {
  const { data: job } = await graft.GET('/v1/jobs/{id}', { params: { path: { id } } });
  const { data: jobs } = await graft.GET('/v1/jobs', { params: { query: { status: 'running', limit: 10 } } });
  for (const { progress, seconds_left } of jobs?.data ?? []) console.log(progress, seconds_left);
  return job?.accuracy ?? null;
}

export async function predict(image: Uint8Array): Promise<string | undefined> {
  const { data } = await graft.POST('/v1/models/{model}/predict', {
    params: { path: { model: 'my-first' }, query: { top_k: 3 } },
    body: { images: [Buffer.from(image).toString('base64')] },
  });
  const { data: raw } = await graft.POST('/v1/models/{model}/aliases/{alias}/predict', {
    params: { path: { model: 'my-first', alias: 'production' } },
    headers: { 'content-type': 'image/jpeg' },
    body: image as never,
    bodySerializer: (body) => body as never,
  });
  return (data ?? raw)?.results[0]?.predictions[0]?.label;
}

export async function manage(): Promise<void> {
  const path = { model: 'my-first', version: 1 };
  const { data: report } = await graft.GET('/v1/models/{model}/versions/{version}/report', { params: { path } });
  console.log(report?.evaluation?.accuracy);
  await graft.PUT('/v1/models/{model}/aliases/{alias}', {
    params: { path: { model: 'my-first', alias: 'production' } },
    body: { version: 1, expected: null },
  });
  await graft.GET('/v1/models/{model}/versions/{version}/files/{path}', {
    params: { path: { ...path, path: 'labels.json' } },
  });
  const { data: artifact } = await graft.GET('/v1/models/{model}/versions/{version}/artifact', {
    params: { path, query: { format: 'onnx' } },
    parseAs: 'blob',
  });
  console.log(artifact?.size);
  const { error } = await graft.DELETE('/v1/models/{model}', { params: { path: { model: 'my-first' } } });
  if (error) console.error(error.status, error.code, error.detail);
}
