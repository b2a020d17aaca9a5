import { pipeline, type Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { type TSchema, Type } from '@sinclair/typebox';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { AppError } from '../errors.js';
import type { ByteShare } from './byte-budget.js';
import { receiveBody } from './refused-bodies.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Bodies that are read as streams, for OpenAPI: media type → schema. */
    body?: Record<string, { schema: TSchema; example?: unknown }>;
  }
}

const MAX_NAME = 255;

/** In this scope bodies of any type, and without one, are left to the handler, which reads them by `bodyOf`. */
export function takeRawBodies(scope: FastifyInstance): void {
  scope.removeContentTypeParser(['application/json', 'text/plain']);
  scope.addContentTypeParser('*', (_request, _payload, done) => done(null));
}

/** Schema of a body, or a part of one, that is a file. */
export const fileSchema = (description: string) => Type.Unsafe({ type: 'string', format: 'binary', description });

/** The media type of a body, in small letters and without parameters; empty where the request names none. */
export function mediaType({ headers }: FastifyRequest): string {
  return (headers['content-type'] ?? '').split(';')[0]!.trim().toLowerCase();
}

/**
 * The body of a request, unpacked where it says that it is compressed.
 * @throws AppError `unsupported_media_type` for a coding other than gzip
 */
export function bodyOf(request: FastifyRequest): Readable {
  const coding = codingOf(request);
  if (coding === 'identity') return receiveBody(request);
  if (coding !== 'gzip' && coding !== 'x-gzip') {
    throw new AppError(
      'unsupported_media_type',
      `Content-Encoding: ${coding} is not understood here. Send the body as it is, or as gzip.`,
    );
  }
  return pipeline(receiveBody(request), createGunzip(), () => undefined);
}

/** A form cannot be compressed as a whole. @throws AppError `unsupported_media_type` */
export function refuseCoding(request: FastifyRequest): void {
  const coding = codingOf(request);
  if (coding === 'identity') return;
  throw new AppError(
    'unsupported_media_type',
    `This form came with Content-Encoding: ${coding}. Forms are taken as they are: leave that header out. (An archive may well be compressed.)`,
  );
}

/** Refuse a body by the length that it announces, before it is sent. @throws AppError `too_large` */
export function refuseAnnounced({ headers }: FastifyRequest, maxBytes: number, limit: string): void {
  if (Number(headers['content-length'] ?? 0) <= maxBytes) return;
  throw new AppError(
    'too_large',
    `The body has ${headers['content-length']} bytes; at most ${maxBytes} are taken (${limit}).`,
  );
}

/** The SHA-256 that a client says its body has (`Repr-Digest`, RFC 9530), hexadecimal. */
export function claimedDigest({ headers }: FastifyRequest): string | undefined {
  const header = headers['repr-digest'];
  if (header === undefined) return undefined;
  const [, base64] = /(?:^|,)\s*sha-256=:([A-Za-z0-9+/=]+):/.exec(String(header)) ?? [];
  const digest = Buffer.from(base64 ?? '', 'base64');
  if (digest.length !== 32) {
    throw new AppError('invalid_request', 'Repr-Digest must be `sha-256=:<base64 of 32 bytes>:`.');
  }
  return digest.toString('hex');
}

/** A name for an upload that came as a raw body, from `Content-Disposition`. */
export function rawName({ headers }: FastifyRequest): string | null {
  const disposition = headers['content-disposition'] ?? '';
  const [, encoded] = /filename\*=UTF-8''([^;]+)/i.exec(disposition) ?? [];
  const [, plain] = /filename="?([^";]+)"?/.exec(disposition) ?? [];
  return fileName(encoded === undefined ? plain : decoded(encoded)) ?? null;
}

/** As RFC 8187 writes names that are not ASCII; what is not written so stays as it is. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** A name as a client gave it, to be shown again: without control characters, and not longer than file systems take. */
export function fileName(name: string | undefined): string | undefined {
  return name?.replace(/\p{Cc}/gu, '').slice(0, MAX_NAME);
}

/**
 * A whole body, up to a size; `limit` says in a few words where the size comes from.
 * @throws AppError `too_large`; `overloaded` where its share of memory has no more; `invalid_request` where it is not gzip
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

/**
 * A JSON body.
 * @throws AppError `unsupported_media_type` where the request says that it is something else, and `invalid_json`
 */
export async function readJsonBody(request: FastifyRequest, maxBytes: number, limit: string): Promise<unknown> {
  const type = mediaType(request);
  if (!isJson(type)) {
    const hint =
      type === 'application/x-www-form-urlencoded'
        ? ' (curl says this by itself: add -H "Content-Type: application/json")'
        : '';
    throw new AppError(
      'unsupported_media_type',
      `JSON is expected here, and Content-Type says ${type === '' ? 'nothing' : type}. Send Content-Type: application/json${hint}.`,
    );
  }
  refuseAnnounced(request, maxBytes, limit);
  return parseJson(await readBody(bodyOf(request), maxBytes, limit));
}

export function isJson(type: string): boolean {
  return /^application\/([\w.+-]+\+)?json$/.test(type);
}

/** @throws AppError `invalid_json`, which says what the body is instead where that is plain */
export function parseJson(body: Buffer): unknown {
  const text = body.toString('utf8').replace(/^\uFEFF/, '');
  if (/^\s*$/.test(text)) throw new AppError('invalid_json', 'The body is empty where JSON was expected.');
  try {
    return JSON.parse(text);
  } catch (error) {
    refuseUnmarkedForm(body);
    throw new AppError('invalid_json', `The body is not valid JSON: ${(error as Error).message.slice(0, 200)}.`);
  }
}

/** A form whose Content-Type says that it is something else. @throws AppError `invalid_multipart` */
export function refuseUnmarkedForm(body: Buffer): void {
  const start = body.subarray(0, 1000).toString('latin1');
  if (!/^--[^\r\n]{1,100}\r?\ncontent-disposition:/i.test(start)) return;
  throw new AppError(
    'invalid_multipart',
    'This body is a form, and Content-Type does not say so. Leave Content-Type out: your client then sets multipart/form-data with the boundary.',
  );
}

function codingOf({ headers }: FastifyRequest): string {
  return (headers['content-encoding'] ?? 'identity').trim().toLowerCase();
}
