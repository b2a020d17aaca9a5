import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from '@sinclair/typebox';
import type { FastifyRequest } from 'fastify';
import { AppError } from '../../errors.js';
import { DatasetId } from '../../schemas/common.js';
import { Dataset, DatasetSummary } from '../../schemas/datasets.js';
import { clientLeft } from '../client-signal.js';
import type { ApiDependencies } from '../dependencies.js';
import { archiveBody, takeRawBodies } from '../raw-bodies.js';
import { claimedDigest, rawName } from '../upload.js';
import { ListQuery, listOf } from './list.js';
import { receiveArchive } from './receive-archive.js';

const Parameters = Type.Object({ id: DatasetId });

export function datasetRoutes({ datasets, jobs, config }: ApiDependencies): FastifyPluginAsyncTypebox {
  const createFromBody = (request: FastifyRequest, signal: AbortSignal) => {
    const expectedSha256 = claimedDigest(request);
    const by = request.apiKey ?? 'local';
    const upload = { tenant: request.tenant, by, source: request.raw, name: rawName(request), signal };
    return datasets.create({ ...upload, ...(expectedSha256 && { expectedSha256 }) });
  };

  return async (app) => {
    takeRawBodies(app);

    app.post(
      '/v1/datasets',
      {
        schema: {
          tags: ['Data sets'],
          summary: 'Upload an archive of labelled photos',
          description:
            'A zip, tar or tar.gz as the form field `file` or as the raw body, of any size up to MAX_UPLOAD_BYTES. Labels come from class folders, optionally under `train/`, `validation/` and `test/`, or from a `labels.csv`, `metadata.csv` or `metadata.jsonl` with `file_name` and `label`. The answer names every file that was not taken, and why.',
          response: { 201: Dataset },
        },
        config: { body: archiveBody() },
      },
      async (request, reply) => {
        const signal = clientLeft(reply);
        const dataset = request.isMultipart()
          ? (await receiveArchive(request, { datasets, config }, signal)).dataset
          : await createFromBody(request, signal);
        return reply.status(201).header('location', `/v1/datasets/${dataset.id}`).send(dataset);
      },
    );

    app.get(
      '/v1/datasets',
      {
        schema: {
          tags: ['Data sets'],
          summary: 'List data sets, newest first',
          querystring: ListQuery,
          response: { 200: listOf(DatasetSummary) },
        },
      },
      ({ tenant, query }) => datasets.list(tenant, query),
    );

    app.get(
      '/v1/datasets/:id',
      { schema: { tags: ['Data sets'], summary: 'Show a data set', params: Parameters, response: { 200: Dataset } } },
      ({ tenant, params }) => datasets.get(tenant, params.id),
    );

    app.delete(
      '/v1/datasets/:id',
      {
        schema: {
          tags: ['Data sets'],
          summary: 'Delete a data set; models trained on it stay',
          params: Parameters,
          response: { 204: Type.Null() },
        },
      },
      async ({ tenant, params }, reply) => {
        await datasets.get(tenant, params.id);
        if (await jobs.uses(tenant, params.id)) {
          throw new AppError(
            'dataset_in_use',
            `A job that has not ended needs data set '${params.id}'. Cancel it, or wait for its end.`,
          );
        }
        await datasets.delete(tenant, params.id);
        return reply.status(204).send(null);
      },
    );
  };
}
