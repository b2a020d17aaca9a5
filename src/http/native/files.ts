import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox';
import { Type } from '@sinclair/typebox';
import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Operations } from '../../operations/operations.js';
import { CARD_POLICY } from '../../operations/versions.js';
import { AliasName, ModelName, strict, VersionNumber } from '../../schemas/common.js';
import { Report } from '../../schemas/report.js';
import { ArtifactFormat } from '../../schemas/versions.js';
import { sendFile } from '../send-file.js';
import { wantsHtml } from '../wants-html.js';

const tags = ['Models'];
const Numbered = { model: ModelName, version: VersionNumber };
const Aliased = { model: ModelName, alias: AliasName };
const ArtifactQuery = Type.Object({ format: Type.Optional(ArtifactFormat) }, strict);

/** A version, by its number or by an alias. */
type Wanted = { model: string; version: number } | { model: string; alias: string };

/** What of a version is downloaded. */
export function fileRoutes({ versions }: Operations): FastifyPluginAsyncTypebox {
  const sendStored = async (request: FastifyRequest, reply: FastifyReply, wanted: Wanted, path: string) => {
    const file = await versions.file({ caller: request.caller, ...versionOf(wanted), path });
    return sendFile(request, reply, { ...file, type: typeOf(path), moves: 'alias' in wanted });
  };
  const sendReport = (request: FastifyRequest, reply: FastifyReply, wanted: Wanted) =>
    sendStored(request, reply, wanted, 'report.json');
  const sendCard = async (request: FastifyRequest, reply: FastifyReply, wanted: Wanted) => {
    const page = wantsHtml(request);
    const card = await versions.card({ caller: request.caller, ...versionOf(wanted), page });
    if (page) reply.header('content-security-policy', CARD_POLICY);
    // Its words may change with the next release.
    return sendFile(request, reply.header('vary', 'accept'), { ...card, moves: true });
  };
  const sendArtifact = async (
    request: FastifyRequest,
    reply: FastifyReply,
    wanted: Wanted,
    { format = 'bundle' }: { format?: ArtifactFormat },
  ) => {
    const artifact = await versions.artifact({ caller: request.caller, ...versionOf(wanted), format });
    return sendFile(request, reply, { ...artifact, moves: 'alias' in wanted });
  };

  return async (app) => {
    const report = {
      summary: 'The report of a version',
      description:
        'Accuracy, figures per class, confusion matrix, calibration, curves, timings, exact settings; and in `data` what is likely wrong with the data: labels, copies, classes, outliers.',
      response: { 200: Report },
    };
    app.get(
      '/models/:model/versions/:version/report',
      {
        schema: { operationId: 'getReport', tags, ...report, params: Type.Object(Numbered) },
        config: { scope: 'read' },
      },
      // As it lies there, and not through the schema of the answer.
      (request, reply) => sendReport(request, reply, request.params) as never,
    );
    app.get(
      '/models/:model/aliases/:alias/report',
      {
        schema: {
          operationId: 'getReportByAlias',
          tags,
          ...report,
          summary: 'The report of the version that an alias points at',
          params: Type.Object(Aliased),
        },
        config: { scope: 'read' },
      },
      (request, reply) => sendReport(request, reply, request.params) as never,
    );

    for (const [operationId, chart, summary] of [
      ['getCurvesChart', 'curves', 'Loss and accuracy over the epochs, as SVG; a prototype head has none'],
      ['getConfusionChart', 'confusion', 'The confusion matrix, as SVG'],
    ] as const) {
      app.get(
        `/models/:model/versions/:version/report/${chart}.svg`,
        {
          schema: { operationId, tags, summary, params: Type.Object(Numbered), produces: ['image/svg+xml'] },
          config: { scope: 'read' },
        },
        (request, reply) =>
          sendStored(request, reply, request.params as { model: string; version: number }, `report/${chart}.svg`),
      );
    }

    app.get(
      '/models/:model/versions/:version/files/*',
      {
        schema: {
          operationId: 'getVersionFile',
          tags,
          summary: 'One file of a version',
          description: 'By the path in its manifest; `tf.loadLayersModel(…/files/head/model.json)` works.',
          params: Type.Object({
            ...Numbered,
            '*': Type.String({ description: 'Path, such as `labels.json`; its slashes may stay as they are' }),
          }),
          produces: ['application/json', 'application/octet-stream', 'image/svg+xml', 'text/markdown'],
        },
        config: { scope: 'read' },
      },
      (request, reply) => {
        const { '*': path, ...version } = request.params;
        return sendStored(request, reply, version, path);
      },
    );

    const card = {
      summary: 'The model card',
      description: 'What the model is, how good it is, how to run it: Markdown, or HTML for `Accept: text/html`.',
      produces: ['text/markdown', 'text/html'],
    };
    app.get(
      '/models/:model/versions/:version/card',
      {
        schema: { operationId: 'getCard', tags, ...card, params: Type.Object(Numbered) },
        config: { scope: 'read' },
      },
      (request, reply) => sendCard(request, reply, request.params),
    );
    app.get(
      '/models/:model/aliases/:alias/card',
      {
        schema: {
          operationId: 'getCardByAlias',
          tags,
          ...card,
          summary: 'The model card of the version that an alias points at',
          params: Type.Object(Aliased),
        },
        config: { scope: 'read' },
      },
      (request, reply) => sendCard(request, reply, request.params),
    );

    const artifact = {
      description: 'With `ETag`, `Range` and `Repr-Digest`; the same version gives the same bytes.',
      querystring: ArtifactQuery,
      produces: ['application/zip', 'application/octet-stream'],
    };
    app.get(
      '/models/:model/versions/:version/artifact',
      {
        schema: {
          operationId: 'getArtifact',
          tags,
          summary: 'Download a version',
          ...artifact,
          params: Type.Object(Numbered),
        },
        config: { scope: 'read' },
      },
      (request, reply) => sendArtifact(request, reply, request.params, request.query),
    );
    app.get(
      '/models/:model/aliases/:alias/artifact',
      {
        schema: {
          operationId: 'getArtifactByAlias',
          tags,
          summary: 'Download the version that an alias points at',
          ...artifact,
          params: Type.Object(Aliased),
        },
        config: { scope: 'read' },
      },
      (request, reply) => sendArtifact(request, reply, request.params, request.query),
    );
  };
}

function versionOf(wanted: Wanted): { model: string; version: number | { alias: string } } {
  return 'alias' in wanted ? { model: wanted.model, version: { alias: wanted.alias } } : wanted;
}

function typeOf(path: string): string {
  if (path.endsWith('.json')) return 'application/json';
  if (path.endsWith('.ndjson')) return 'application/x-ndjson';
  if (path.endsWith('.svg')) return 'image/svg+xml';
  return path.endsWith('.md') ? 'text/markdown; charset=utf-8' : 'application/octet-stream';
}
