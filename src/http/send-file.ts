import { Readable } from 'node:stream';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { AppError } from '../errors.js';
import type { ByteRange, Download } from '../operations/versions.js';

export interface SentFile extends Download {
  /** Media type. */
  type: string;
  /** Name to save it under; shown in the browser without one. */
  filename?: string;
  /** Default: for a year, or where it moves, asked for again each time. */
  cacheControl?: string;
  /** The URL may mean another file tomorrow: it is asked for again each time. */
  moves?: boolean;
}

const MOVES = 'private, no-cache';
const STAYS = 'private, max-age=31536000, immutable';

/** Answer with an immutable file: `ETag`, `If-None-Match`, `Range`, `If-Range`, `Repr-Digest`. */
export async function sendFile(request: FastifyRequest, reply: FastifyReply, file: SentFile): Promise<FastifyReply> {
  const etag = `"${file.sha256}"`;
  reply
    .header('etag', etag)
    .header('accept-ranges', 'bytes')
    .header('cache-control', file.cacheControl ?? (file.moves ? MOVES : STAYS))
    .header('repr-digest', `sha-256=:${Buffer.from(file.sha256, 'hex').toString('base64')}:`);
  const unless = request.headers['if-none-match'];
  if (unless?.split(',').some((tag) => [etag, '*', `W/${etag}`].includes(tag.trim()))) return reply.status(304).send();
  if (file.filename) reply.header('content-disposition', `attachment; filename="${file.filename}"`);
  reply.type(file.type);
  const wanted = request.headers['if-range'];
  const range = wanted === undefined || wanted === etag ? parseRange(request.headers.range, file.bytes) : undefined;
  if (range === 'unsatisfiable') {
    reply.header('content-range', `bytes */${file.bytes}`).header('cache-control', 'no-store');
    for (const name of ['content-disposition', 'etag', 'repr-digest']) reply.removeHeader(name);
    throw new AppError('range_not_satisfiable', `The file has ${file.bytes} bytes; the range lies outside.`);
  }
  if (range) reply.status(206).header('content-range', `bytes ${range.start}-${range.end}/${file.bytes}`);
  reply.header('content-length', range ? range.end - range.start + 1 : file.bytes);
  // An empty stream: without one, Fastify would say that the length is 0.
  if (request.method === 'HEAD') return reply.send(Readable.from([]));
  return reply.send(await file.open(range));
}

/** One range of bytes; several at once are answered with the whole file, as RFC 9110 allows. */
function parseRange(header: string | undefined, bytes: number): ByteRange | undefined | 'unsatisfiable' {
  const [, first, last] = /^bytes=(\d*)-(\d*)$/.exec(header?.trim() ?? '') ?? [];
  if (first === undefined || last === undefined || (first === '' && last === '')) return undefined;
  const start = first === '' ? Math.max(0, bytes - Number(last)) : Number(first);
  const end = first === '' || last === '' ? bytes - 1 : Math.min(Number(last), bytes - 1);
  if (first !== '' && last !== '' && Number(last) < Number(first)) return undefined;
  return start >= bytes || start > end ? 'unsatisfiable' : { start, end };
}
