import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from '@sinclair/typebox';
import type { Operations } from '../../operations/operations.js';
import { DatasetId } from '../../schemas/common.js';
import { Dataset, DatasetSummary, LayoutWanted } from '../../schemas/datasets.js';
import { listOf, listQuery, pageOf } from '../../schemas/lists.js';
import { clientLeft } from '../client-signal.js';
import type { DialectContext } from '../dialect.js';
import { isForm } from '../forms.js';
import { archiveBody, archiveOf, readArchiveForm, takingOf } from './archive-form.js';
import { linksOf } from './links.js';

const TakingQuery = Type.Object(
  {
    dry_run: Type.Optional(Type.String({ description: '`true`: say how the archive is understood, and keep nothing' })),
    layout: Type.Optional(Type.String({ description: 'JSON as in the form field `layout`, for a raw body' })),
    name: Type.Optional(Type.String({ maxLength: 255, description: 'What the data set is called' })),
  },
  { additionalProperties: false },
);
const TAKING_FIELDS = {
  dry_run: Type.Optional(Type.Boolean({ description: 'Say how the archive is understood, and keep nothing' })),
  layout: Type.Optional(LayoutWanted),
  name: Type.Optional(
    Type.String({ maxLength: 255, description: 'What the data set is called; default: as its file' }),
  ),
};
const Parameters = Type.Object({ id: DatasetId });

export function datasetRoutes({ datasets }: Operations, context: DialectContext): FastifyPluginAsyncTypebox {
  return async (app) => {
    const links = linksOf(app, context.config);

    app.post(
      '/datasets',
      {
        schema: {
          operationId: 'createDataset',
          tags: ['Data sets'],
          summary: 'Upload an archive of labelled photos',
          description:
            'A zip, tar or tar.gz as the form field `file` or as the raw body, of any size up to MAX_UPLOAD_BYTES. Labels come from class folders, optionally under `train/`, `validation/` and `test/`, or from a `labels.csv`, `metadata.csv` or `metadata.jsonl` with `file_name` and `label`. The answer says how the archive was understood, and names every file that was not taken, and why. `dry_run` answers that and keeps nothing; `layout` overrules the guess. Both are form fields, or parameters beside a raw body. Several archives in one form become one data set.',
          querystring: TakingQuery,
          response: { 200: Dataset, 201: Dataset },
        },
        config: { scope: 'train', body: archiveBody(TAKING_FIELDS, { raw: true }) },
      },
      async (request, reply) => {
        const { caller } = request;
        const signal = clientLeft(reply);
        let taking = takingOf(new Map(Object.entries(request.query)));
        const dataset = isForm(request)
          ? await datasets.createFromForm({
              caller,
              receive: async (take) => {
                taking = { ...taking, ...takingOf(await readArchiveForm(request, context, signal, take, [])) };
                return taking;
              },
            })
          : await datasets.create({ caller, archive: archiveOf(request, context, signal), ...taking });
        if (taking.dryRun) return reply.status(200).send(dataset);
        return reply
          .status(201)
          .header('location', links.to(`/datasets/${dataset.id}`))
          .send(dataset);
      },
    );

    app.get(
      '/datasets',
      {
        schema: {
          operationId: 'listDatasets',
          tags: ['Data sets'],
          summary: 'List data sets, newest first',
          querystring: listQuery(DatasetId),
          response: { 200: listOf(DatasetSummary) },
        },
        config: { scope: 'read' },
      },
      ({ caller, query }) => datasets.list({ caller, ...pageOf(query) }),
    );

    app.get(
      '/datasets/:id',
      {
        schema: {
          operationId: 'getDataset',
          tags: ['Data sets'],
          summary: 'Show a data set',
          params: Parameters,
          response: { 200: Dataset },
        },
        config: { scope: 'read' },
      },
      ({ caller, params }) => datasets.get({ caller, ...params }),
    );

    app.delete(
      '/datasets/:id',
      {
        schema: {
          operationId: 'deleteDataset',
          tags: ['Data sets'],
          summary: 'Delete a data set; models trained on it stay',
          params: Parameters,
          response: { 204: Type.Null({ description: 'It is gone' }) },
        },
        config: { scope: 'admin' },
      },
      async ({ caller, params }, reply) => {
        await datasets.delete({ caller, ...params });
        return reply.status(204).send(null);
      },
    );
  };
}
