/** The client against servers that misbehave, and every operation of the service by name. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import t, { type Test } from 'tap';
import { parse } from 'yaml';
import { Graft, GraftConnectionError, GraftError, type GraftOptions } from '../../src/client/index.js';
import { PACKAGE_ROOT } from '../../src/config.js';
import { modelName } from '../../src/demo/run-demo.js';

async function serve(t: Test, answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

async function graftOf(t: Test, answer: RequestListener, options: GraftOptions = {}): Promise<Graft> {
  return new Graft({ url: await serve(t, answer), key: 'secret', ...options });
}

const json = (value: unknown) => JSON.stringify(value);
const problem = json({
  code: 'not_an_archive',
  detail: 'These bytes are no archive.',
  request_id: 'r1',
  accepted: ['zip'],
});

t.test('an upload says how far it is, in a folder and as bytes, with name, key and length', async (t) => {
  const seen: IncomingMessage['headers'][] = [];
  const graft = await graftOf(t, async (request, response) => {
    seen.push(request.headers);
    response.end(json({ id: 'ds_1', bytes: (await buffer(request)).length }));
  });
  const root = t.testdir({ 'my "photös"': { cat: { 'a.jpg': 'a'.repeat(3000) } } });
  const told: [number, number][] = [];
  const onProgress = (sent: number, total: number) => void told.push([sent, total]);
  const answer = (await graft.datasets.create(join(root, 'my "photös"'), { onProgress })) as unknown as {
    bytes: number;
  };
  t.equal(answer.bytes, 512 + 3072 + 1024);
  t.same(told.at(-1), [answer.bytes, answer.bytes]);
  t.match(seen[0], {
    authorization: 'Bearer secret',
    'content-length': String(answer.bytes),
    'content-disposition': `attachment; filename*=UTF-8''my%20%22phot%C3%B6s%22.tar`,
  });
  for (const source of [Buffer.from('abc'), new Blob(['abc']), Readable.from([Buffer.from('a'), Buffer.from('bc')])]) {
    t.equal(((await graft.datasets.create(source)) as unknown as { bytes: number }).bytes, 3);
  }
  await t.rejects(graft.datasets.create(join(root, 'nothing')), { code: 'ENOENT' });
  await t.rejects(graft.datasets.create([]), { message: /no files/ });
});

t.test('an upload that is refused early says why, and not that the pipe broke', async (t) => {
  const graft = await graftOf(t, (request, response) => {
    response.writeHead(415, { connection: 'close' }).end(problem, () => request.socket.destroySoon());
  });
  const large = new Blob([new Uint8Array(16 * 1024 * 1024)]);
  const error = await graft.datasets.create(large, { onProgress: () => undefined }).catch((error: unknown) => error);
  t.ok(error instanceof GraftError);
  t.match(error, { status: 415, code: 'not_an_archive', message: 'These bytes are no archive.' });
  t.match(error, { requestId: 'r1', details: { accepted: ['zip'] } });
});

t.test('a call is tried again where that may help, as late as asked, under one Idempotency-Key', async (t) => {
  const keys: unknown[] = [];
  let at = 0;
  const waits: number[] = [];
  const graft = await graftOf(t, async (request, response) => {
    await text(request);
    keys.push(request.headers['idempotency-key']);
    if (at > 0) waits.push(Date.now() - at);
    at = Date.now();
    if (keys.length === 1)
      response.writeHead(429, { 'retry-after': '1' }).end(json({ code: 'overloaded', detail: 'Full.' }));
    else if (keys.length === 2) request.socket.destroy();
    else response.end(json({ id: 'job_1' }));
  });
  t.match(await graft.jobs.create({ dataset: 'ds_1', model: 'm' }), { id: 'job_1' });
  t.equal(keys.length, 3);
  t.equal(new Set(keys).size, 1);
  t.ok(waits[0]! >= 990, `waited ${waits[0]} ms`);
});

t.test('what cannot help is not tried again, and what never works ends with its last error', async (t) => {
  let calls = 0;
  const refusing = await graftOf(t, (_request, response) => {
    calls += 1;
    response.writeHead(404, { 'x-request-id': 'r2' }).end('<html><h1>404</h1> nginx</html>');
  });
  await t.rejects(refusing.jobs.get('x'), {
    status: 404,
    code: 'not_graft',
    message: /404: 404 nginx/,
    requestId: 'r2',
  });
  t.equal(calls, 1);
  const busy = await graftOf(t, (_request, response) => void response.writeHead(503).end('{}'), { tries: 2 });
  t.match(await busy.jobs.get('x').catch((error: unknown) => error), { status: 503 });
  const gone = new Graft({ url: 'http://127.0.0.1:1', tries: 2 });
  const error = await gone.models.get('m').catch((error: unknown) => error);
  t.ok(error instanceof GraftConnectionError);
  t.match(error, { code: 'unreachable', message: /No Graft answers at http:\/\/127\.0\.0\.1:1\./ });
});

t.test('a signal ends a call, a wait between tries, and a stream', async (t) => {
  const graft = await graftOf(t, (_request, response) => {
    response.writeHead(429, { 'retry-after': '30' }).end('{}');
  });
  const stop = new AbortController();
  const reason = new Error('enough');
  setTimeout(() => stop.abort(reason), 100);
  await t.rejects(graft.jobs.get('x', { signal: stop.signal }), { message: 'enough' });
  await t.rejects(graft.jobs.get('x', { signal: AbortSignal.abort(reason) }), { message: 'enough' });
});

t.test('events go on where a stream broke off, and a wait ends with the job', async (t) => {
  const asked: unknown[] = [];
  const event = (seq: number, type: string) =>
    `id: ${seq}\nevent: ${type}\ndata: ${json({ seq, type, message: '', data: {} })}\n\n`;
  let status = 'succeeded';
  const graft = await graftOf(t, (request, response) => {
    if (!request.url!.endsWith('/events')) {
      const error =
        status === 'failed' ? { code: 'too_few_classes', message: 'One class.', details: { classes: 1 } } : null;
      return void response.end(json({ id: 'job_1', status, error }));
    }
    asked.push(request.headers['last-event-id']);
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    if (asked.length === 1) {
      response.write(`: hello\n\n${event(1, 'created')}${event(2, 'started').slice(0, 20)}`);
      setTimeout(() => request.socket.destroy(), 50);
    } else response.end(`${event(2, 'started')}${event(2, 'started')}${event(3, status)}`);
  });
  const seen: number[] = [];
  t.match(await graft.jobs.wait('job_1', { onEvent: ({ seq }) => void seen.push(seq) }), { status: 'succeeded' });
  t.same(seen, [1, 2, 3], 'each once');
  t.same(asked, [undefined, '1']);
  status = 'failed';
  await t.rejects(graft.jobs.wait('job_1'), {
    code: 'too_few_classes',
    message: 'One class.',
    details: { classes: 1 },
  });
});

t.test('a list is read to its end, page by page', async (t) => {
  const asked: string[] = [];
  const graft = await graftOf(t, (request, response) => {
    asked.push(request.url!);
    const after = Number(new URL(request.url!, 'http://x').searchParams.get('after') ?? 0);
    const data = [after + 1, after + 2].map((version) => ({ version }));
    response.end(json({ data, has_more: after < 4 }));
  });
  const versions: number[] = [];
  for await (const { version } of graft.models.versions('m', { limit: 2 })) versions.push(version);
  t.same(versions, [1, 2, 3, 4, 5, 6]);
  t.same(
    asked,
    ['', '&after=2', '&after=4'].map((more) => `/v1/models/m/versions?limit=2${more}`),
  );
  t.equal((await graft.models.versions('m').page()).data.length, 2);
});

t.test('every operation of the service has a method, which asks the right path', async (t) => {
  const { paths } = parse(readFileSync(join(PACKAGE_ROOT, 'openapi.yaml'), 'utf8')) as {
    paths: Record<string, Record<string, { operationId: string }>>;
  };
  let asked = '';
  const graft = await graftOf(t, async (request, response) => {
    await buffer(request);
    asked = `${request.method} ${request.url!.split('?')[0]}`;
    response.end(json({ data: [], has_more: false }));
  });
  const { datasets, jobs, models, backbones, service } = graft;
  const image = new Blob(['x']);
  const calls: Record<string, () => unknown> = {
    getLiveness: () => service.isAlive(),
    getReadiness: () => service.readiness(),
    getMetrics: () => service.metrics(),
    listAllJobs: () => service.jobs().page(),
    listDatasets: () => datasets.list().page(),
    createDataset: () => datasets.create(image),
    getDataset: () => datasets.get('ds_1'),
    getExample: () => datasets.example('ds_1', '0'.repeat(64)),
    drawDataset: () => datasets.draw(),
    deleteDataset: () => datasets.delete('ds_1'),
    createJob: () => jobs.create({ dataset: 'ds_1', model: 'm' }),
    listJobs: () => jobs.list().page(),
    getJob: () => jobs.get('job_1'),
    cancelJob: () => jobs.cancel('job_1'),
    listJobEvents: () =>
      jobs
        .events('job_1', { signal: AbortSignal.timeout(200) })
        .next()
        .catch(() => undefined),
    listModels: () => models.list().page(),
    getModel: () => models.get('m'),
    deleteModel: () => models.delete('m', { force: true }),
    listVersions: () => models.versions('m').page(),
    getVersion: () => models.version('m', 1),
    deleteVersion: () => models.deleteVersion('m', 1),
    listHeldOutPredictions: () => models.heldOut('m', 1).page(),
    getReport: () => models.report('m', { version: 1 }),
    getReportByAlias: () => models.report('m'),
    getCurvesChart: () => models.chart('m', 1, 'curves'),
    getConfusionChart: () => models.chart('m', 1, 'confusion'),
    getVersionFile: () => models.file('m', 1, 'labels.json'),
    getCard: () => models.card('m', { version: 1 }),
    getCardByAlias: () => models.card('m', { alias: 'latest', as: 'html' }),
    getArtifact: () => models.artifact('m', { version: 1, format: 'onnx' }),
    getArtifactByAlias: () => models.artifact('m'),
    setAlias: () => models.setAlias('m', 'production', { version: 1 }),
    deleteAlias: () => models.deleteAlias('m', 'production'),
    predict: () => models.predict('m', image),
    predictWithVersion: () => models.predictTexts('m', ['fine', 'dull'], { version: 1, explain: true }),
    predictWithAlias: () => models.explainAsPicture('m', image, { alias: 'production' }),
    listBackbones: () => backbones.list(),
    listBackboneCatalog: () => backbones.catalog(),
    pullBackbone: () => backbones.pull('mobilenet_v2'),
    recommendBackbone: () => backbones.recommend('ds_00000000000000000000000000'),
  };
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { operationId }]) => ({ path, method, operationId })),
  );
  for (const { path, method, operationId } of operations) {
    if (operationId === 'getService') continue; // the page, or a few words for those that are no browser
    const call = calls[operationId];
    if (!call) t.fail(`${operationId} has no method`);
    await call?.();
    const pattern = path.replace(/\{path\}/, '.+').replace(/\{\w+\}/g, '[^/]+');
    t.match(asked, new RegExp(`^${method.toUpperCase()} ${pattern}$`), operationId);
  }
});

t.test('a model is named after its photos, as the service takes it', (t) => {
  const names = ['/a/My Photos', 'cats-dogs.tar.gz', '/x/_ünder.ZIP', '/日本'].map(modelName);
  t.same(names, ['my-photos', 'cats-dogs', 'nder', 'demo']);
  t.end();
});
