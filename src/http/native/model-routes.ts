import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { type Static, Type } from '@sinclair/typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { AppError } from '../../errors.js';
import type { VersionReference } from '../../registry/registry.js';
import { AliasName, ModelName, VersionNumber } from '../../schemas/common.js';
import { Report } from '../../schemas/report.js';
import { VersionManifest } from '../../schemas/versions.js';
import type { ApiDependencies } from '../dependencies.js';
import { sendFile, streamPieces } from '../send-file.js';
import { ListQuery, listOf } from './list.js';

const tags = ['Models'];
const ModelParameters = Type.Object({ model: ModelName });
const VersionParameters = Type.Object({ model: ModelName, version: VersionNumber });
const AliasParameters = Type.Object({ model: ModelName, alias: AliasName });
const Alias = Type.Object(
  {
    alias: AliasName,
    version: VersionNumber,
    previous: Type.Union([VersionNumber, Type.Null()], { description: 'What it pointed at before; null: nothing' }),
  },
  { additionalProperties: false },
);
const SetAlias = Type.Object(
  {
    version: VersionNumber,
    expected: Type.Optional(
      Type.Union([VersionNumber, Type.Null()], {
        description: 'Change it only if it points here now (null: only if it does not exist); else 412',
      }),
    ),
  },
  { additionalProperties: false },
);
export const Model = Type.Object(
  {
    name: ModelName,
    latest: VersionManifest,
    versions: Type.Array(VersionNumber, { description: 'Newest first' }),
    aliases: Type.Array(Type.Object({ alias: AliasName, version: VersionNumber })),
  },
  { additionalProperties: false },
);
const Formats = Type.Object(
  {
    format: Type.Unsafe<'bundle' | 'onnx' | 'tfjs'>({
      type: 'string',
      enum: ['bundle', 'onnx', 'tfjs'],
      default: 'bundle',
      description:
        'bundle: a zip of manifest, labels, head, report and model card; onnx: one file, uint8 image in, probabilities out; tfjs: a zip with the head as TensorFlow.js layers files',
    }),
  },
  { additionalProperties: false },
);

