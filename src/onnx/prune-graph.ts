import type { Graph, GraphNode } from './model-proto.js';

/**
 * Keep what `outputs` need: a new graph without the other nodes and constants, and without notes about tensors
 * (`value_info`), which may be stale. The graph's own list of outputs is left to the caller: it is empty.
 * Nodes of an ONNX graph are sorted, so one pass from the end finds everything; no recursion.
 */
export function pruneGraph(graph: Graph, outputs: string[]): Graph {
  const needed = new Set(outputs);
  const nodes: GraphNode[] = [];
  for (const node of [...(graph.node ?? [])].reverse()) {
    if (!node.output?.some((name) => name !== '' && needed.has(name))) continue;
    for (const name of namesReadBy(node)) needed.add(name);
    nodes.push(node);
  }
  return {
    name: graph.name || 'graph',
    node: nodes.reverse(),
    input: graph.input ?? [],
    output: [],
    initializer: (graph.initializer ?? []).filter((tensor) => needed.has(tensor.name ?? '')),
    sparseInitializer: (graph.sparseInitializer ?? []).filter((tensor) => needed.has(tensor.values?.name ?? '')),
  };
}

/** The tensors a node reads: its inputs, and every name that its sub-graphs mention, since they see the outer ones. */
export function namesReadBy(node: GraphNode): string[] {
  const names: string[] = [];
  const stack = [node];
  for (let next = stack.pop(); next; next = stack.pop()) {
    for (const name of next.input ?? []) if (name !== '') names.push(name);
    for (const graph of subgraphsOf(next)) {
      for (const inner of graph.node ?? []) stack.push(inner);
      for (const output of graph.output ?? []) names.push(output.name ?? '');
    }
  }
  return names;
}

/** The graphs inside a node's attributes (the branches of `If`, …). */
export function subgraphsOf(node: GraphNode): Graph[] {
  return (node.attribute ?? []).flatMap(({ g, graphs }) => [...(g ? [g] : []), ...(graphs ?? [])]);
}
