import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from '@sinclair/typebox';
import type { FastifyRequest } from 'fastify';
import { AppError } from '../../errors.js';
import type { Operations } from '../../operations/operations.js';
import { LayoutWanted } from '../../schemas/datasets.js';
import { CreateJob, Job, JobSettings } from '../../schemas/jobs.js';
import { mediaType, readJsonBody } from '../bodies.js';
import { clientLeft } from '../client-signal.js';
import type { DialectContext } from '../dialect.js';
import { isForm } from '../forms.js';
import { compileCheck } from '../validation.js';
import { announcedBytes, archiveBody, readArchiveForm, takingOf } from './archive-form.js';
import { IdempotencyHeader } from './idempotency.js';
import { linksOf } from './links.js';

/** What a body by itself is that should have come in a form. */
const ARCHIVES = /^(application\/(zip|x-zip-compressed|x-tar|gzip|x-gzip|octet-stream)|image\/.*)$/;
/** Fields of a form that are written as JSON; the others are text. */
const JSON_FIELDS = new Set(['hyperparameters', 'seed', 'validation_fraction', 'test_fraction']);

const checkCreateJob = compileCheck(CreateJob);
const checkSettings = compileCheck(JobSettings);

export function trainRoutes({ train }: Operations, context: DialectContext): FastifyPluginAsyncTypebox {
  const { config } = context;

  const readSettings = async (request: FastifyRequest): Promise<CreateJob> => {
    if (ARCHIVES.test(mediaType(request))) {
      throw new AppError(
        'unsupported_media_type',
        'An archive alone does not say which model it is for. Send it as a form with the fields `file` and `model`, or to /v1/datasets first.',
      );
    }
    return checkCreateJob(await readJsonBody(request, config.MAX_JSON_BYTES, 'MAX_JSON_BYTES'), 'body');
  };

  return async (app) => {
    const links = linksOf(app, config);

    app.post(
      '/jobs',
      {
        schema: {
          operationId: 'createJob',
          tags: ['Jobs'],
          summary: 'Train a model',
          description:
            'JSON that names a data set, or a form with the archive itself as `file` and the same fields (objects as JSON). 202 promises that the job will run, whatever is restarted meanwhile.',
          headers: IdempotencyHeader,
          response: { 202: Job },
        },
        config: {
          scope: 'train',
          body: {
            'application/json': {
              schema: CreateJob,
              example: { dataset: 'ds_01k0000000000000000000000x', model: 'my-first' },
            },
            ...archiveBody({ ...JobSettings.properties, layout: Type.Optional(LayoutWanted) }),
          },
        },
      },
      async (request, reply) => {
        const common = { caller: request.caller, idempotencyKey: request.headers['idempotency-key'] };
        const signal = clientLeft(reply);
        const submit = async () => {
          const { dataset, ...settings } = await readSettings(request);
          return train.onDataset({ ...common, dataset, settings });
        };
        const { job, replayed } = isForm(request)
          ? await train.onForm({
              ...common,
              bytes: announcedBytes(request),
              receive: async (take) => {
                const fields = await readArchiveForm(
                  request,
                  context,
                  signal,
                  take,
                  Object.keys(JobSettings.properties),
                );
                const { layout, name } = takingOf(fields);
                const settings = checkSettings(settingsOf(fields), 'form');
                return { settings, ...(layout && { layout }), ...(name !== undefined && { name }) };
              },
            })
          : await submit();
        if (replayed) reply.header('idempotency-replayed', 'true');
        return reply
          .status(202)
          .header('location', links.to(`/jobs/${job.id}`))
          .send(links.job(job));
      },
    );
  };
}

/** Fields of a form as settings, not yet checked. */
function settingsOf(fields: Map<string, string>): Record<string, unknown> {
  return Object.fromEntries(
    [...fields].map(([name, text]) => {
      if (!JSON_FIELDS.has(name)) return [name, text];
      try {
        return [name, JSON.parse(text)];
      } catch {
        throw new AppError(
          'invalid_request',
          `form: ${name} must be ${name === 'hyperparameters' ? 'JSON' : 'a number'}.`,
        );
      }
    }),
  );
}
