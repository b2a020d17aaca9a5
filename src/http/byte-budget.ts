import { AppError } from '../errors.js';

/** What one request holds of a budget. */
export interface ByteShare {
  /** @throws AppError `overloaded` when the budget is used up */
  take(bytes: number): void;
  /** Give everything back; once. */
  close(): void;
}

/**
 * Memory that the bodies of all requests share. Counted as bytes arrive and not as they are announced: who only claims
 * to send much takes nothing from the others.
 */
export class ByteBudget {
  readonly #max: number;
  #taken = 0;

  constructor(max: number) {
    this.#max = max;
  }

  open(): ByteShare {
    let mine = 0;
    return {
      take: (bytes) => {
        if (this.#taken + bytes > this.#max) {
          throw new AppError('overloaded', 'The bodies of other requests fill the memory. Try again in a second.');
        }
        mine += bytes;
        this.#taken += bytes;
      },
      close: () => {
        this.#taken -= mine;
        mine = 0;
      },
    };
  }
}
