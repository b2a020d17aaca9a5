export interface MapOptions<T> {
  /** Most pieces of work at once. */
  concurrency: number;
  /** Most weight at once; a single item heavier than this still goes through, alone. */
  maxWeight: number;
  weigh: (item: T) => number;
}

/**
 * Work on several items at once and give the results in the order of the source.
 * `work` is called before the next item is asked for. Items are taken only while results are asked for, so that what is
 * held in memory stays within `maxWeight`. When it ends early, it waits for the work under way.
 */
export async function* mapInOrder<T, R>(
  source: AsyncIterable<T>,
  { concurrency, maxWeight, weigh }: MapOptions<T>,
  work: (item: T) => Promise<R>,
): AsyncGenerator<R> {
  const underWay: { result: Promise<R>; weight: number }[] = [];
  let total = 0;
  try {
    for await (const item of source) {
      const weight = weigh(item);
      while (underWay.length >= concurrency || (underWay.length > 0 && total + weight > maxWeight)) {
        const first = underWay[0]!;
        yield await first.result;
        underWay.shift();
        total -= first.weight;
      }
      const result = work(item);
      // It is awaited in its turn; until then a failure must not count as unhandled.
      result.catch(() => undefined);
      underWay.push({ result, weight });
      total += weight;
    }
    for (const { result } of underWay) yield await result;
  } finally {
    await Promise.allSettled(underWay.map(({ result }) => result));
  }
}
