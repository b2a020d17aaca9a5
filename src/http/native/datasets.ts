import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from '@sinclair/typebox';
import type { Operations } from '../../operations/operations.js';
import type { TakeArchive } from '../../operations/receive-form.js';
import { DatasetId, Sha256 } from '../../schemas/common.js';
import { Dataset, DatasetSummary, LayoutWanted } from '../../schemas/datasets.js';
import { listOf, listQuery, pageOf } from '../../schemas/lists.js';
import { Job } from '../../schemas/jobs.js';
import { clientLeft } from '../client-signal.js';
import type { DialectContext } from '../dialect.js';
import { isForm } from '../forms.js';
import { announcedBytes, archiveBody, archiveOf, readArchiveForm, takingOf } from './archive-form.js';
import { sendFile } from '../send-file.js';
import { IdempotencyHeader } from './idempotency.js';
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
const Headers = Type.Object({
  ...IdempotencyHeader.properties,
  prefer: Type.Optional(
    Type.String({ maxLength: 255, description: '`respond-async`: answer once the archive has arrived (RFC 7240)' }),
  ),
});
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
            'A zip, tar or tar.gz as the form field `file` or as the raw body, of any size up to MAX_UPLOAD_BYTES. Labels come from class folders, optionally under `train/`, `validation/` and `test/`, or from a `labels.csv`, `metadata.csv` or `metadata.jsonl` with `file_name` and `label`. The answer says how the archive was understood, and names every file that was not taken, and why. `dry_run` answers that and keeps nothing; `layout` overrules the guess. Both are form fields, or parameters beside a raw body. Several archives in one form become one data set. With `Prefer: respond-async` the answer is 202 and a job of kind `intake` once the archive has arrived; its output says how the archive was understood. That is for large uploads through a proxy that does not wait.',
          querystring: TakingQuery,
          headers: Headers,
          response: { 200: Dataset, 201: Dataset, 202: Job },
        },
        config: { scope: 'train', body: archiveBody(TAKING_FIELDS, { raw: true }) },
      },
      async (request, reply) => {
        const signal = clientLeft(reply);
        let taking = takingOf(new Map(Object.entries(request.query)));
        const upload = {
          caller: request.caller,
          bytes: announcedBytes(request),
          idempotencyKey: request.headers['idempotency-key'],
          receive: async (take: TakeArchive) => {
            if (isForm(request)) {
              taking = { ...taking, ...takingOf(await readArchiveForm(request, context, signal, take, [])) };
            } else await take(archiveOf(request, context, signal));
            return taking;
          },
        };
        if (prefersJob(request.headers.prefer) && !taking.dryRun) {
          const { job, replayed } = await datasets.intake(upload);
          if (replayed) reply.header('idempotency-replayed', 'true');
          return reply
            .status(202)
            .header('preference-applied', 'respond-async')
            .header('location', links.to(`/jobs/${job.id}`))
            .send(links.job(job));
        }
        const { dataset, replayed } = await datasets.create(upload);
        if (replayed) reply.header('idempotency-replayed', 'true');
        if (taking.dryRun) return reply.status(200).send(dataset);
        return reply
          .status(201)
          .header('location', links.to(`/datasets/${dataset.id}`))
          .send(dataset);
      },
    );

    app.post(
      '/datasets/drawn',
      {
        schema: {
          operationId: 'drawDataset',
          tags: ['Data sets'],
          summary: 'Make a data set of photos that Graft draws',
          description: 'Four kinds of things, the same every time: for whoever has no photos at hand.',
          headers: IdempotencyHeader,
          response: { 201: Dataset },
        },
        config: { scope: 'train' },
      },
      async ({ caller, headers }, reply) => {
        const { dataset, replayed } = await datasets.draw({ caller, idempotencyKey: headers['idempotency-key'] });
        if (replayed) reply.header('idempotency-replayed', 'true');
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

    app.get(
      '/datasets/:id/examples/:sha256',
      {
        schema: {
          operationId: 'getExample',
          tags: ['Data sets'],
          summary: 'The content of an example, as it was uploaded',
          description: 'With its own media type, `ETag` and `Range`. Once the data set is deleted it is gone.',
          params: Type.Object({ id: DatasetId, sha256: Sha256 }),
          produces: ['application/octet-stream'],
        },
        config: { scope: 'read' },
      },
      async (request, reply) => {
        const content = await datasets.content({ caller: request.caller, ...request.params });
        // A day and not for ever: content can be erased.
        return sendFile(request, reply, { ...content, cacheControl: 'private, max-age=86400' });
      },
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

/** RFC 7240: preferences are separated by commas, and each may have parameters. */
function prefersJob(prefer = ''): boolean {
  return prefer.split(',').some((preference) => preference.split(';')[0]!.trim().toLowerCase() === 'respond-async');
}
