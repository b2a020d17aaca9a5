import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from '@sinclair/typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Operations } from '../../operations/operations.js';
import { ModelName, strict, VersionNumber } from '../../schemas/common.js';
import { Report } from '../../schemas/report.js';
import { ArtifactFormat } from '../../schemas/versions.js';
import { sendFile } from '../send-file.js';

const tags = ['Models'];
const Version = { model: ModelName, version: VersionNumber };
const Parameters = Type.Object(Version);

/** What of a version is downloaded. */
export function fileRoutes({ versions }: Operations): FastifyPluginAsyncTypebox {
  const sendStored = async (
    request: FastifyRequest,
    reply: FastifyReply,
    { path, ...version }: { model: string; version: number; path: string },
  ) => {
    const file = await versions.file({ caller: request.caller, ...version, path });
    return sendFile(request, reply, { ...file, type: typeOf(path) });
  };

  return async (app) => {
    app.get(
      '/models/:model/versions/:version/report',
      {
        schema: {
          tags,
          summary: 'The report of a version',
          description:
            'Accuracy, figures per class, confusion matrix, calibration, curves, timings, exact settings; and in `data` what is likely wrong with the data: labels, copies, classes, outliers.',
          params: Parameters,
          response: { 200: Report },
        },
      },
      // As it lies there, and not through the schema of the answer.
      (request, reply) => sendStored(request, reply, { ...request.params, path: 'report.json' }) as never,
    );

    for (const [chart, summary] of [
      ['curves', 'Loss and accuracy over the epochs, as SVG; a prototype head has none'],
      ['confusion', 'The confusion matrix, as SVG'],
    ] as const) {
      app.get(
        `/models/:model/versions/:version/report/${chart}.svg`,
        { schema: { tags, summary, params: Parameters, produces: ['image/svg+xml'] } },
        (request, reply) => sendStored(request, reply, { ...request.params, path: `report/${chart}.svg` }),
      );
    }

    app.get(
      '/models/:model/versions/:version/files/*',
      {
        schema: {
          tags,
          summary: 'One file of a version',
          description: 'By the path in its manifest; `tf.loadLayersModel(…/files/head/model.json)` works.',
          params: Type.Object({ ...Version, '*': Type.String({ description: 'Path' }) }),
          produces: ['application/json', 'application/octet-stream', 'image/svg+xml', 'text/markdown'],
        },
      },
      (request, reply) => {
        const { '*': path, ...version } = request.params;
        return sendStored(request, reply, { ...version, path });
      },
    );

    app.get(
      '/models/:model/versions/:version/artifact',
      {
        schema: {
          tags,
          summary: 'Download a version',
          description: 'With `ETag`, `Range` and `Repr-Digest`; the same version gives the same bytes.',
          params: Parameters,
          querystring: Type.Object({ format: ArtifactFormat }, strict),
          produces: ['application/zip', 'application/octet-stream'],
        },
      },
      async (request, reply) => {
        const { caller, params, query } = request;
        return sendFile(request, reply, await versions.artifact({ caller, ...params, ...query }));
      },
    );
  };
}

function typeOf(path: string): string {
  if (path.endsWith('.json')) return 'application/json';
  if (path.endsWith('.ndjson')) return 'application/x-ndjson';
  if (path.endsWith('.svg')) return 'image/svg+xml';
  return path.endsWith('.md') ? 'text/markdown; charset=utf-8' : 'application/octet-stream';
}
