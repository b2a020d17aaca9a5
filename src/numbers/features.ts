/**
 * Feature vectors of many examples. Dense: float32 `[rows, columns]`, row by row. Sparse: compressed sparse rows (CSR), for
 * features such as hashed n-grams, of which a row has some 200 of 2^16 columns. Dense columns beside sparse ones are columns
 * that every row has.
 */

export interface DenseFeatures {
  readonly kind: 'dense';
  readonly rows: number;
  readonly columns: number;
  /** `[rows, columns]` */
  readonly values: Float32Array;
}

export interface SparseFeatures {
  readonly kind: 'sparse';
  readonly rows: number;
  readonly columns: number;
  /** `[rows + 1]`: row i lies from `offsets[i]` up to and without `offsets[i + 1]`. */
  readonly offsets: Int32Array;
  /** Column of each value, ascending within a row. */
  readonly indices: Int32Array;
  readonly values: Float32Array;
}

export type Features = DenseFeatures | SparseFeatures;

/** One row of sparse features. */
export interface SparseRow {
  readonly columns: number;
  /** Ascending. */
  readonly indices: Int32Array;
  readonly values: Float32Array;
}

/** Features of one example: dense `[columns]`, or sparse. */
export type FeatureRow = Float32Array | SparseRow;

/** Dense features over `values`, which are not copied. */
export function dense(values: Float32Array, columns: number): DenseFeatures {
  return { kind: 'dense', rows: columns === 0 ? 0 : values.length / columns, columns, values };
}

/** One row, a view. */
export function rowOf(features: Features, row: number): FeatureRow {
  if (features.kind === 'dense') {
    return features.values.subarray(row * features.columns, (row + 1) * features.columns);
  }
  const { columns, offsets, indices, values } = features;
  const [start, end] = [offsets[row]!, offsets[row + 1]!];
  return { columns, indices: indices.subarray(start, end), values: values.subarray(start, end) };
}

export function isSparse(row: FeatureRow): row is SparseRow {
  return !(row instanceof Float32Array);
}

/** Where only dense ones can be. @throws RangeError for sparse ones */
export function onlyDense(features: Features): DenseFeatures {
  if (features.kind === 'dense') return features;
  throw new RangeError('sparse features where only dense ones can be');
}

/** Where only sparse ones can be. @throws RangeError for dense ones */
export function onlySparse(features: Features): SparseFeatures {
  if (features.kind === 'sparse') return features;
  throw new RangeError('dense features where only sparse ones can be');
}

/** Columns of a row. */
export function columnsOf(row: FeatureRow): number {
  return isSparse(row) ? row.columns : row.length;
}

/**
 * Rows as one matrix, copied. All must be of one kind and have as many columns.
 * @throws RangeError where they differ
 */
export function stacked(rows: FeatureRow[], columns: number): Features {
  if (rows.some((row) => columnsOf(row) !== columns)) throw new RangeError(`not all rows have ${columns} columns`);
  const [first] = rows;
  if (first === undefined || !isSparse(first)) {
    const values = new Float32Array(rows.length * columns);
    rows.forEach((row, i) => {
      if (isSparse(row)) throw new RangeError('dense and sparse rows in one matrix');
      values.set(row, i * columns);
    });
    return dense(values, columns);
  }
  const sparse = rows as SparseRow[];
  const offsets = new Int32Array(rows.length + 1);
  sparse.forEach((row, i) => {
    if (!isSparse(row)) throw new RangeError('dense and sparse rows in one matrix');
    offsets[i + 1] = offsets[i]! + row.values.length;
  });
  const indices = new Int32Array(offsets[rows.length]!);
  const values = new Float32Array(indices.length);
  sparse.forEach((row, i) => {
    indices.set(row.indices, offsets[i]!);
    values.set(row.values, offsets[i]!);
  });
  return { kind: 'sparse', rows: rows.length, columns, offsets, indices, values };
}

/**
 * A matrix whose rows come one by one, in any order. Dense ones are written into it at once, so that they are not held twice:
 * of a large data set that is all the memory there is.
 */
export class ArrivingRows {
  readonly #rows: number;
  readonly #columns: number;
  readonly #here: Uint8Array;
  /** Made by the first row. */
  #values: Float32Array | undefined;
  readonly #sparse: (SparseRow | undefined)[] = [];

  constructor(rows: number, columns: number) {
    this.#rows = rows;
    this.#columns = columns;
    this.#here = new Uint8Array(rows);
  }

  has(row: number): boolean {
    return this.#here[row] === 1;
  }

  /** @throws RangeError where the row has other columns, or is sparse among dense ones */
  set(row: number, features: FeatureRow): void {
    if (columnsOf(features) !== this.#columns) throw new RangeError(`not all rows have ${this.#columns} columns`);
    if (isSparse(features) ? this.#values !== undefined : this.#sparse.length > 0) {
      throw new RangeError('dense and sparse rows in one matrix');
    }
    if (isSparse(features)) this.#sparse[row] = features;
    else {
      this.#values ??= new Float32Array(this.#rows * this.#columns);
      this.#values.set(features, row * this.#columns);
    }
    this.#here[row] = 1;
  }

  /** A dense row that is written where it belongs. @param write into room for it; returns false where there is none after all */
  fill(row: number, write: (room: Float32Array) => boolean): void {
    this.#values ??= new Float32Array(this.#rows * this.#columns);
    if (write(this.#values.subarray(row * this.#columns, (row + 1) * this.#columns))) this.#here[row] = 1;
  }

  /** The rows that have come, in order, without gaps. No row is set afterwards. */
  taken(): Features {
    const rows = [...this.#here.keys()].filter((row) => this.has(row));
    if (!this.#values) {
      return stacked(
        rows.map((row) => this.#sparse[row]!),
        this.#columns,
      );
    }
    const [values, D] = [this.#values, this.#columns];
    for (const [place, row] of rows.entries()) {
      if (place !== row) values.copyWithin(place * D, row * D, (row + 1) * D);
    }
    return dense(values.subarray(0, rows.length * D), D);
  }
}

/** The first rows, a view. */
export function firstRows(features: Features, rows: number): Features {
  if (features.kind === 'dense') {
    return dense(features.values.subarray(0, rows * features.columns), features.columns);
  }
  const { columns, offsets, indices, values } = features;
  const end = offsets[rows]!;
  return {
    kind: 'sparse',
    rows,
    columns,
    offsets: offsets.subarray(0, rows + 1),
    indices: indices.subarray(0, end),
    values: values.subarray(0, end),
  };
}

/** Column by column: the rows that have a value there, ascending, and the values. */
export function transposed({ rows, columns, offsets, indices, values }: SparseFeatures): SparseFeatures {
  const starts = new Int32Array(columns + 1);
  for (let at = 0; at < values.length; at += 1) starts[indices[at]! + 1]! += 1;
  for (let column = 0; column < columns; column += 1) starts[column + 1]! += starts[column]!;
  const place = starts.slice();
  const out = {
    kind: 'sparse' as const,
    rows: columns,
    columns: rows,
    offsets: starts,
    indices: new Int32Array(values.length),
    values: new Float32Array(values.length),
  };
  for (let row = 0; row < rows; row += 1) {
    for (let at = offsets[row]!; at < offsets[row + 1]!; at += 1) {
      const to = place[indices[at]!]!++;
      out.indices[to] = row;
      out.values[to] = values[at]!;
    }
  }
  return out;
}

/** Some rows, copied, in the order asked for. */
export function takeRows(features: Features, rows: ArrayLike<number>): Features {
  return stacked(
    Array.from(rows, (row) => rowOf(features, row)),
    features.columns,
  );
}