export function modelRoutes({ registry, artifacts }: ApiDependencies): FastifyPluginAsyncTypebox {
  const describe = async (tenant: string, name: string): Promise<Static<typeof Model>> => {
    const [latest, versions, { aliases }] = await Promise.all([
      registry.resolve(tenant, name, 'latest'),
      registry.versions(tenant, name),
      registry.aliases(tenant, name),
    ]);
    return { name, latest, versions, aliases: [...aliases].map(([alias, version]) => ({ alias, version })) };
  };

  return async (app) => {
    app.get(
      '/v1/models',
      { schema: { tags, summary: 'List models by name', querystring: ListQuery, response: { 200: listOf(Model) } } },
      async ({ tenant, query }) => {
        const { after, limit } = query;
        const names = await registry.models(tenant, { most: limit + 1, ...(after !== undefined && { after }) });
        const page = names.slice(0, limit);
        return {
          data: await Promise.all(page.map((name) => describe(tenant, name))),
          has_more: names.length > page.length,
        };
      },
    );

    app.get(
      '/v1/models/:model',
      { schema: { tags, summary: 'Show a model', params: ModelParameters, response: { 200: Model } } },
      ({ tenant, params }) => describe(tenant, params.model),
    );

    app.delete(
      '/v1/models/:model',
      {
        schema: {
          tags,
          summary: 'Delete a model with all its versions and aliases',
          params: ModelParameters,
          response: { 204: Type.Null() },
        },
      },
      async ({ tenant, params }, reply) => {
        await registry.deleteModel(tenant, params.model);
        return reply.status(204).send(null);
      },
    );

    app.get(
      '/v1/models/:model/versions',
      {
        schema: {
          tags,
          summary: 'List versions, newest first',
          params: ModelParameters,
          querystring: ListQuery,
          response: { 200: listOf(VersionManifest) },
        },
      },
      async ({ tenant, params, query }) => {
        const all = await registry.versions(tenant, params.model);
        if (all.length === 0) await registry.resolve(tenant, params.model, 'latest');
        const after = query.after === undefined ? Number.POSITIVE_INFINITY : Number(query.after);
        if (Number.isNaN(after)) throw new AppError('invalid_request', 'querystring: after must be a version number.');
        const rest = all.filter((version) => version < after);
        const page = rest.slice(0, query.limit);
        return {
          data: await Promise.all(page.map((version) => registry.resolve(tenant, params.model, { version }))),
          has_more: rest.length > page.length,
        };
      },
    );

    app.get(
      '/v1/models/:model/versions/:version',
      { schema: { tags, summary: 'Show a version', params: VersionParameters, response: { 200: VersionManifest } } },
      ({ tenant, params }) => registry.resolve(tenant, params.model, params),
    );

    app.delete(
      '/v1/models/:model/versions/:version',
      {
        schema: {
          tags,
          summary: 'Delete a version; its number is not used again',
          params: VersionParameters,
          response: { 204: Type.Null() },
        },
      },
      async ({ tenant, params }, reply) => {
        await registry.deleteVersion(tenant, params.model, params.version);
        return reply.status(204).send(null);
      },
    );

    /** A file of a version, checked by its digest as a client can check it again. */
    const sendStored = async (
      request: FastifyRequest,
      reply: FastifyReply,
      path: string,
      reference: VersionReference,
    ) => {
      const { model } = request.params as { model: string };
      const manifest = await registry.resolve(request.tenant, model, reference);
      const file = manifest.files.find((other) => other.path === path);
      if (!file) {
        throw new AppError('not_found', `Version ${manifest.version} of '${model}' has no file '${path}'.`, {
          details: { files: manifest.files.map((other) => other.path) },
        });
      }
      return sendFile(request, reply, {
        bytes: file.bytes,
        sha256: file.sha256,
        type: typeOf(path),
        open: async (range) => (await registry.open(request.tenant, manifest, path, range)).stream,
      });
    };

    app.get(
      '/v1/models/:model/versions/:version/report',
      {
        schema: {
          tags,
          summary: 'The report of a version',
          description:
            'Accuracy, figures per class, confusion matrix, calibration, curves, timings, exact settings; and in `data` what is likely wrong with the data: labels, copies, classes, outliers.',
          params: VersionParameters,
          response: { 200: Report },
        },
      },
      (request, reply) => sendStored(request, reply, 'report.json', request.params) as never,
    );
    for (const [chart, summary] of [
      ['curves', 'Loss and accuracy over the epochs, as SVG; a prototype head has none'],
      ['confusion', 'The confusion matrix, as SVG'],
    ] as const) {
      app.get(
        `/v1/models/:model/versions/:version/report/${chart}.svg`,
        { schema: { tags, summary, params: VersionParameters, produces: ['image/svg+xml'] } },
        (request, reply) => sendStored(request, reply, `report/${chart}.svg`, request.params),
      );
    }
    app.get(
      '/v1/models/:model/versions/:version/files/*',
      {
        schema: {
          tags,
          summary: 'One file of a version',
          description: 'By the path in its manifest; `tf.loadLayersModel(…/files/head/model.json)` works.',
          params: Type.Object({ model: ModelName, version: VersionNumber, '*': Type.String({ description: 'Path' }) }),
          produces: ['application/json', 'application/octet-stream', 'image/svg+xml', 'text/markdown'],
        },
      },
      (request, reply) => sendStored(request, reply, request.params['*'], request.params),
    );

    app.get(
      '/v1/models/:model/versions/:version/artifact',
      {
        schema: {
          tags,
          summary: 'Download a version',
          description: 'With `ETag`, `Range` and `Repr-Digest`; the same version gives the same bytes.',
          params: VersionParameters,
          querystring: Formats,
          produces: ['application/zip', 'application/octet-stream'],
        },
      },
      async (request, reply) => {
        const manifest = await registry.resolve(request.tenant, request.params.model, request.params);
        const artifact = await artifacts.create(request.tenant, manifest, request.query.format);
        return sendFile(request, reply, { ...artifact, open: (range) => streamPieces(artifact.pieces, range) });
      },
    );

    app.put(
      '/v1/models/:model/aliases/:alias',
      {
        schema: {
          tags,
          summary: 'Point an alias at a version',
          description: 'Promote and roll back. With `expected`, only if nobody else has moved it meanwhile.',
          params: AliasParameters,
          body: SetAlias,
          response: { 200: Alias },
        },
      },
      async ({ tenant, params, body }) => {
        if (params.alias === 'latest') {
          throw new AppError('invalid_request', "params: 'latest' is always the newest version and cannot be set.");
        }
        const { previous } = await registry.setAlias({ tenant, ...params, ...body });
        return { alias: params.alias, version: body.version, previous };
      },
    );

    app.delete(
      '/v1/models/:model/aliases/:alias',
      { schema: { tags, summary: 'Remove an alias', params: AliasParameters, response: { 204: Type.Null() } } },
      async ({ tenant, params }, reply) => {
        await registry.setAlias({ tenant, ...params, version: null });
        return reply.status(204).send(null);
      },
    );
  };
}

function typeOf(path: string): string {
  if (path.endsWith('.json')) return 'application/json';
  if (path.endsWith('.svg')) return 'image/svg+xml';
  return path.endsWith('.md') ? 'text/markdown; charset=utf-8' : 'application/octet-stream';
}
