import { buffer } from 'node:stream/consumers';
import type { ByteRange, Storage } from './contract.js';

/** Largest read that several ranges share: what an object store brings in a round trip or two. */
const MAX_READ_BYTES = 8 * 2 ** 20;
/** Bytes that nobody asked for are read along where another read would cost more. */
const MAX_GAP_BYTES = 256 * 1024;

export interface ReadForward {
  storage: Storage;
  key: string;
  /** In the order of their starts; they may overlap or repeat. */
  ranges: readonly ByteRange[];
  /** What is thrown where there is no such object, or no longer. */
  missing: () => Error;
  maxReadBytes?: number;
  maxGapBytes?: number;
}

/**
 * The bytes of many ranges of one object, in order, in few reads: neighbours are read together, up to 8 MiB at a time, and
 * the next read is under way while the last one is used. At most two of them are in memory.
 * The buffers share memory with their neighbours: copy what is kept for long.
 * @throws what `missing` gives; RangeError where ranges are out of order or reach beyond the end of the object
 */
export async function* readForward(options: ReadForward): AsyncGenerator<Buffer, void> {
  const reads = together(options);
  const start = (read: Read | undefined) => {
    const bytes = read && readWhole(options, read);
    bytes?.catch(() => undefined); // it is awaited when its turn comes
    return bytes;
  };
  let next = start(reads[0]);
  for (const [index, read] of reads.entries()) {
    const bytes = await next!;
    next = start(reads[index + 1]);
    for (const range of read.ranges) yield bytes.subarray(range.start - read.start, range.end + 1 - read.start);
  }
}

interface Read extends ByteRange {
  ranges: ByteRange[];
}

function together({ ranges, maxReadBytes = MAX_READ_BYTES, maxGapBytes = MAX_GAP_BYTES }: ReadForward): Read[] {
  const reads: Read[] = [];
  let before = 0;
  for (const range of ranges) {
    if (range.start < before) throw new RangeError('Ranges must be in the order of their starts.');
    before = range.start;
    const last = reads.at(-1);
    const end = last && Math.max(last.end, range.end);
    // One that lies within what is read already costs nothing, also where that one is large.
    const fits = end !== undefined && (end === last!.end || end + 1 - last!.start <= maxReadBytes);
    if (last && fits && range.start - last.end - 1 <= maxGapBytes) {
      last.end = end;
      last.ranges.push(range);
    } else {
      reads.push({ start: range.start, end: range.end, ranges: [range] });
    }
  }
  return reads;
}

async function readWhole({ storage, key, missing }: ReadForward, { start, end }: Read): Promise<Buffer> {
  const object = await storage.get(key, { start, end });
  if (!object) throw missing();
  const bytes = await buffer(object.stream);
  if (bytes.length === end + 1 - start) return bytes;
  throw new RangeError(`${key} has ${object.bytes} bytes; bytes ${start} to ${end} were asked for. It is damaged.`);
}
