export interface Page<T> {
  data: T[];
  has_more: boolean;
}

/** A list of the service: rows one after another by `for await`, or page by page. */
export class List<T> implements AsyncIterable<T> {
  readonly #read: (after: string | undefined) => Promise<Page<T>>;
  readonly #cursorOf: (row: T) => string;

  constructor(read: (after: string | undefined) => Promise<Page<T>>, cursorOf: (row: T) => string) {
    this.#read = read;
    this.#cursorOf = cursorOf;
  }

  /** One page; behind the row `after`. */
  page(after?: string): Promise<Page<T>> {
    return this.#read(after);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    let after: string | undefined;
    for (;;) {
      const { data, has_more } = await this.#read(after);
      yield* data;
      const last = data.at(-1);
      if (!has_more || last === undefined) return;
      after = this.#cursorOf(last);
    }
  }

  /** All rows. */
  async all(): Promise<T[]> {
    const rows: T[] = [];
    for await (const row of this) rows.push(row);
    return rows;
  }
}
