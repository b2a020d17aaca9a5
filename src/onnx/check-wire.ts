import { AppError } from '../errors.js';

/** Most bytes of a file that are not weights; the largest networks have two. Each may cost a hundred when decoded. */
const MAX_STRUCTURE_BYTES = 16 * 2 ** 20;
/** Deepest nesting of messages; four a level of sub-graphs. The decoder recurses once for each. */
const MAX_DEPTH = 64;

/** How protobuf writes a field: a varint, 8 bytes, bytes with a length, 4 bytes. */
const [VARINT, FIXED64, BYTES, FIXED32] = [0, 1, 2, 5];

/** A field: the ways it may be written, or the kind of message in it, or `weights` that need no look. */
type Field = number[] | MessageKind | 'weights';
type MessageKind = 'model' | 'graph' | 'node' | 'attribute' | 'tensor';

const varint = [VARINT];
const varints = [VARINT, BYTES];
const bytes = [BYTES];

/** The messages of `onnx.proto` on the way to weights. Their numbers are the format's. */
const MESSAGES: Record<MessageKind, Record<number, Field>> = {
  model: {
    1: varint,
    2: bytes,
    3: bytes,
    4: bytes,
    5: varint,
    6: bytes,
    7: 'graph',
    8: bytes,
    14: bytes,
    20: bytes,
    25: bytes,
  },
  graph: { 1: 'node', 2: bytes, 5: 'tensor', 10: bytes, 11: bytes, 12: bytes, 13: bytes, 14: bytes, 15: bytes },
  node: { 1: bytes, 2: bytes, 3: bytes, 4: bytes, 5: 'attribute', 6: bytes, 7: bytes },
  attribute: {
    ...{
      1: bytes,
      2: [FIXED32],
      3: varint,
      4: bytes,
      5: 'tensor',
      6: 'graph',
      7: [FIXED32, BYTES],
      8: varints,
      9: bytes,
    },
    ...{ 10: 'tensor', 11: 'graph', 13: bytes, 14: bytes, 15: bytes, 20: varint, 21: bytes, 22: bytes, 23: bytes },
  },
  tensor: {
    ...{ 1: varints, 2: varint, 3: bytes, 4: 'weights', 5: varints, 6: bytes, 7: varints, 8: bytes, 9: 'weights' },
    ...{ 10: [FIXED64, BYTES], 11: varints, 12: bytes, 13: bytes, 14: varint },
  },
};

/**
 * Walk over a protobuf file before it is decoded, without making anything of it, so that a hostile one costs neither
 * memory nor stack: refuse deep nesting, more structure than any network has, and fields that are written otherwise than
 * the format says (the decoder would read those out of step).
 * @throws AppError `backbone_invalid`
 */
export function checkWire(file: Uint8Array): void {
  let position = 0;
  let structure = file.length;
  const damaged = () =>
    new AppError('backbone_invalid', 'The file is not an ONNX model: its protobuf is damaged or of another kind.');
  const readVarint = (end: number): number => {
    let value = 0;
    for (let scale = 1; position < end && scale < 2 ** 70; scale *= 128) {
      const byte = file[position++]!;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
    throw damaged();
  };
  const open: { kind: MessageKind; end: number }[] = [{ kind: 'model', end: file.length }];
  for (let message = open.at(-1); message; message = open.at(-1)) {
    const { kind, end } = message;
    if (position === end) {
      open.pop();
      continue;
    }
    const tag = readVarint(end);
    const wire = tag % 8;
    const field = MESSAGES[kind][Math.floor(tag / 8)];
    const expected = field === undefined ? [VARINT, FIXED64, BYTES, FIXED32] : Array.isArray(field) ? field : bytes;
    // Weights one by one, each with its tag, are allowed by protobuf and written by nobody.
    if (!expected.includes(wire)) throw damaged();
    if (wire === VARINT) readVarint(end);
    else {
      const length = wire === BYTES ? readVarint(end) : wire === FIXED64 ? 8 : 4;
      if (position + length > end) throw damaged();
      if (field !== undefined && !Array.isArray(field) && field !== 'weights') {
        open.push({ kind: field, end: position + length });
        if (open.length > MAX_DEPTH)
          throw new AppError('backbone_invalid', 'The file nests its graphs too deep for a network.');
        continue;
      }
      if (field === 'weights') structure -= length;
      position += length;
    }
  }
  if (structure > MAX_STRUCTURE_BYTES) {
    throw new AppError(
      'backbone_invalid',
      `The file has ${structure} bytes beside its weights, more than any network: it is damaged or hostile.`,
    );
  }
}
