import { once } from 'node:events';
import type { OutgoingHttpHeaders } from 'node:http';
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { type Static, Type } from '@sinclair/typebox';
import type { ErrorObject } from 'ajv';
import type { FastifyRequest } from 'fastify';
import { AppError } from '../../errors.js';
import { JobId } from '../../schemas/common.js';
import type { Dataset } from '../../schemas/datasets.js';
import { CreateJob, Job, JobEvent, JobSettings } from '../../schemas/jobs.js';
import { clientLeft } from '../client-signal.js';
import type { ApiDependencies } from '../dependencies.js';
import { invalid } from '../problem.js';
import { archiveBody, takeRawBodies } from '../raw-bodies.js';
import { readBody } from '../upload.js';
import { compileCheck } from '../validation.js';
import { ListQuery, listOf } from './list.js';
import { receiveArchive } from './receive-archive.js';

const Parameters = Type.Object({ id: JobId });
const Headers = Type.Object({
  'idempotency-key': Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 255,
      description: 'The same key and request again answer with the same job',
    }),
  ),
});
const EventQuery = Type.Object(
  { after: Type.Optional(Type.Integer({ minimum: 0, description: 'Only events with a higher `seq`' })) },
  { additionalProperties: false },
);
const KEEP_ALIVE_MS = 15_000;

const checkCreateJob = compileCheck(CreateJob);
const checkSettings = compileCheck(JobSettings);

