import { Readable } from 'node:stream';

/** Pieces of memory as one stream, or a range of it (both ends included). */
export function streamPieces(pieces: Uint8Array[], range: { start: number; end: number } | undefined): Readable {
  const [start, end] = [range?.start ?? 0, range?.end ?? Number.POSITIVE_INFINITY];
  let offset = 0;
  const parts: Uint8Array[] = [];
  for (const piece of pieces) {
    const part = piece.subarray(Math.max(0, start - offset), Math.max(0, end + 1 - offset));
    if (part.length > 0) parts.push(part);
    offset += piece.length;
  }
  return Readable.from(parts, { objectMode: false });
}
