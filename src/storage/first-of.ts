/** So many are asked for at once. */
const MAX_TOGETHER = 64;

/** The first `most` answers of `ask` that are not undefined, in order; asked together, as many as are still wanted. */
export async function firstOf<A, B>(all: A[], most: number, ask: (one: A) => Promise<B | undefined>): Promise<B[]> {
  const found: B[] = [];
  for (let start = 0; start < all.length && found.length < most; ) {
    const some = all.slice(start, start + Math.min(most - found.length, MAX_TOGETHER));
    start += some.length;
    found.push(...(await Promise.all(some.map(ask))).filter((answer) => answer !== undefined));
  }
  return found;
}
