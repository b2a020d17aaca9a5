import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from '@sinclair/typebox';
import type { Operations } from '../../operations/operations.js';
import { DatasetId } from '../../schemas/common.js';
import { Dataset, DatasetSummary } from '../../schemas/datasets.js';
import { ListQuery, listOf } from '../../schemas/lists.js';
import { takeRawBodies } from '../bodies.js';
import { clientLeft } from '../client-signal.js';
import type { DialectContext } from '../dialect.js';
import { archiveBody, archiveOf, readArchiveForm } from './archive-form.js';

const Parameters = Type.Object({ id: DatasetId });

export function datasetRoutes({ datasets }: Operations, context: DialectContext): FastifyPluginAsyncTypebox {
  return async (app) => {
    takeRawBodies(app);

    app.post(
      '/datasets',
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
        const { caller } = request;
        const signal = clientLeft(reply);
        const dataset = request.isMultipart()
          ? await datasets.createFromForm({
              caller,
              receive: (take) => readArchiveForm(request, context, signal, take),
            })
          : await datasets.create({ caller, archive: archiveOf(request, signal) });
        return reply.status(201).header('location', `${app.prefix}/datasets/${dataset.id}`).send(dataset);
      },
    );

    app.get(
      '/datasets',
      {
        schema: {
          tags: ['Data sets'],
          summary: 'List data sets, newest first',
          querystring: ListQuery,
          response: { 200: listOf(DatasetSummary) },
        },
      },
      ({ caller, query }) => datasets.list({ caller, ...query }),
    );

    app.get(
      '/datasets/:id',
      { schema: { tags: ['Data sets'], summary: 'Show a data set', params: Parameters, response: { 200: Dataset } } },
      ({ caller, params }) => datasets.get({ caller, ...params }),
    );

    app.delete(
      '/datasets/:id',
      {
        schema: {
          tags: ['Data sets'],
          summary: 'Delete a data set; models trained on it stay',
          params: Parameters,
          response: { 204: Type.Null() },
        },
      },
      async ({ caller, params }, reply) => {
        await datasets.delete({ caller, ...params });
        return reply.status(204).send(null);
      },
    );
  };
}
