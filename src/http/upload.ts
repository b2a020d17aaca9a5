import type { Readable } from 'node:stream';
import type { MultipartFile, MultipartValue } from '@fastify/multipart';
import type { FastifyRequest } from 'fastify';
import type { Config } from '../config.js';
import { AppError } from '../errors.js';
import type { ByteShare } from './byte-budget.js';

/** The SHA-256 that a client says its body has (`Repr-Digest`, RFC 9530), hexadecimal. */
export function claimedDigest(request: FastifyRequest): string | undefined {
  const header = request.headers['repr-digest'];
  if (header === undefined) return undefined;
  const [, base64] = /(?:^|,)\s*sha-256=:([A-Za-z0-9+/=]+):/.exec(String(header)) ?? [];
  const digest = Buffer.from(base64 ?? '', 'base64');
  if (digest.length !== 32) {
    throw new AppError('invalid_request', 'Repr-Digest must be `sha-256=:<base64 of 32 bytes>:`.');
  }
  return digest.toString('hex');
}

/** A name for an upload that came as a raw body, from `Content-Disposition`. */
export function rawName(request: FastifyRequest): string | null {
  const [, name] = /filename="?([^";]+)"?/.exec(request.headers['content-disposition'] ?? '') ?? [];
  return fileName(name) ?? null;
}

/** A name as a client gave it, to be shown again: without control characters, and not longer than file systems take. */
export function fileName(name: string | undefined): string | undefined {
  return name?.replace(/\p{Cc}/gu, '').slice(0, MAX_NAME);
}

const MAX_NAME = 255;

export interface FormLimits {
  fileSize: number;
  files: number;
  fields: number;
  fieldSize: number;
}

/** Limits of a form's files, with those of fields that hold for every form. */
export function formLimits(config: Config, files: { fileSize: number; files: number }): FormLimits {
  return { ...files, fields: config.MAX_FORM_FIELDS, fieldSize: config.MAX_FIELD_BYTES };
}

/**
 * Read a form part by part: fields are collected, files are handed to `onFile` as they stream in.
 * @throws AppError `invalid_multipart` for a field that is too long, `missing_file` where a file came without its name
 */
export async function readForm(
  request: FastifyRequest,
  limits: FormLimits,
  onFile: (file: MultipartFile & { file: Readable }) => Promise<void>,
): Promise<Map<string, string>> {
  const fields = new Map<string, string>();
  const parts = request.parts({
    limits: {
      fieldNameSize: 100,
      headerPairs: 50,
      parts: limits.fields + limits.files,
      ...limits,
    },
  });
  for await (const part of parts) {
    if (part.type === 'file') {
      try {
        await onFile(part);
      } finally {
        part.file.resume(); // a file that is not read to its end holds the request for ever
      }
      continue;
    }
    const { fieldname, value, valueTruncated } = part as MultipartValue<string> & { valueTruncated?: boolean };
    if (valueTruncated) {
      throw new AppError(
        'invalid_multipart',
        `The field '${fieldname}' is longer than ${limits.fieldSize} bytes (MAX_FIELD_BYTES).`,
      );
    }
    if (fields.has(fieldname)) throw new AppError('invalid_multipart', `The field '${fieldname}' occurs twice.`);
    fields.set(fieldname, value);
  }
  return fields;
}

/**
 * A whole body, up to a size; `limit` says in a few words where the size comes from.
 * @throws AppError `too_large`; `overloaded` where its share of memory has no more
 */
export async function readBody(source: Readable, maxBytes: number, limit: string, share?: ByteShare): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of source as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    share?.take(chunk.length);
    if (bytes > maxBytes) {
      throw new AppError('too_large', `The body is larger than ${maxBytes} bytes (${limit}).`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
