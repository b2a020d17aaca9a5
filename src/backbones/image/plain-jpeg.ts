/** What a frame header says: its components by id, with their quantisation tables. */
interface Frame {
  width: number;
  height: number;
  tables: Map<number, number>;
}

/** libjpeg's own limit. */
const MAX_PIXELS_A_SIDE = 65_500;

const EOI = Buffer.from([0xff, 0xd9]);

export interface PlainJpeg {
  /** Of the pixels as they are stored. */
  width: number;
  height: number;
  /** Whether an APP1 segment (EXIF, XMP) may say that they are to be turned. */
  mayTurn: boolean;
}

/**
 * What the headers of a JPEG say, where by them alone libjpeg is sure to decode it to its last row: one scan of 8-bit
 * Huffman codes (as nearly all photos have), every table that it names defined and consistent, and an end marker, so that
 * the file was not cut off. What libjpeg then finds within the scan are warnings and not errors. Undefined says nothing:
 * decode it to find out.
 */
export function readPlainJpeg(bytes: Uint8Array): PlainJpeg | undefined {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const quantisation = new Set<number>();
  const huffman = new Set<number>();
  let frame: Frame | undefined;
  let mayTurn = false;
  for (let at = 2; at + 4 <= file.length; ) {
    if (file[at] !== 0xff) return undefined;
    const marker = file[at + 1]!;
    const length = file.readUInt16BE(at + 2);
    const segment = file.subarray(at + 4, at + 2 + length);
    if (length < 2 || segment.length !== length - 2) return undefined;
    at += 2 + length;
    if (marker === 0xda) {
      if (!frame || !isWholeScan(segment, { frame, quantisation, huffman }) || !file.includes(EOI, at))
        return undefined;
      return { width: frame.width, height: frame.height, mayTurn };
    }
    mayTurn ||= marker === 0xe1;
    const isSkipped = (marker >= 0xe0 && marker <= 0xef) || marker === 0xfe || (marker === 0xdd && length === 4);
    if (isSkipped) continue;
    if (marker === 0xdb && readQuantisation(segment, quantisation)) continue;
    if (marker === 0xc4 && readHuffman(segment, huffman)) continue;
    if ((marker !== 0xc0 && marker !== 0xc1) || frame) return undefined;
    frame = readFrame(segment);
    if (!frame) return undefined;
  }
  return undefined;
}

function readQuantisation(segment: Buffer, tables: Set<number>): boolean {
  let at = 0;
  while (at < segment.length) {
    const [precision, id] = [segment[at]! >> 4, segment[at]! & 15];
    if (precision > 1 || id > 3) return false;
    tables.add(id);
    at += 1 + 64 * (precision + 1);
  }
  return at === segment.length;
}

/** Keys of AC tables have 16 added. Codes must fit their lengths, none may be all ones, and DC symbols count bits up to 15. */
function readHuffman(segment: Buffer, tables: Set<number>): boolean {
  let at = 0;
  while (at + 17 <= segment.length) {
    const key = segment[at]!;
    if (key >> 4 > 1 || (key & 15) > 3) return false;
    let [code, symbols] = [0, 0];
    for (let bits = 1; bits <= 16; bits += 1) {
      const count = segment[at + bits]!;
      code += count;
      symbols += count;
      if (count > 0 && code >= 1 << bits) return false;
      code *= 2;
    }
    at += 17;
    const values = segment.subarray(at, at + symbols);
    if (symbols > 256 || values.length !== symbols) return false;
    if (key < 16 && values.some((bits) => bits > 15)) return false;
    tables.add(key);
    at += symbols;
  }
  return at === segment.length;
}

/** Grey or three colours of 8 bits, sampled in whole steps and in blocks that libjpeg has room for. */
function readFrame(segment: Buffer): Frame | undefined {
  const count = segment[5] ?? 0;
  if (segment[0] !== 8 || (count !== 1 && count !== 3) || segment.length !== 6 + 3 * count) return undefined;
  const [height, width] = [segment.readUInt16BE(1), segment.readUInt16BE(3)];
  if (Math.min(width, height) === 0 || Math.max(width, height) > MAX_PIXELS_A_SIDE) return undefined;
  const parts = Array.from({ length: count }, (_, i) => segment.subarray(6 + 3 * i, 9 + 3 * i));
  const across = parts.map((part) => part[1]! >> 4);
  const down = parts.map((part) => part[1]! & 15);
  const divides = (factors: number[]) => factors.every((n) => n >= 1 && n <= 4 && Math.max(...factors) % n === 0);
  const blocks = across.reduce((sum, n, i) => sum + n * down[i]!, 0);
  if (!divides(across) || !divides(down) || (count > 1 && blocks > 10)) return undefined;
  const tables = new Map(parts.map((part) => [part[0]!, part[2]!]));
  return tables.size === count ? { width, height, tables } : undefined;
}

/** All components in one scan, with tables that are there. */
function isWholeScan(
  segment: Buffer,
  { frame, quantisation, huffman }: { frame: Frame; quantisation: Set<number>; huffman: Set<number> },
): boolean {
  const count = segment[0];
  if (count !== frame.tables.size || segment.length !== 4 + 2 * count) return false;
  const ids = [...frame.tables.keys()];
  return ids.every((id, i) => {
    const tables = segment[2 + 2 * i]!;
    return (
      segment[1 + 2 * i] === id &&
      quantisation.has(frame.tables.get(id)!) &&
      huffman.has(tables >> 4) &&
      huffman.has(16 + (tables & 15))
    );
  });
}
