import { type TSchema, Type } from '@sinclair/typebox';
import type { FastifyRequest } from 'fastify';
import { AppError } from '../../errors.js';
import type { Archive, Taking } from '../../operations/receive-form.js';
import { LayoutWanted } from '../../schemas/datasets.js';
import { bodyOf, claimedDigest, fileName, fileSchema, rawName, refuseAnnounced } from '../bodies.js';
import type { DialectContext } from '../dialect.js';
import { formLimits, readForm } from '../forms.js';
import { compileCheck } from '../validation.js';

const checkLayout = compileCheck(LayoutWanted);

/** Most archives in one form. */
const MAX_FILES = 100;
/** Fields that say how an archive is to be taken in. */
const TAKING = ['layout', 'dry_run', 'name'];
/** What a form has beside its archives. */
const FORM_BYTES = 16 * 1024 * 1024;

/** An archive, as a form with more fields or by itself; for OpenAPI. */
export function archiveBody(
  fields: Record<string, TSchema>,
  { raw: alone = false } = {},
): Record<string, { schema: TSchema }> {
  const raw = { schema: fileSchema('The archive') };
  return {
    'multipart/form-data': { schema: Type.Object({ file: fileSchema('The archive'), ...fields }) },
    // Whatever type it has: its bytes decide. Generators know this one alone.
    ...(alone && { 'application/octet-stream': raw }),
  };
}

/** Size of the body, where the client says it. */
export function announcedBytes({ headers }: FastifyRequest): number | undefined {
  const length = Number(headers['content-length']);
  return Number.isSafeInteger(length) && length > 0 ? length : undefined;
}

/** The body of a request as an archive. */
export function archiveOf(
  request: FastifyRequest,
  { config }: Pick<DialectContext, 'config'>,
  signal: AbortSignal,
): Archive {
  refuseAnnounced(request, config.MAX_UPLOAD_BYTES, 'MAX_UPLOAD_BYTES');
  return { source: bodyOf(request), name: rawName(request), signal, ...digestOf(request) };
}

/** Read a form that holds an archive. @param fields names of what it may say beside `TAKING` @returns its other fields */
export async function readArchiveForm(
  request: FastifyRequest,
  { config }: Pick<DialectContext, 'config'>,
  signal: AbortSignal,
  take: (archive: Archive) => Promise<void>,
  fields: string[],
): Promise<Map<string, string>> {
  const digest = digestOf(request);
  refuseAnnounced(request, config.MAX_UPLOAD_BYTES + FORM_BYTES, 'MAX_UPLOAD_BYTES');
  const limits = formLimits(config, { fileSize: config.MAX_UPLOAD_BYTES + 1, files: MAX_FILES });
  return readForm(request, {
    limits,
    fields: [...TAKING, ...fields],
    onFile: ({ file, filename }) => take({ source: file, name: fileName(filename) ?? null, signal, ...digest }),
  });
}

/**
 * How an archive is to be taken in, from the fields of a form or of a query; these fields are taken out of `fields`.
 * @throws AppError `invalid_request`
 */
export function takingOf(fields: Map<string, string>): Taking {
  const [layout, dryRun, name] = TAKING.map((field) => fields.get(field));
  for (const field of TAKING) fields.delete(field);
  const dry = dryRun?.toLowerCase();
  if (dry !== undefined && !['true', 'false'].includes(dry)) {
    throw new AppError('invalid_request', 'dry_run must be true or false.');
  }
  return {
    ...(layout !== undefined && { layout: checkLayout(layoutJson(layout), 'layout') }),
    ...(dry === 'true' && { dryRun: true }),
    ...(name !== undefined && name.trim() !== '' && { name: fileName(name.trim())! }),
  };
}

/** A word alone is a kind: `layout=folders`. */
function layoutJson(text: string): unknown {
  if (/^[a-z]+$/.test(text)) return { kind: text };
  try {
    return JSON.parse(text);
  } catch {
    throw new AppError('invalid_request', 'layout must be JSON, such as {"kind":"table","table":"train.csv"}.');
  }
}

function digestOf(request: FastifyRequest): Pick<Archive, 'expectedSha256'> {
  const expectedSha256 = claimedDigest(request);
  return expectedSha256 === undefined ? {} : { expectedSha256 };
}
