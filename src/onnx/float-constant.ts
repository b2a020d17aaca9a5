import { ELEMENT, type Graph, type GraphNode, type Tensor } from './model-proto.js';
import { constantsOf, dimsOf } from './read-node.js';

/** Numbers of a network that do not depend on the image. */
export interface FloatConstant {
  dims: number[];
  values: Float32Array;
}

/**
 * Reads float constants of a graph by name, as they are or through `Cast` and `Identity` (weights may be stored in half
 * precision). Answers undefined for what is no constant, or one of another type.
 */
export function floatConstants(graph: Graph): (name: string) => FloatConstant | undefined {
  const constants = constantsOf(graph);
  const makers = new Map<string, GraphNode>();
  for (const node of graph.node ?? []) {
    if (node.opType === 'Cast' || node.opType === 'Identity') makers.set(node.output?.[0] ?? '', node);
  }
  return (name) => {
    let source = name;
    for (let node = makers.get(source); node && !constants.has(source); node = makers.get(source)) {
      source = node.input?.[0] ?? '';
    }
    const tensor = constants.get(source);
    const values = tensor && floatsOf(tensor);
    return values && { dims: dimsOf(tensor), values };
  };
}

function floatsOf({ dataType, rawData, floatData, int32Data }: Tensor): Float32Array | undefined {
  if (dataType === ELEMENT.float32) {
    // `slice` of a Uint8Array copies, and so aligns.
    if (rawData?.length) return new Float32Array(Uint8Array.prototype.slice.call(rawData).buffer);
    return Float32Array.from(floatData ?? []);
  }
  if (dataType !== ELEMENT.float16) return undefined;
  halves ??= Float32Array.from({ length: 65_536 }, (_, bits) => halfToFloat(bits));
  const bytes = rawData?.length ? Uint8Array.prototype.slice.call(rawData) : undefined;
  const bits = bytes ? new Uint16Array(bytes.buffer) : Uint16Array.from(int32Data ?? []);
  const values = new Float32Array(bits.length);
  for (let i = 0; i < bits.length; i += 1) values[i] = halves[bits[i]!]!;
  return values;
}

/** Every number of half precision, by its bits. */
let halves: Float32Array | undefined;

/** IEEE 754 half precision. */
function halfToFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
