/** A head as it is served, of either form, and the files of a version that hold it. */
import type { FeatureRow } from '../numbers/features.js';
import { type Head, headBytes, score } from './head.js';
import { readSparseHead, scoreSparse, type SparseHead, sparseHeadBytes, writeSparseHead } from './sparse-head.js';
import { readTfjsLayers, writeTfjsLayers } from './tfjs-layers.js';

export type ServedHead = Head | SparseHead;

const LAYERS = { model: 'head/model.json', weights: 'head/weights.bin' };
const SPARSE = { shape: 'head/sparse.json', weights: 'head/sparse.bin' };

export function isLayers(head: ServedHead): head is Head {
  return 'layers' in head;
}

/** Where only layers can be. @throws RangeError for a sparse one */
export function onlyLayers(head: ServedHead): Head {
  if (isLayers(head)) return head;
  throw new RangeError('a sparse head where only layers can be');
}

/** Bytes that it takes in memory. */
export function servedBytes(head: ServedHead): number {
  return isLayers(head) ? headBytes(head) : sparseHeadBytes(head);
}

/** Probabilities `[K]` of one example, from features as the backbone answers them. */
export function applyHead(head: ServedHead, features: FeatureRow, out?: Float32Array): Float32Array {
  return isLayers(head) ? score(head, features, out) : scoreSparse(head, features, out);
}

/** Its files, by path in the version. */
export async function writeHead(head: ServedHead): Promise<[string, Uint8Array | string][]> {
  if (isLayers(head)) {
    const { model, weights } = await writeTfjsLayers(head);
    return [
      [LAYERS.model, model],
      [LAYERS.weights, weights],
    ];
  }
  const { shape, weights } = writeSparseHead(head);
  return [
    [SPARSE.shape, shape],
    [SPARSE.weights, weights],
  ];
}

/** Whether the files of a version hold a head of layers, as TensorFlow.js reads them. */
export function holdsLayers(files: { path: string }[]): boolean {
  return files.some(({ path }) => path === LAYERS.model);
}

/**
 * @param files those of the version
 * @throws AppError `version_damaged`
 */
export async function readHead(
  files: { path: string }[],
  read: (path: string) => Promise<Buffer>,
): Promise<ServedHead> {
  if (files.some(({ path }) => path === SPARSE.shape)) {
    const [shape, weights] = await Promise.all([read(SPARSE.shape), read(SPARSE.weights)]);
    return readSparseHead({ shape: shape.toString('utf8'), weights });
  }
  const [model, weights] = await Promise.all([read(LAYERS.model), read(LAYERS.weights)]);
  return readTfjsLayers({ model: model.toString('utf8'), weights });
}
