/**
 * Multinomial logistic regression: minimise
 *   Σᵢ wᵢ · −log softmax(V xᵢ + b)[yᵢ] / Σᵢ wᵢ  +  λ/2 · |V|²
 * by L-BFGS. A fit names its rows by weights, 0 leaving a row out. So the folds of a cross-validation and all penalties
 * share one matrix, and one pass scores all rows, those left out, too.
 */
import type { Features } from '../numbers/features.js';
import { DenseSoftmax } from './dense-softmax.js';
import type { DenseLayer } from './head.js';
import type { SoftmaxObjective } from './softmax-objective.js';
import { SparseSoftmax } from './sparse-softmax.js';

export interface SoftmaxFit {
  /** Weights and biases: where another fit on the same rows may start; `layer` reads them. */
  point: Float32Array;
  iterations: number;
  loss: number;
  /** Of all rows, `[N, K]`. */
  logits: Float32Array;
}

export interface FitOptions {
  /** `[N]`: weight of each row; 0 leaves it out. */
  rowWeights: Float32Array;
  /** λ */
  weightDecay: number;
  /** Of a fit on the same rows; from zero without it. */
  start?: Pick<SoftmaxFit, 'point'>;
  maxIterations: number;
  /** Stop when the loss falls by less than this share in one iteration. */
  tolerance: number;
  /** Called after each iteration; `logits` `[N, K]` belong to the parameters it ended with. Return false to stop. */
  onIteration?: (step: { iteration: number; loss: number; logits: Float32Array }) => boolean | undefined;
}

/** A set of labelled feature vectors to fit on, again and again. */
export class SoftmaxRegression {
  readonly #objective: SoftmaxObjective;

  /** @param options features: standardised, not to be changed; y: `[N]` class indices below K */
  constructor({ features, y, classes }: { features: Features; y: Int32Array; classes: number }) {
    this.#objective =
      features.kind === 'dense' ? new DenseSoftmax(features, y, classes) : new SparseSoftmax(features, y, classes);
  }

  /** The event loop is held during each pass; run it in a process of its own. */
  async fit(options: FitOptions): Promise<SoftmaxFit> {
    const { rowWeights, weightDecay, maxIterations, tolerance, onIteration, start } = options;
    const total = rowWeights.reduce((sum, weight) => sum + weight, 0);
    return this.#objective.fit({
      shares: rowWeights.map((weight) => weight / total),
      weightDecay,
      start: start?.point,
      maxIterations,
      tolerance,
      onIteration: onIteration && ((iteration, loss, logits) => onIteration({ iteration, loss, logits: logits() })),
    });
  }

  /** What was fitted, as a layer of a head. */
  layer({ point }: Pick<SoftmaxFit, 'point'>): DenseLayer {
    return this.#objective.layer(point);
  }
}
