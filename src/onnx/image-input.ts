import { invalid } from './check-model.js';
import { ELEMENT, type Graph } from './model-proto.js';
import { intsAttribute } from './read-node.js';

/** Order of a map's axes: `[N, C, H, W]` or `[N, H, W, C]`. */
export type Layout = 'nchw' | 'nhwc';

/** The one input of an image network, as its file declares it. */
export interface ImageInput {
  name: string;
  layout: Layout;
  width: number;
  height: number;
  /** The number of images the file insists on; undefined where it may vary. */
  batch: number | undefined;
}

/** Largest side of an input, px; no classifier takes more, and a test image of it is made. */
const MAX_SIDE = 2048;

/**
 * Find the image input: the only input that is not a constant, float32, four axes, three channels.
 * `size` is width and height where the file leaves them open, px.
 * @throws AppError `backbone_invalid`
 */
export function imageInputOf(graph: Graph, size: number): ImageInput {
  const constants = new Set(graph.initializer?.map(({ name }) => name));
  const inputs = graph.input?.filter(({ name }) => !constants.has(name)) ?? [];
  if (inputs.length !== 1) {
    const names = inputs.map(({ name }) => name).slice(0, 5);
    throw invalid(`A backbone has one input, the image; the file has ${inputs.length} (${names.join(', ')}).`);
  }
  const [{ name, type }] = inputs as [(typeof inputs)[0]];
  const elemType = type?.tensorType?.elemType ?? 0;
  if (elemType !== ELEMENT.float32) {
    const found = Object.entries(ELEMENT).find(([, number]) => number === elemType)?.[0] ?? `type ${elemType}`;
    throw invalid(`The input ${name} must be float32; it is ${found}.`);
  }
  // A dimension without a positive number may vary.
  const dims = type?.tensorType?.shape?.dim?.map(({ dimValue }) => Number(dimValue ?? 0) || undefined) ?? [];
  if (dims.length !== 4) {
    throw invalid(`The input ${name} must have four axes, as images do; it has ${dims.length}.`);
  }
  const layout = layoutOf(graph, name ?? '', dims);
  const [channels, height = size, width = size] =
    layout === 'nchw' ? [dims[1], dims[2], dims[3]] : [dims[3], dims[1], dims[2]];
  if (channels !== undefined && channels !== 3) {
    throw invalid(
      `The input ${name} must have three channels, as colour photos do; its shape is [${dims.join(', ')}].`,
    );
  }
  if (![width, height].every((side) => side >= 1 && side <= MAX_SIDE)) {
    throw invalid(`The input ${name} is ${width}×${height} pixels; at most ${MAX_SIDE}×${MAX_SIDE} is possible.`);
  }
  return { name: name ?? '', layout, width, height, batch: dims[0] };
}

/** Where the three channels are; of an input that leaves them open, what its first reader is tells. */
function layoutOf(graph: Graph, name: string, dims: (number | undefined)[]): Layout {
  if (dims[1] === 3) return 'nchw';
  if (dims[3] === 3) return 'nhwc';
  const reader = graph.node?.find(({ input }) => input?.includes(name));
  return reader?.opType === 'Transpose' && intsAttribute(reader, 'perm')?.join() === '0,3,1,2' ? 'nhwc' : 'nchw';
}
