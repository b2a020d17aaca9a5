import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { type Static, Type } from '@sinclair/typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { VersionReference } from '../../operations/classify.js';
import type { Operations } from '../../operations/operations.js';
import { AliasName, ModelName, VersionNumber } from '../../schemas/common.js';
import { Prediction } from '../../schemas/predictions.js';
import { clientLeft } from '../client-signal.js';
import type { DialectContext } from '../dialect.js';
import { examplesBody, PredictOptions, readAsked } from './example-bodies.js';

const route = (operationId: string, summary: string) => ({
  schema: {
    operationId,
    tags: ['Predictions'],
    summary,
    description:
      'Send one image as the body, several as a form, or base64 in JSON. `top_k`, `explain` and the others may stand in the query, in the form or in the JSON.',
    querystring: PredictOptions,
    response: { 200: Prediction },
  },
  config: { scope: 'predict' as const, body: examplesBody() },
});

export function predictionRoutes(
  { classify }: Operations,
  { config, predictionBodies }: DialectContext,
): FastifyPluginAsyncTypebox {
  const predict = async (
    request: FastifyRequest,
    reply: FastifyReply,
    model: string,
    reference: VersionReference,
  ): Promise<Prediction> => {
    const share = predictionBodies.open();
    try {
      return await classify({
        caller: request.caller,
        model,
        reference,
        read: () => readAsked(request, config, share, request.query as Static<typeof PredictOptions>),
        signal: clientLeft(reply),
      });
    } finally {
      share.close();
    }
  };

  return async (app) => {
    const latest = route('predict', 'Classify images with the newest version');
    app.post(
      '/models/:model/predict',
      { ...latest, schema: { ...latest.schema, params: Type.Object({ model: ModelName }) } },
      (request, reply) => predict(request, reply, request.params.model, 'latest'),
    );
    const numbered = route('predictWithVersion', 'Classify images with one version');
    app.post(
      '/models/:model/versions/:version/predict',
      {
        ...numbered,
        schema: { ...numbered.schema, params: Type.Object({ model: ModelName, version: VersionNumber }) },
      },
      (request, reply) => predict(request, reply, request.params.model, { version: request.params.version }),
    );
    const aliased = route('predictWithAlias', 'Classify images with the version an alias points at');
    app.post(
      '/models/:model/aliases/:alias/predict',
      { ...aliased, schema: { ...aliased.schema, params: Type.Object({ model: ModelName, alias: AliasName }) } },
      (request, reply) => predict(request, reply, request.params.model, { alias: request.params.alias }),
    );
  };
}
