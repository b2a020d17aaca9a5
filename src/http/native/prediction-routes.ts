import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { type Static, Type } from '@sinclair/typebox';
import type { ErrorObject } from 'ajv';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { AppError } from '../../errors.js';
import type { VersionReference } from '../../registry/registry.js';
import { AliasName, BackboneId, ModelName, VersionNumber } from '../../schemas/common.js';
import type { VersionManifest } from '../../schemas/versions.js';
import { ByteBudget, type ByteShare } from '../byte-budget.js';
import { clientLeft } from '../client-signal.js';
import type { ApiDependencies } from '../dependencies.js';
import { invalid } from '../problem.js';
import { imagesBody, takeRawBodies } from '../raw-bodies.js';
import { formLimits, readBody, readForm } from '../upload.js';
import { compileCheck } from '../validation.js';
import { ExplainQuery, Explanation, explainOptions, refuseTooManyExplained } from './explanation.js';

const Query = Type.Object(
  {
    top_k: Type.Integer({ minimum: 1, maximum: 10_000, default: 5, description: 'Predictions per image, best first' }),
    ...ExplainQuery,
  },
  { additionalProperties: false },
);
const JsonBody = Type.Object(
  { images: Type.Array(Type.String({ description: 'An image file as base64' }), { minItems: 1 }) },
  { additionalProperties: false },
);
const Prediction = Type.Object(
  {
    model: ModelName,
    version: VersionNumber,
    backbone: BackboneId,
    results: Type.Array(
      Type.Object({
        name: Type.String({ description: 'File name in the form, or the place in the request' }),
        predictions: Type.Array(Type.Object({ label: Type.String(), score: Type.Number() })),
        explanation: Type.Optional(Explanation),
      }),
      { description: 'One per image, in order' },
    ),
    timings: Type.Object({
      decode_ms: Type.Number(),
      queue_ms: Type.Number(),
      inference_ms: Type.Number(),
      total_ms: Type.Number(),
    }),
  },
  { additionalProperties: false },
);

interface NamedImage {
  name: string;
  bytes: Uint8Array;
}

const checkJsonBody = compileCheck(JsonBody);

