import { type TSchema, Type } from '@sinclair/typebox';
import type { FastifyRequest } from 'fastify';
import type { Archive } from '../../operations/receive-form.js';
import { claimedDigest, fileName, fileSchema, rawName } from '../bodies.js';
import type { DialectContext } from '../dialect.js';
import { formLimits, readForm } from '../forms.js';

/** An archive, as a form with more fields or by itself; for OpenAPI. */
export function archiveBody(fields: Record<string, TSchema> = {}): Record<string, { schema: TSchema }> {
  const raw = { schema: fileSchema('The archive') };
  return {
    'multipart/form-data': { schema: Type.Object({ file: fileSchema('The archive'), ...fields }) },
    ...(Object.keys(fields).length === 0 && {
      'application/zip': raw,
      'application/x-tar': raw,
      'application/gzip': raw,
      'application/octet-stream': raw,
    }),
  };
}

/** The body of a request as an archive. */
export function archiveOf(request: FastifyRequest, signal: AbortSignal): Archive {
  return { source: request.raw, name: rawName(request), signal, ...digestOf(request) };
}

/** Read a form that holds an archive. @returns its other fields */
export async function readArchiveForm(
  request: FastifyRequest,
  { config }: Pick<DialectContext, 'config'>,
  signal: AbortSignal,
  take: (archive: Archive) => Promise<void>,
): Promise<Map<string, string>> {
  const digest = digestOf(request);
  const limits = formLimits(config, { fileSize: config.MAX_UPLOAD_BYTES + 1, files: 1 });
  return readForm(request, limits, async ({ file, filename }) =>
    take({ source: file, name: fileName(filename) ?? null, signal, ...digest }),
  );
}

function digestOf(request: FastifyRequest): Pick<Archive, 'expectedSha256'> {
  const expectedSha256 = claimedDigest(request);
  return expectedSha256 === undefined ? {} : { expectedSha256 };
}
