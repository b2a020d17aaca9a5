/**
 * The product of a sparse matrix with a dense one, four lanes at a time: what nearly all the time of a fit on sparse features
 * goes into, in WebAssembly, for JavaScript has no vector instructions. The module has two functions, which are assembled here:
 *
 *   product(offsets, indices, values, table, out, from, to, lanes)
 *     for i in from … to−1:
 *       for each group of 16 lanes, then for each of 4:
 *         out[i, group] = Σ over at in offsets[i] … offsets[i+1]−1 of values[at] · table[indices[at], group]
 *
 * and `single`, the same where a row of `table` and `out` is one number, which is summed in double precision. All but the last
 * three are places in its memory, in bytes. `lanes` is a multiple of 4: the width of a row of `table` and `out`.
 */

/** What a product is made of, in the memory of a `ProductMemory`. */
export interface SparseInMemory {
  rows: number;
  offsets: number;
  indices: number;
  values: number;
}

type Product = (
  offsets: number,
  indices: number,
  values: number,
  table: number,
  out: number,
  from: number,
  to: number,
  lanes: number,
) => void;

/** What is used of WebAssembly, whose types belong to browsers. */
declare const WebAssembly: {
  Memory: new (size: { initial: number }) => { readonly buffer: ArrayBuffer };
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object, imports: object) => { exports: Record<string, unknown> };
};

const PAGE = 65_536;

/** Memory with matrices in it, and the product of them. */
export class ProductMemory {
  readonly #memory: { readonly buffer: ArrayBuffer };
  readonly #product: Product;
  readonly #single: Product;
  #used = 0;

