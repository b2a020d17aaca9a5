import type { Graph } from './model-proto.js';
import { subgraphsOf } from './prune-graph.js';

/** The same graph with other names for some tensors, wherever they are mentioned, sub-graphs included. */
export function renameTensors(graph: Graph, names: Map<string, string>): Graph {
  const nameOf = (name: string | null | undefined) => names.get(name ?? '') ?? name;
  const named = <T extends { name?: string | null }>(list: T[] | null | undefined): T[] =>
    list?.map((each) => (names.has(each.name ?? '') ? { ...each, name: nameOf(each.name) } : each)) ?? [];
  const result: Graph = { ...graph };
  const copies = [result];
  const copyOf = (inner: Graph): Graph => {
    const copy = { ...inner };
    copies.push(copy);
    return copy;
  };
  for (let next = copies.pop(); next; next = copies.pop()) {
    next.initializer = named(next.initializer);
    next.input = named(next.input);
    next.output = named(next.output);
    next.sparseInitializer = next.sparseInitializer?.map((sparse) => {
      const [values] = named(sparse.values ? [sparse.values] : []);
      return { ...sparse, values };
    });
    next.node = next.node?.map((node) => ({
      ...node,
      input: node.input?.map((name) => nameOf(name)!),
      output: node.output?.map((name) => nameOf(name)!),
      attribute: node.attribute?.map((attribute) => {
        const { g, graphs } = attribute;
        return g || graphs?.length ? { ...attribute, g: g && copyOf(g), graphs: graphs?.map(copyOf) } : attribute;
      }),
    }));
  }
  return result;
}

/** Every name of a tensor in the graph, constants and inputs among them; those of sub-graphs too. */
export function tensorNames(graph: Graph): Set<string> {
  const names = new Set<string>();
  const stack = [graph];
  for (let next = stack.pop(); next; next = stack.pop()) {
    for (const node of next.node ?? []) {
      for (const name of [...(node.input ?? []), ...(node.output ?? [])]) names.add(name);
      stack.push(...subgraphsOf(node));
    }
    for (const { name } of [...(next.initializer ?? []), ...(next.input ?? [])]) names.add(name ?? '');
  }
  return names;
}
