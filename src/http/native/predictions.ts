import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { type Static, Type } from '@sinclair/typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { AppError } from '../../errors.js';
import type { VersionReference } from '../../operations/classify.js';
import { MAX_EXPLAINED } from '../../operations/explain.js';
import type { Operations } from '../../operations/operations.js';
import { AliasName, ModelName, strict, VersionNumber } from '../../schemas/common.js';
import { Prediction } from '../../schemas/predictions.js';
import { takeRawBodies } from '../bodies.js';
import { clientLeft } from '../client-signal.js';
import type { DialectContext } from '../dialect.js';
import { examplesBody, readExamples } from './example-bodies.js';

const Query = Type.Object(
  {
    top_k: Type.Integer({ minimum: 1, maximum: 10_000, default: 5, description: 'Predictions per image, best first' }),
    explain: Type.Boolean({ default: false, description: `Say why, too; at most ${MAX_EXPLAINED} images per request` }),
    class: Type.Optional(Type.String({ description: 'Label to explain; default: the predicted one' })),
    nearest: Type.Integer({
      minimum: 0,
      maximum: 50,
      default: 5,
      description: 'Most similar training images to name in an explanation',
    }),
  },
  strict,
);

const route = (summary: string) => ({
  schema: { tags: ['Predictions'], summary, querystring: Query, response: { 200: Prediction } },
  config: { body: examplesBody() },
});

export function predictionRoutes(
  { classify, explain }: Operations,
  { config, predictionBodies }: DialectContext,
): FastifyPluginAsyncTypebox {
  const predict = async (
    request: FastifyRequest,
    reply: FastifyReply,
    model: string,
    reference: VersionReference,
  ): Promise<Prediction> => {
    const { top_k, class: label, nearest, explain: why } = request.query as Static<typeof Query>;
    if (!why && label !== undefined) {
      throw new AppError('invalid_request', 'querystring: class is the class to explain; add explain=true.');
    }
    const share = predictionBodies.open();
    const asked = {
      caller: request.caller,
      model,
      reference,
      topK: top_k,
      examples: () => readExamples(request, config, share),
      signal: clientLeft(reply),
    };
    try {
      return await (why ? explain({ ...asked, label, nearest }) : classify(asked));
    } finally {
      share.close();
    }
  };

  return async (app) => {
    takeRawBodies(app);

    const latest = route('Classify images with the newest version');
    app.post(
      '/models/:model/predict',
      { ...latest, schema: { ...latest.schema, params: Type.Object({ model: ModelName }) } },
      (request, reply) => predict(request, reply, request.params.model, 'latest'),
    );
    const numbered = route('Classify images with one version');
    app.post(
      '/models/:model/versions/:version/predict',
      {
        ...numbered,
        schema: { ...numbered.schema, params: Type.Object({ model: ModelName, version: VersionNumber }) },
      },
      (request, reply) => predict(request, reply, request.params.model, { version: request.params.version }),
    );
    const aliased = route('Classify images with the version an alias points at');
    app.post(
      '/models/:model/aliases/:alias/predict',
      { ...aliased, schema: { ...aliased.schema, params: Type.Object({ model: ModelName, alias: AliasName }) } },
      (request, reply) => predict(request, reply, request.params.model, { alias: request.params.alias }),
    );
  };
}
