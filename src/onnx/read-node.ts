import { type Attribute, ELEMENT, type Graph, type GraphNode, type Tensor } from './model-proto.js';

/** An integer attribute of a node, or `fallback` where it is absent. */
export function intAttribute(node: GraphNode, name: string, fallback: number): number {
  const attribute = attributeOf(node, name);
  return attribute ? Number(attribute.i ?? 0) : fallback;
}

/** A list of integers among a node's attributes; undefined where it is absent. */
export function intsAttribute(node: GraphNode, name: string): number[] | undefined {
  return attributeOf(node, name)?.ints?.map(Number);
}

/** A decimal number among a node's attributes, or `fallback` where it is absent. */
export function floatAttribute(node: GraphNode, name: string, fallback: number): number {
  return attributeOf(node, name)?.f ?? fallback;
}

/** A text among a node's attributes; undefined where it is absent. */
export function textAttribute(node: GraphNode, name: string): string | undefined {
  const bytes = attributeOf(node, name)?.s;
  return bytes ? Buffer.from(bytes).toString('utf8') : undefined;
}

/** The constants of a graph by name: initializers, and what `Constant` nodes give as a tensor. */
export function constantsOf(graph: Graph): Map<string, Tensor> {
  const constants = new Map<string, Tensor>();
  for (const tensor of graph.initializer ?? []) constants.set(tensor.name ?? '', tensor);
  for (const node of graph.node ?? []) {
    const value = node.opType === 'Constant' ? attributeOf(node, 'value')?.t : undefined;
    if (value) constants.set(node.output?.[0] ?? '', value);
  }
  return constants;
}

/** The values of an int64 constant; undefined for any other type or a constant that is not there. */
export function int64sOf(tensor: Tensor | undefined): number[] | undefined {
  if (tensor?.dataType !== ELEMENT.int64) return undefined;
  const raw = tensor.rawData;
  if (!raw?.length) return tensor.int64Data?.map(Number) ?? [];
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  return Array.from({ length: Math.floor(raw.byteLength / 8) }, (_, i) => Number(view.getBigInt64(i * 8, true)));
}

/** The dimensions of a constant. */
export function dimsOf(tensor: Tensor): number[] {
  return tensor.dims?.map(Number) ?? [];
}

/** Axes of a reduction, from 0 to `rank` − 1: an attribute until opset 17 (13 for Squeeze), an input since. */
export function axesOf(node: GraphNode, constants: Map<string, Tensor>, rank: number): number[] | undefined {
  const axes = intsAttribute(node, 'axes') ?? int64sOf(constants.get(node.input?.[1] ?? ''));
  return axes?.map((axis) => (axis < 0 ? axis + rank : axis)).sort((a, b) => a - b);
}

function attributeOf(node: GraphNode, name: string): Attribute | undefined {
  return node.attribute?.find((attribute) => attribute.name === name);
}
