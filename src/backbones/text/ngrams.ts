import type { SparseRow } from '../../numbers/features.js';
import { type AnalysedText, analyse, type Span } from './analyse.js';

/** One block of columns: the n-grams of one kind, each in the column of its hash. */
export interface NgramBlock {
  of: 'words' | 'characters';
  /** Shortest and longest n-gram. */
  min: number;
  max: number;
  columns: number;
}

/** A block with where its columns begin and what its hashes begin with. */
type Placed = NgramBlock & { start: number; seed: number };

const BLANK = 0x20;

/**
 * Hashed n-grams of texts: for each block the presence of each n-gram, and the block brought to length 1. Words in a row make
 * n-grams of words; the characters of what stands between two blanks, with a blank at either end, those of characters, as
 * scikit-learn's `char_wb` takes them.
 */
export class Ngrams {
  readonly columns: number;
  readonly #blocks: Placed[];
  /** Number of the text in which a column was last met, and which n-gram is said to be in it. */
  readonly #met: Uint32Array;
  #text = 0;
  #found = new Int32Array(1024);
  #count = 0;

  constructor(blocks: NgramBlock[]) {
    let start = 0;
    this.#blocks = blocks.map((block, i) => {
      const placed = { ...block, start, seed: i + 1 };
      start += block.columns;
      return placed;
    });
    this.columns = start;
    this.#met = new Uint32Array(start);
  }

  /** Features of one text. */
  row(text: string): SparseRow {
    const analysed = analyse(text);
    const rows = this.#blocks.map((block) => this.#columnsOf(block, analysed));
    const length = rows.reduce((sum, columns) => sum + columns.length, 0);
    const indices = new Int32Array(length);
    const values = new Float32Array(length);
    let at = 0;
    for (const columns of rows) {
      indices.set(columns, at);
      values.fill(1 / Math.sqrt(columns.length), at, at + columns.length);
      at += columns.length;
    }
    return { columns: this.columns, indices, values };
  }

  /** The column of each n-gram that lies in the words or parts, and where it lies; one may occur several times. */
  each(text: string, visit: (column: number, span: Span) => void): AnalysedText {
    const analysed = analyse(text);
    for (const block of this.#blocks) walk(block, analysed, visit);
    return analysed;
  }

  /** Ascending, each once; valid until the next call. */
  #columnsOf(block: Placed, analysed: AnalysedText): Int32Array {
    if (this.#text === 0xffffffff) {
      this.#met.fill(0);
      this.#text = 0;
    }
    this.#text += 1;
    this.#count = 0;
    walk(block, analysed, (column) => this.#meet(column));
    return this.#found.slice(0, this.#count).sort();
  }

  #meet(column: number): void {
    if (this.#met[column] === this.#text) return;
    this.#met[column] = this.#text;
    if (this.#count === this.#found.length) {
      const more = new Int32Array(2 * this.#count);
      more.set(this.#found);
      this.#found = more;
    }
    this.#found[this.#count] = column;
    this.#count += 1;
  }
}

function walk(block: Placed, analysed: AnalysedText, visit: (column: number, span: Span) => void): void {
  if (block.of === 'words') walkWords(block, analysed, visit);
  else walkCharacters(block, analysed, visit);
}

function walkWords(
  { min, max, columns, start, seed }: Placed,
  { points, words }: AnalysedText,
  visit: (column: number, span: Span) => void,
): void {
  for (let first = 0; first < words.length; first += 1) {
    let hash = begin(seed);
    for (let n = 1; n <= max && first + n <= words.length; n += 1) {
      const { from, to } = words[first + n - 1]!;
      if (n > 1) hash = step(hash, BLANK);
      for (let i = from; i < to; i += 1) hash = step(hash, points[i]!);
      if (n >= min) visit(start + (mixed(hash) % columns), { from: words[first]!.from, to });
    }
  }
}

function walkCharacters(
  { min, max, columns, start, seed }: Placed,
  { points, parts }: AnalysedText,
  visit: (column: number, span: Span) => void,
): void {
  for (const { from, to } of parts) {
    // Places −1 and `length` are the blanks beside the part.
    const length = to - from;
    const at = (place: number) => (place < 0 || place >= length ? BLANK : points[from + place]!);
    for (let first = -1; first <= length; first += 1) {
      let hash = begin(seed);
      for (let n = 1; n <= max && first + n - 1 <= length; n += 1) {
        hash = step(hash, at(first + n - 1));
        const whole = first === -1 && n === length + 2 && n < min; // shorter than any n-gram: it is one by itself
        if (n < min && !whole) continue;
        const span = { from: from + Math.max(0, first), to: from + Math.min(length, first + n) };
        visit(start + (mixed(hash) % columns), span);
      }
    }
  }
}

/** FNV-1a over code points (Fowler, Noll, Vo), its bits mixed by the last steps of MurmurHash3: `%` looks at the low ones. */
const begin = (seed: number) => (2_166_136_261 ^ seed) | 0;

const step = (hash: number, point: number) => Math.imul(hash ^ point, 16_777_619);

function mixed(hash: number): number {
  let h = hash ^ (hash >>> 16);
  h = Math.imul(h, 0x85ebca6b);
  h ^= h >>> 13;
  h = Math.imul(h, 0xc2b2ae35);
  h ^= h >>> 16;
  return h >>> 0;
}
