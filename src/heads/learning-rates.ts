/** How a step size changes while a fit goes on. */
export type LearningRateSchedule = 'constant' | 'cosine' | 'plateau';

/** Epochs without a better validation loss before a rate falls, and to which share. */
const PLATEAU = { patience: 2, factor: 0.2 };
const LOWEST_SHARE = 1e-3;

/** The step size of each moment of a fit. */
export class LearningRates {
  /** The rate of each epoch so far: the same fit on other examples takes the same. */
  readonly taken: number[] = [];
  readonly #rate: number;
  readonly #schedule: LearningRateSchedule;
  readonly #epochs: number;
  readonly #given: readonly number[];
  #share = 1;
  #best = Number.POSITIVE_INFINITY;
  #waited = 0;

  /**
   * @param options epochs: over which a cosine falls; given: rates of earlier epochs, which are taken instead of the plateau's
   */
  constructor(options: { rate: number; schedule: LearningRateSchedule; epochs: number; given?: readonly number[] }) {
    this.#rate = options.rate;
    this.#schedule = options.schedule;
    this.#epochs = options.epochs;
    this.#given = options.given ?? [];
  }

  /** @param epoch from 1 @param done share of this epoch that is done */
  at(epoch: number, done: number): number {
    if (this.#schedule === 'constant') return this.#rate;
    if (this.#schedule === 'cosine') {
      const share = Math.min(1, (epoch - 1 + done) / this.#epochs);
      return this.#rate * 0.5 * (1 + Math.cos(Math.PI * share));
    }
    const rate = this.#given[epoch - 1] ?? this.#rate * this.#share;
    this.taken[epoch - 1] = rate;
    return rate;
  }

  /** After an epoch. @param loss of validation examples; undefined where there are none */
  observe(loss: number | undefined): void {
    if (loss === undefined) return;
    if (loss < this.#best) {
      this.#best = loss;
      this.#waited = 0;
      return;
    }
    this.#waited += 1;
    if (this.#waited < PLATEAU.patience) return;
    this.#share = Math.max(LOWEST_SHARE, this.#share * PLATEAU.factor);
    this.#waited = 0;
  }
}