export function predictionRoutes({ registry, predictor, config }: ApiDependencies): FastifyPluginAsyncTypebox {
  const memory = new ByteBudget(config.PREDICT_MEMORY_BYTES);
  const readImages = async (request: FastifyRequest, share: ByteShare): Promise<NamedImage[]> => {
    const type = (request.headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase();
    if (type === 'multipart/form-data') return readImagesForm(request, share);
    const body = await readBody(request.raw, config.MAX_PREDICT_BYTES, 'MAX_PREDICT_BYTES', share);
    // `curl --data-binary` says application/x-www-form-urlencoded; the bytes decide.
    return type === 'application/json' ? readImagesJson(body) : [{ name: 'body', bytes: body }];
  };

  const readImagesForm = async (request: FastifyRequest, share: ByteShare): Promise<NamedImage[]> => {
    const images: NamedImage[] = [];
    let total = 0;
    const limits = formLimits(config, { fileSize: config.MAX_EXAMPLE_BYTES, files: config.MAX_PREDICT_EXAMPLES });
    await readForm(request, limits, async (part) => {
      const bytes = await readBody(part.file, config.MAX_PREDICT_BYTES, 'MAX_PREDICT_BYTES', share);
      const name = part.filename ?? part.fieldname;
      total += bytes.length;
      if (part.file.truncated) {
        throw new AppError('content_too_large', `${name}: the file is larger than ${config.MAX_EXAMPLE_BYTES} bytes.`);
      }
      if (total > config.MAX_PREDICT_BYTES) {
        throw new AppError(
          'too_large',
          `The form is larger than ${config.MAX_PREDICT_BYTES} bytes (MAX_PREDICT_BYTES).`,
        );
      }
      images.push({ name, bytes });
    });
    return images;
  };

  const readImagesJson = (body: Buffer): NamedImage[] => {
    let value: unknown;
    try {
      value = JSON.parse(body.toString('utf8'));
    } catch (error) {
      throw new AppError('invalid_json', `The body is not valid JSON: ${(error as Error).message.slice(0, 200)}.`);
    }
    // Before the schema, which would name each fault of millions.
    const { images } = (value ?? {}) as { images?: unknown };
    if (Array.isArray(images)) refuseTooMany(images.length);
    if (!checkJsonBody(value)) throw invalid(checkJsonBody.errors as ErrorObject[], 'body');
    return (value as Static<typeof JsonBody>).images.map((text, index) => {
      const name = `images.${index}`;
      const base64 = text.replace(/^data:image\/[\w.+-]+;base64,/, '').replace(/\s/g, '');
      if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(base64)) {
        throw new AppError('invalid_request', `body: ${name} is not base64.`);
      }
      return { name, bytes: Buffer.from(base64, 'base64') };
    });
  };

  const predict = async (request: FastifyRequest, reply: FastifyReply, reference: VersionReference) => {
    const { model } = request.params as { model: string };
    const query = request.query as Static<typeof Query>;
    const { tenant } = request;
    const resolving = registry.resolve(tenant, model, reference);
    resolving.catch(() => undefined); // it is awaited below
    // What it named last time is worked on while storage says whether that still holds, which it nearly always does.
    const recalled = query.explain ? undefined : registry.recall(tenant, model, reference);
    // The body is not read for a model that is not there.
    const expected = recalled ?? (await resolving);
    const explain = explainOptions(query, expected);
    const share = memory.open();
    try {
      const images = await readImages(request, share);
      if (images.length === 0) throw new AppError('missing_file', 'The form has no image.');
      refuseTooMany(images.length);
      if (explain) refuseTooManyExplained(images.length);
      const signal = clientLeft(reply);
      const classify = (version: VersionManifest) =>
        predictor.predict({
          tenant,
          manifest: version,
          images,
          topK: query.top_k,
          ...(explain && { explain }),
          signal,
        });
      const predicting = classify(expected);
      predicting.catch(() => undefined); // it is awaited below, if it counts
      const manifest = await resolving;
      const { results, timings } = await (manifest === expected ? predicting : classify(manifest));
      return {
        model,
        version: manifest.version,
        backbone: manifest.backbone.id,
        results: results.map((result, index) => ({ name: images[index]!.name, ...result })),
        timings,
      };
    } finally {
      share.close();
    }
  };

  const refuseTooMany = (images: number) => {
    if (images <= config.MAX_PREDICT_EXAMPLES) return;
    const most = config.MAX_PREDICT_EXAMPLES;
    throw new AppError('too_large', `${images} images in one request; at most ${most} (MAX_PREDICT_EXAMPLES).`);
  };

  const options = (summary: string) => ({
    schema: { tags: ['Predictions'], summary, querystring: Query, response: { 200: Prediction } },
    config: { body: imagesBody(JsonBody) },
  });

  return async (app) => {
    takeRawBodies(app);
    const params = (schema: Record<string, typeof ModelName | typeof VersionNumber>) => Type.Object(schema);

    const latest = options('Classify images with the newest version');
    app.post(
      '/v1/models/:model/predict',
      { ...latest, schema: { ...latest.schema, params: params({ model: ModelName }) } },
      (request, reply) => predict(request, reply, 'latest'),
    );
    const numbered = options('Classify images with one version');
    app.post(
      '/v1/models/:model/versions/:version/predict',
      {
        ...numbered,
        schema: { ...numbered.schema, params: Type.Object({ model: ModelName, version: VersionNumber }) },
      },
      (request, reply) => predict(request, reply, request.params),
    );
    const aliased = options('Classify images with the version an alias points at');
    app.post(
      '/v1/models/:model/aliases/:alias/predict',
      { ...aliased, schema: { ...aliased.schema, params: Type.Object({ model: ModelName, alias: AliasName }) } },
      (request, reply) => predict(request, reply, request.params.alias === 'latest' ? 'latest' : request.params),
    );
  };
}
