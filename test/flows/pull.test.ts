/** A network that is pulled over the API: real weights from a mirror on this machine, a worker, and a model on top of it. */
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { PACKAGE_ROOT } from '../../src/config.js';
import type { Job, JobEvent } from '../../src/schemas/jobs.js';
import { serveFile } from '../helpers/file-server.js';
import { photos, upload } from '../helpers/photos.js';
import { serviceForTest } from '../helpers/service.js';
import { needs, SHARED } from '../helpers/shared.js';

const WEIGHTS = ['backbones', 'mobilenet_v1_025', 'classifier.onnx'];

t.test('a job fetches it, says how far it is, and what comes of it is used at once', needs(...WEIGHTS), async (t) => {
  const file = readFileSync(join(SHARED, ...WEIGHTS));
  const models = join(t.testdir(), 'models');
  mkdirSync(models);
  cpSync(join(PACKAGE_ROOT, 'models', 'rootstock_s'), join(models, 'rootstock_s'), { recursive: true });
  const network = {
    id: 'small',
    name: 'MobileNet v1 0.25',
    family: 'mobilenet',
    exporter: 'keras',
    file: 'small.onnx',
    paths: ['somewhere/small.onnx'],
    bytes: file.length,
    sha256: createHash('sha256').update(file).digest('hex'),
    license: 'Apache-2.0',
    imagenet_top1: null,
    preset: 'tf',
    input_px: 224,
    note: null,
  };
  const gone = { ...network, id: 'gone', paths: ['nowhere/gone.onnx'] };
  writeFileSync(
    join(models, 'catalog.json'),
    JSON.stringify({ base: 'https://models.test', networks: [network, gone], missing: [] }),
  );
  const mirror = await serveFile(t, file, ({ request, response, send }) => {
    if (request.url === '/somewhere/small.onnx') send();
    else response.writeHead(404).end();
  });
  const service = await serviceForTest(t, { env: { MODELS_DIR: models, BACKBONE_MIRROR: mirror.url } });
  const pull = (id: string) =>
    service.json<Job>('/v1/backbones/pull', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ id }),
      status: 202,
    });

  const job = await service.ended((await pull('small')).id);
  t.match(
    job,
    { status: 'succeeded', kind: 'pull', backbone: 'small', output: { name: network.name } },
    job.error?.message ?? 'no error',
  );
  const { data: events } = await service.json<{ data: JobEvent[] }>(`/v1/jobs/${job.id}/events`);
  t.ok(events.some(({ message }) => /^Importing/.test(message)));
  t.match((await service.json<{ data: object[] }>('/v1/backbones')).data, [{ id: 'rootstock_s' }, { id: 'small' }]);
  t.match(await service.json('/v1/backbones/catalog'), {
    data: [{ id: 'small', installed: true }, { installed: false }],
  });
  t.equal((await service.ended((await pull('small')).id)).status, 'succeeded', 'it is here already');
  t.equal(mirror.requests.length, 1, 'and is not fetched again');

  const failed = await service.ended((await pull('gone')).id);
  t.match(failed, { status: 'failed', error: { code: 'download_failed', message: /could not be fetched/ } });

  const { id: dataset } = await upload(service, await photos(['left', 'right'], 6));
  const trained = await service.json<Job>('/v1/jobs', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ dataset, model: 'm', backbone: 'small' }),
    status: 202,
  });
  t.match(await service.ended(trained.id), { status: 'succeeded', backbone: 'small' });
});
