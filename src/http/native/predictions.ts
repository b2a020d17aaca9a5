import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { type Static, Type } from '@sinclair/typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Asked, VersionReference } from '../../operations/classify.js';
import { AppError } from '../../errors.js';
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
      'Send one image or text as the body, several as a form, or as JSON: `images` as base64, `texts` as they are. `top_k`, `explain` and the others may stand in the query, in the form or in the JSON.',
    querystring: PredictOptions,
    response: { 200: Prediction },
  },
  config: { scope: 'predict' as const, body: examplesBody() },
});

/** So many times as wide and as high as what the backbone sees, for people to look at. */
const OVERLAY_SCALE = 4;

/** Whether the answer is to be the overlay of an explanation, as a picture. */
function wantsPicture({ headers }: FastifyRequest): boolean {
  return /\bimage\/png\b/.test(headers.accept ?? '') && !/\b(application\/json|text\/html)\b/.test(headers.accept!);
}

/** @throws AppError `invalid_request` for several examples */
function asOnePicture(asked: Asked): Asked {
  if (asked.examples.length === 1) return { ...asked, explain: { nearest: 0, ...asked.explain, scale: OVERLAY_SCALE } };
  throw new AppError(
    'invalid_request',
    `${asked.examples.length} images were sent, and Accept: image/png is for the overlay of one. Send one, or ask for JSON.`,
  );
}

/** @throws AppError `format_unavailable` where there is none */
function overlayOf({ results }: Prediction): Buffer {
  const { explanation } = results[0]!;
  const png = explanation?.overlay?.png;
  if (png) return Buffer.from(png.slice(png.indexOf(',') + 1), 'base64');
  throw new AppError('format_unavailable', `There is no overlay. ${explanation?.no_map ?? 'The backbone gives none.'}`);
}

export function predictionRoutes(
  { classify }: Operations,
  { config, predictionBodies }: DialectContext,
): FastifyPluginAsyncTypebox {
  const predict = async (
    request: FastifyRequest,
    reply: FastifyReply,
    model: string,
    reference: VersionReference,
  ): Promise<void> => {
    const share = predictionBodies.open();
    try {
      const asPicture = wantsPicture(request);
      const prediction = await classify({
        caller: request.caller,
        model,
        reference,
        read: async (modality) => {
          const query = request.query as Static<typeof PredictOptions>;
          const asked = await readAsked(request, config, share, { query, modality });
          return asPicture ? asOnePicture(asked) : asked;
        },
        signal: clientLeft(reply),
      });
      if (asPicture) await reply.type('image/png').send(overlayOf(prediction));
      else await reply.send(prediction);
    } finally {
      share.close();
    }
  };

  return async (app) => {
    const latest = route('predict', 'Classify images or texts with the newest version');
    app.post(
      '/models/:model/predict',
      { ...latest, schema: { ...latest.schema, params: Type.Object({ model: ModelName }) } },
      (request, reply) => predict(request, reply, request.params.model, 'latest'),
    );
    const numbered = route('predictWithVersion', 'Classify images or texts with one version');
    app.post(
      '/models/:model/versions/:version/predict',
      {
        ...numbered,
        schema: { ...numbered.schema, params: Type.Object({ model: ModelName, version: VersionNumber }) },
      },
      (request, reply) => predict(request, reply, request.params.model, { version: request.params.version }),
    );
    const aliased = route('predictWithAlias', 'Classify images or texts with the version an alias points at');
    app.post(
      '/models/:model/aliases/:alias/predict',
      { ...aliased, schema: { ...aliased.schema, params: Type.Object({ model: ModelName, alias: AliasName }) } },
      (request, reply) => predict(request, reply, request.params.model, { alias: request.params.alias }),
    );
  };
}