export function jobRoutes(dependencies: ApiDependencies): FastifyPluginAsyncTypebox {
  const { jobs, datasets, registry, backbones, config, checkTraining } = dependencies;

  const submit = async (
    request: FastifyRequest,
    { dataset, settings, content }: { dataset: Dataset; settings: Static<typeof JobSettings>; content?: string },
  ) => {
    const { id: backbone } = await backbones.card(settings.backbone ?? config.DEFAULT_BACKBONE);
    checkTraining(dataset, settings);
    await registry.refuseMoreThan(config.MAX_MODELS, request.tenant, settings.model);
    const key = request.headers['idempotency-key'];
    return jobs.submit({
      tenant: request.tenant,
      requestId: request.id,
      dataset: dataset.id,
      settings: { ...settings, backbone },
      ...(typeof key === 'string' && { idempotencyKey: key }),
      ...(content !== undefined && { content }),
    });
  };

  /** Photos and settings in one form. What does not become a job leaves no data set behind. */
  const submitForm = async (request: FastifyRequest, signal: AbortSignal) => {
    const { tenant } = request;
    const { dataset, fields } = await receiveArchive(request, { datasets, config }, signal);
    try {
      const settings = settingsFromFields(fields);
      if (!checkSettings(settings)) throw invalid(checkSettings.errors as ErrorObject[], 'form');
      const submitted = await submit(request, {
        dataset,
        settings: settings as Static<typeof JobSettings>,
        content: dataset.sha256,
      });
      if (submitted.job.dataset !== dataset.id) await datasets.delete(tenant, dataset.id); // a replay
      return submitted;
    } catch (error) {
      await datasets.delete(tenant, dataset.id);
      throw error;
    }
  };

  const submitJson = async (request: FastifyRequest) => {
    const type = request.headers['content-type'] ?? '';
    if (!/^application\/([\w.+-]+\+)?json\b/i.test(type)) {
      throw new AppError(
        'unsupported_media_type',
        'Send the settings as application/json, or archive and settings as multipart/form-data.',
      );
    }
    const text = (await readBody(request.raw, config.MAX_JSON_BYTES, 'MAX_JSON_BYTES')).toString('utf8');
    const body = parseJson(text);
    if (!checkCreateJob(body)) throw invalid(checkCreateJob.errors as ErrorObject[], 'body');
    const { dataset, ...settings } = body as Static<typeof CreateJob>;
    return submit(request, { dataset: await datasets.get(request.tenant, dataset), settings });
  };

  return async (app) => {
    takeRawBodies(app);
    const closing = new AbortController();
    const streams = new Map<string, number>();
    app.addHook('preClose', async () => closing.abort());

    app.post(
      '/v1/jobs',
      {
        schema: {
          tags: ['Jobs'],
          summary: 'Train a model',
          description:
            'JSON that names a data set, or a form with the archive itself as `file` and the same fields (objects as JSON). 202 promises that the job will run, whatever is restarted meanwhile.',
          headers: Headers,
          response: { 202: Job },
        },
        config: {
          body: {
            'application/json': { schema: CreateJob },
            ...archiveBody(JobSettings.properties),
          },
        },
      },
      async (request, reply) => {
        const { job, replayed } = request.isMultipart()
          ? await submitForm(request, clientLeft(reply))
          : await submitJson(request);
        if (replayed) reply.header('idempotency-replayed', 'true');
        return reply.status(202).header('location', `/v1/jobs/${job.id}`).send(job);
      },
    );

    app.get(
      '/v1/jobs',
      {
        schema: {
          tags: ['Jobs'],
          summary: 'List jobs, newest first',
          querystring: ListQuery,
          response: { 200: listOf(Job) },
        },
      },
      ({ tenant, query }) => jobs.list(tenant, query),
    );

    app.get(
      '/v1/jobs/:id',
      { schema: { tags: ['Jobs'], summary: 'Show a job', params: Parameters, response: { 200: Job } } },
      ({ tenant, params }) => jobs.get(tenant, params.id),
    );

    app.post(
      '/v1/jobs/:id/cancel',
      {
        schema: {
          tags: ['Jobs'],
          summary: 'Cancel a job',
          description: 'A waiting job ends at once, a running one within seconds; follow its status.',
          params: Parameters,
          response: { 202: Job },
        },
      },
      async ({ tenant, params, raw }, reply) => {
        raw.resume();
        return reply.status(202).send(await jobs.cancel(tenant, params.id));
      },
    );

    app.get(
      '/v1/jobs/:id/events',
      {
        schema: {
          tags: ['Jobs'],
          summary: 'Events of a job',
          description:
            'A JSON list, or with `Accept: text/event-stream` a stream that ends when the job does and goes on after `Last-Event-ID`.',
          params: Parameters,
          querystring: EventQuery,
          response: { 200: listOf(JobEvent) },
        },
      },
      async (request, reply) => {
        const { tenant, params, query, headers } = request;
        if (!headers.accept?.includes('text/event-stream')) {
          return { data: await jobs.events(tenant, params.id, query.after), has_more: false };
        }
        await jobs.get(tenant, params.id);
        const open = streams.get(tenant) ?? 0;
        if (open >= config.MAX_EVENT_STREAMS) {
          throw new AppError(
            'overloaded',
            `${open} streams of events are open already (MAX_EVENT_STREAMS). Close some.`,
          );
        }
        streams.set(tenant, open + 1);
        const last = Number(headers['last-event-id'] ?? query.after ?? 0);
        const after = Number.isSafeInteger(last) && last > 0 ? last : 0;
        reply.hijack();
        const { raw } = reply;
        raw.writeHead(200, {
          ...(reply.getHeaders() as OutgoingHttpHeaders),
          'content-type': 'text/event-stream',
          'x-accel-buffering': 'no',
        });
        raw.write('retry: 1000\n\n');
        const left = new AbortController();
        raw.on('close', () => left.abort());
        if (raw.destroyed) left.abort(); // it went away while the job was looked up
        let written = Date.now();
        try {
          const signal = AbortSignal.any([left.signal, closing.signal]);
          for await (const event of jobs.follow(tenant, params.id, after, signal)) {
            if (event === undefined && Date.now() - written < KEEP_ALIVE_MS) continue;
            written = Date.now();
            const room = raw.write(
              event ? `id: ${event.seq}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n` : ': still here\n\n',
            );
            if (!room) await Promise.race([once(raw, 'drain'), once(raw, 'close')]);
          }
        } catch (error) {
          request.log.warn({ err: error }, 'an event stream broke off');
        } finally {
          streams.set(tenant, streams.get(tenant)! - 1);
        }
        raw.end();
      },
    );
  };
}

/** Fields of a form as settings: numbers and objects are written as JSON, everything else is text. */
function settingsFromFields(fields: Map<string, string>): Record<string, unknown> {
  const json = new Set(['hyperparameters', 'seed', 'validation_fraction', 'test_fraction']);
  return Object.fromEntries(
    [...fields].map(([name, text]) => {
      if (!json.has(name)) return [name, text];
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

function parseJson(text: string): unknown {
  if (text.trim() === '') throw new AppError('invalid_json', 'The body is empty where JSON was expected.');
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new AppError('invalid_json', `The body is not valid JSON: ${(error as Error).message}.`);
  }
}
