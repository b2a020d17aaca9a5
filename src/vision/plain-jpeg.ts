/** Bytes that come before the entropy-coded data: the frame's components by id, with their quantisation tables. */
type Frame = Map<number, number>;

const EOI = Buffer.from([0xff, 0xd9]);

/**
 * Whether libjpeg is sure to decode this JPEG to its last row, told from its headers alone: one scan of 8-bit Huffman codes
 * (as nearly all photos have), every table that it names defined and consistent, and an end marker, so that the file was not
 * cut off. What libjpeg then finds within the scan are warnings and not errors. False says nothing: decode it to find out.
 */
export function isPlainJpeg(bytes: Uint8Array): boolean {
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const quantisation = new Set<number>();
  const huffman = new Set<number>();
  let frame: Frame | undefined;
  for (let at = 2; at + 4 <= file.length; ) {
    if (file[at] !== 0xff) return false;
    const marker = file[at + 1]!;
    const length = file.readUInt16BE(at + 2);
    const segment = file.subarray(at + 4, at + 2 + length);
    if (length < 2 || segment.length !== length - 2) return false;
    at += 2 + length;
    if (marker === 0xda) return isWholeScan(segment, { frame, quantisation, huffman }) && file.includes(EOI, at);
    const isSkipped = (marker >= 0xe0 && marker <= 0xef) || marker === 0xfe || (marker === 0xdd && length === 4);
    if (isSkipped) continue;
    if (marker === 0xdb && readQuantisation(segment, quantisation)) continue;
    if (marker === 0xc4 && readHuffman(segment, huffman)) continue;
    if ((marker !== 0xc0 && marker !== 0xc1) || frame) return false;
    frame = readFrame(segment);
    if (!frame) return false;
  }
  return false;
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
  if (segment.readUInt16BE(1) === 0 || segment.readUInt16BE(3) === 0) return undefined;
  const parts = Array.from({ length: count }, (_, i) => segment.subarray(6 + 3 * i, 9 + 3 * i));
  const across = parts.map((part) => part[1]! >> 4);
  const down = parts.map((part) => part[1]! & 15);
  const divides = (factors: number[]) => factors.every((n) => n >= 1 && n <= 4 && Math.max(...factors) % n === 0);
  const blocks = across.reduce((sum, n, i) => sum + n * down[i]!, 0);
  if (!divides(across) || !divides(down) || (count > 1 && blocks > 10)) return undefined;
  const frame: Frame = new Map(parts.map((part) => [part[0]!, part[2]!]));
  return frame.size === count ? frame : undefined;
}

/** All components in one scan, with tables that are there. */
function isWholeScan(
  segment: Buffer,
  { frame, quantisation, huffman }: { frame: Frame | undefined; quantisation: Set<number>; huffman: Set<number> },
): boolean {
  const count = segment[0];
  if (!frame || count !== frame.size || segment.length !== 4 + 2 * count) return false;
  const ids = [...frame.keys()];
  return ids.every((id, i) => {
    const tables = segment[2 + 2 * i]!;
    return (
      segment[1 + 2 * i] === id &&
      quantisation.has(frame.get(id)!) &&
      huffman.has(tables >> 4) &&
      huffman.has(16 + (tables & 15))
    );
  });
}
