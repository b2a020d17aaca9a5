import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import type { FastifyReply } from 'fastify';
import type { Submitted } from '../../operations/jobs.js';
import type { Operations } from '../../operations/operations.js';
import { BackboneCatalog, PullBackbone, RecommendBackbone, ServedBackbone } from '../../schemas/backbones.js';
import { Job } from '../../schemas/jobs.js';
import { listOf } from '../../schemas/lists.js';
import { readJsonBody } from '../bodies.js';
import type { DialectContext } from '../dialect.js';
import { compileCheck } from '../validation.js';
import { IdempotencyHeader } from './idempotency.js';
import { linksOf } from './links.js';

const tags = ['Backbones'];
const checkPull = compileCheck(PullBackbone);
const checkRecommend = compileCheck(RecommendBackbone);

export function backboneRoutes({ backbones }: Operations, { config }: DialectContext): FastifyPluginAsyncTypebox {
  return async (app) => {
    const links = linksOf(app, config);
    const accepted = (reply: FastifyReply, { job, replayed }: Submitted) => {
      if (replayed) reply.header('idempotency-replayed', 'true');
      return reply
        .status(202)
        .header('location', links.to(`/jobs/${job.id}`))
        .send(links.job(job));
    };

    app.get(
      '/backbones',
      {
        schema: {
          operationId: 'listBackbones',
          tags,
          summary: 'List the backbones that are installed',
          response: { 200: listOf(ServedBackbone) },
        },
        config: { scope: 'read' },
      },
      () => backbones.list() as never,
    );

    app.get(
      '/backbones/catalog',
      {
        schema: {
          operationId: 'listBackboneCatalog',
          tags,
          summary: 'List the public networks that can be pulled',
          response: { 200: BackboneCatalog },
        },
        config: { scope: 'operator' },
      },
      ({ caller }) => backbones.catalog({ caller }),
    );

    app.post(
      '/backbones/recommend',
      {
        schema: {
          operationId: 'recommendBackbone',
          tags,
          summary: 'Find out which installed backbone suits a data set',
          description:
            'A job of kind `recommend`: each installed backbone is tried on 200 examples. Its `output` says how often a linear head on each was right, how fast each is on the machine of the job, and which to take.',
          headers: IdempotencyHeader,
          response: { 202: Job },
        },
        config: { scope: 'train', body: { 'application/json': { schema: RecommendBackbone } } },
      },
      async (request, reply) => {
        const body = await readJsonBody(request, config.MAX_JSON_BYTES, 'MAX_JSON_BYTES');
        const { dataset } = checkRecommend(body, 'body');
        const idempotencyKey = request.headers['idempotency-key'];
        const { job, replayed } = await backbones.recommend({ caller: request.caller, dataset, idempotencyKey });
        return accepted(reply, { job, replayed });
      },
    );

    app.post(
      '/backbones/pull',
      {
        schema: {
          operationId: 'pullBackbone',
          tags,
          summary: 'Fetch a network of the catalog and make it a backbone',
          description:
            'A job of kind `pull`. Its file comes from the address in the catalog alone, or from BACKBONE_MIRROR, and must have the checksum in the catalog. ALLOW_PULL says who may.',
          headers: IdempotencyHeader,
          response: { 202: Job },
        },
        config: { scope: 'operator', body: { 'application/json': { schema: PullBackbone } } },
      },
      async (request, reply) => {
        const body = await readJsonBody(request, config.MAX_JSON_BYTES, 'MAX_JSON_BYTES');
        const { id, default: byDefault } = checkPull(body, 'body');
        const idempotencyKey = request.headers['idempotency-key'];
        const { job, replayed } = await backbones.pull({ caller: request.caller, id, byDefault, idempotencyKey });
        return accepted(reply, { job, replayed });
      },
    );
  };
}
