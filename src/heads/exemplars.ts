/**
 * Exemplars: the examples that a version was fitted on, remembered as int8 features with label and digest, to explain a
 * prediction by what it resembles. Two files of the version; what is in them is said by the JSON one.
 */
import { AppError } from '../errors.js';
import { columnsOf, type FeatureRow, type Features, isSparse, rowOf } from '../numbers/features.js';
import { rounded } from '../numbers/scores.js';
import { onlyDenseStandard, type Standard } from '../numbers/standardise.js';
import { readDense, readSparse, type Vectors, writeDense, writeSparse } from './exemplar-vectors.js';

/** An example that a version remembers. */
export interface Exemplar {
  sha256: string;
  /** Path inside the archive. */
  name: string;
  label: string;
}

/** Two files of a version. */
export interface ExemplarFiles {
  /** JSON */
  examples: string;
  /** As `exemplar-vectors.ts` writes them. */
  features: Uint8Array;
}

interface ExamplesFile {
  /** Number of this form of the two files. */
  format: 1;
  kind: Features['kind'];
  columns: number;
  /** Examples that the version was fitted on; fewer may be remembered. */
  of: number;
  examples: Exemplar[];
}

/** @param options features: standardised by `standard`; rows: which of them, one per example */
export function writeExemplars(options: {
  examples: Exemplar[];
  rows: number[];
  of: number;
  features: Features;
  standard: Standard;
}): ExemplarFiles {
  const { examples, rows, of, features, standard } = options;
  const { kind, columns } = features;
  const file: ExamplesFile = { format: 1, kind, columns, of, examples };
  const vectors = rows.map((row) => rowOf(features, row));
  return {
    examples: JSON.stringify(file),
    features:
      kind === 'dense'
        ? writeDense(vectors as Float32Array[], onlyDenseStandard(standard))
        : writeSparse(vectors.filter(isSparse), columns),
  };
}

/** Bytes that an example takes in `features`, on average: says how many a version can remember. */
export function bytesPerExemplar(features: Features): number {
  if (features.kind === 'dense') return features.columns;
  return 4 + (5 * features.values.length) / Math.max(1, features.rows);
}

/** The examples of a version and what they look like to its backbone. */
export class Exemplars {
  readonly #file: ExamplesFile;
  readonly #vectors: Vectors;

  /** @throws AppError `version_damaged` */
  constructor({ examples, features }: ExemplarFiles) {
    this.#file = JSON.parse(examples) as ExamplesFile;
    const { kind, columns, examples: all } = this.#file;
    const vectors = (kind === 'sparse' ? readSparse : readDense)(features, all.length, columns);
    if (!vectors) throw new AppError('version_damaged', 'The stored exemplars are not those that Graft wrote.');
    this.#vectors = vectors;
  }

  /** Bytes in memory, nearly. */
  get bytes(): number {
    return this.#vectors.bytes + 300 * this.examples;
  }

  /** How many are remembered. */
  get examples(): number {
    return this.#file.examples.length;
  }

  /** Examples that the version was fitted on. */
  get of(): number {
    return this.#file.of;
  }

  /**
   * The examples that are most alike, best first.
   * @param features of one example: dense ones as the backbone answers them, sparse ones weighted
   * @returns similarity: cosine of the standardised features, −1 to 1
   * @throws AppError `version_damaged` for features of another kind or size
   */
  nearest(features: FeatureRow, count: number): (Exemplar & { similarity: number })[] {
    const { kind, columns } = this.#file;
    if (columnsOf(features) !== columns || isSparse(features) !== (kind === 'sparse')) {
      throw new AppError(
        'version_damaged',
        `The stored exemplars have ${columns} ${kind} features, not ${columnsOf(features)} ${isSparse(features) ? 'sparse' : 'dense'} ones.`,
      );
    }
    const similarities = this.#vectors.cosines(features);
    const order = [...similarities.keys()].sort((a, b) => similarities[b]! - similarities[a]!);
    return order.slice(0, count).map((i) => ({
      ...this.#file.examples[i]!,
      similarity: rounded(Math.min(1, similarities[i]!), 4),
    }));
  }
}
