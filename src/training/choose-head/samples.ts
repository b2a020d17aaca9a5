import type { Features } from '../../numbers/features.js';

/** Feature vectors of examples and of their varied copies, to fit heads on. */
export interface Samples {
  /** Standardised. The first rows are the examples themselves, in order; their copies follow. */
  features: Features;
  /** `[rows]` class indices */
  y: Int32Array;
  /** `[rows]`: the example that a row was made from. */
  origin: Int32Array;
  labels: string[];
}
