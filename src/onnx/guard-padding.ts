import { type Attribute, type Graph, type GraphNode, onnx } from './model-proto.js';
import { intAttribute, intsAttribute, textAttribute } from './read-node.js';

const VALID: Attribute = {
  name: 'auto_pad',
  type: onnx.AttributeProto.AttributeType.STRING,
  s: new TextEncoder().encode('VALID'),
};

/**
 * ONNX Runtime's optimizer takes zeros that are padded before a maximum into the maximum itself, where what lies outside never
 * counts: another answer wherever a window sees only negative numbers, as in Keras's ResNet v2. It leaves a pooling alone
 * that says in words that it pads nothing. This says so, and changes no answer.
 */
export function guardPadding(graph: Graph): Graph {
  const padded = new Set((graph.node ?? []).filter(({ opType }) => opType === 'Pad').map(({ output }) => output![0]!));
  const guarded = (node: GraphNode): GraphNode => {
    if (node.opType !== 'MaxPool' || !padded.has(node.input![0]!) || padsItself(node)) return node;
    const rest = (node.attribute ?? []).filter(({ name }) => name !== 'auto_pad' && name !== 'pads');
    return { ...node, attribute: [...rest, VALID] };
  };
  return { ...graph, node: (graph.node ?? []).map(guarded) };
}

/** Whether a pooling pads, or counts windows that reach beyond the map. */
function padsItself(node: GraphNode): boolean {
  const pads = intsAttribute(node, 'pads') ?? [];
  const auto = textAttribute(node, 'auto_pad') ?? 'NOTSET';
  return pads.some((pad) => pad !== 0) || intAttribute(node, 'ceil_mode', 0) === 1 || auto !== 'NOTSET';
}