  /** @param bytes room for all that will lie in it */
  constructor(bytes: number) {
    this.#memory = new WebAssembly.Memory({ initial: Math.ceil((bytes + 1024) / PAGE) });
    const instance = new WebAssembly.Instance(productModule(), { env: { memory: this.#memory } });
    this.#product = instance.exports.product as Product;
    this.#single = instance.exports.single as Product;
  }

  /** A place for so many numbers of four bytes, aligned for vectors; all zeros. */
  room(length: number): number {
    const place = this.#used;
    this.#used = (place + 4 * length + 15) & ~15;
    if (this.#used > this.#memory.buffer.byteLength) throw new RangeError('more than the memory has room for');
    return place;
  }

  floats(place: number, length: number): Float32Array {
    return new Float32Array(this.#memory.buffer, place, length);
  }

  /** A sparse matrix, copied into the memory. */
  hold(matrix: { offsets: Int32Array; indices: Int32Array; values: Float32Array }): SparseInMemory {
    const [offsets, indices, values] = [matrix.offsets, matrix.indices, matrix.values].map(({ length }) =>
      this.room(length),
    ) as [number, number, number];
    new Int32Array(this.#memory.buffer, offsets, matrix.offsets.length).set(matrix.offsets);
    new Int32Array(this.#memory.buffer, indices, matrix.indices.length).set(matrix.indices);
    this.floats(values, matrix.values.length).set(matrix.values);
    return { rows: matrix.offsets.length - 1, offsets, indices, values };
  }

  /** `out` `[rows, lanes]` becomes the matrix times `table` `[columns, lanes]`. @param lanes 1, or a multiple of 4 */
  multiply({ rows, offsets, indices, values }: SparseInMemory, table: number, out: number, lanes: number): void {
    const product = lanes === 1 ? this.#single : this.#product;
    product(offsets, indices, values, table, out, 0, rows, lanes);
  }
}

let compiled: object | undefined;

function productModule(): object {
  compiled ??= new WebAssembly.Module(assemble());
  return compiled;
}

// Parameters and local variables of the function, by their numbers.
const [OFFSETS, INDICES, VALUES, TABLE, OUT, FROM, TO, LANES] = [0, 1, 2, 3, 4, 5, 6, 7];
const [LANE, AT, END, ROW] = [8, 9, 10, 11];
const [VALUE, SUM] = [12, 13];
const LOCAL_INTEGERS = 4;
/** The value, and four sums. */
const LOCAL_VECTORS = 5;
/** In the function for one lane, where no vectors are. */
const DOUBLE_SUM = 12;

const I32 = 0x7f;
const V128 = 0x7b;
const F64 = 0x7c;
const EMPTY = 0x40;

/** Unsigned LEB128. */
function number(value: number): number[] {
  const low = value & 0x7f;
  return value < 0x80 ? [low] : [low | 0x80, ...number(value >>> 7)];
}

const vector = (...items: number[][]): number[] => [...number(items.length), ...items.flat()];
const section = (id: number, content: number[]): number[] => [id, ...number(content.length), ...content];
const text = (word: string): number[] => vector(...[...Buffer.from(word)].map((byte) => [byte]));

const get = (local: number): number[] => [0x20, ...number(local)];
const set = (local: number): number[] => [0x21, ...number(local)];
const constant = (value: number): number[] => [0x41, ...number(value)];
const add = [0x6a];
const times = [0x6c];
/** Times two to that power. */
const shiftedBy = (bits: number): number[] => [...constant(bits), 0x74];
const loadInteger = [0x28, 2, 0];
const loadFloat = [0x2a, 2, 0];
const simd = (code: number): number[] => [0xfd, ...number(code)];
const loadVector = (offset: number): number[] => [...simd(0x00), 2, ...number(offset)];
const storeVector = (offset: number): number[] => [...simd(0x0b), 2, ...number(offset)];
const splat = simd(0x13);
const addVectors = simd(0xe4);
const multiplyVectors = simd(0xe6);
const toDouble = [0xbb];
const toSingle = [0xb6];
const addDoubles = [0xa0];
const multiplyDoubles = [0xa2];
const storeFloat = [0x38, 2, 0];
const zero = [0x44, ...new Array<number>(8).fill(0)];
const zeros = [...simd(0x0c), ...new Array<number>(16).fill(0)];

/** While the condition holds, the body. */
function during(condition: number[], body: number[]): number[] {
  return [0x02, EMPTY, 0x03, EMPTY, ...condition, 0x45, 0x0d, 1, ...body, 0x0c, 0, 0x0b, 0x0b];
}

const isBelow = (one: number[], other: number[]): number[] => [...one, ...other, 0x49];
const isAtMost = (one: number[], other: number[]): number[] => [...one, ...other, 0x4d];

/** As many groups of `vectors` × 4 lanes of a row as there are left. */
function groups(vectors: number): number[] {
  const each = Array.from({ length: vectors }, (_, i) => i);
  const width = 4 * vectors;
  const place = (row: number[], base: number) => [
    ...row,
    ...get(LANES),
    ...times,
    ...get(LANE),
    ...add,
    ...shiftedBy(2),
    ...get(base),
    ...add,
  ];
  const element = (base: number, load: number[]) => [...get(base), ...get(AT), ...shiftedBy(2), ...add, ...load];
  const inner = during(isBelow(get(AT), get(END)), [
    ...element(VALUES, loadFloat),
    ...splat,
    ...set(VALUE),
    ...place(element(INDICES, loadInteger), TABLE),
    ...set(ROW),
    ...each.flatMap((i) => [
      ...get(SUM + i),
      ...get(VALUE),
      ...get(ROW),
      ...loadVector(16 * i),
      ...multiplyVectors,
      ...addVectors,
      ...set(SUM + i),
    ]),
    ...[...get(AT), ...constant(1), ...add, ...set(AT)],
  ]);
  const offset = [...get(OFFSETS), ...get(FROM), ...shiftedBy(2), ...add];
  return during(isAtMost([...get(LANE), ...constant(width), ...add], get(LANES)), [
    ...each.flatMap((i) => [...zeros, ...set(SUM + i)]),
    ...[...offset, ...loadInteger, ...set(AT)],
    ...[...offset, ...[0x28, 2, 4], ...set(END)],
    ...inner,
    ...[...place(get(FROM), OUT), ...set(ROW)],
    ...each.flatMap((i) => [...get(ROW), ...get(SUM + i), ...storeVector(16 * i)]),
    ...[...get(LANE), ...constant(width), ...add, ...set(LANE)],
  ]);
}

/** All rows, where each has one number. */
function ofOneLane(): number[] {
  const element = (base: number, place: number[], load: number[]) => [
    ...get(base),
    ...place,
    ...shiftedBy(2),
    ...add,
    ...load,
  ];
  const inner = during(isBelow(get(AT), get(END)), [
    ...get(DOUBLE_SUM),
    ...[...element(VALUES, get(AT), loadFloat), ...toDouble],
    ...[...element(TABLE, element(INDICES, get(AT), loadInteger), loadFloat), ...toDouble],
    ...multiplyDoubles,
    ...addDoubles,
    ...set(DOUBLE_SUM),
    ...[...get(AT), ...constant(1), ...add, ...set(AT)],
  ]);
  return during(isBelow(get(FROM), get(TO)), [
    ...[...zero, ...set(DOUBLE_SUM)],
    ...[...element(OFFSETS, get(FROM), loadInteger), ...set(AT)],
    ...[...element(OFFSETS, get(FROM), [0x28, 2, 4]), ...set(END)],
    ...inner,
    ...[...element(OUT, get(FROM), get(DOUBLE_SUM)), ...toSingle, ...storeFloat],
    ...[...get(FROM), ...constant(1), ...add, ...set(FROM)],
  ]);
}

function assemble(): Uint8Array {
  const rows = during(isBelow(get(FROM), get(TO)), [
    ...[...constant(0), ...set(LANE)],
    ...groups(4),
    ...groups(1),
    ...[...get(FROM), ...constant(1), ...add, ...set(FROM)],
  ]);
  const body = [...vector([LOCAL_INTEGERS, I32], [LOCAL_VECTORS, V128]), ...rows, 0x0b];
  const single = [...vector([LOCAL_INTEGERS, I32], [1, F64]), ...ofOneLane(), 0x0b];
  return Uint8Array.from([
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0], // "\0asm", version 1
    ...section(1, vector([0x60, ...vector(...new Array<number[]>(8).fill([I32])), ...vector()])),
    ...section(2, vector([...text('env'), ...text('memory'), 0x02, 0x00, 0x00])),
    ...section(3, vector([0], [0])),
    ...section(7, vector([...text('product'), 0x00, 0], [...text('single'), 0x00, 1])),
    ...section(10, vector(...[body, single].map((code) => [...number(code.length), ...code]))),
  ]);
}
