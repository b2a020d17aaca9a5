/**
 * backbones/ turns content into features: what a backbone is, which ones are installed, which are loaded. A kind of content
 * (image/, later text/) is a sub-room that implements `Modality` and `Backbone`; all other rooms know these two alone. What
 * fits heads on features lies in heads/, graph surgery in onnx/, the trainable part of a backbone in top/.
 *
 * This file: a loaded backbone.
 */
import type { ServedHead } from '../heads/served-head.js';
import type { Features } from '../numbers/features.js';
import type { BackboneCard } from '../schemas/backbones.js';

/** How a training example is varied; what is in it is the modality's business. Plain JSON, for it is part of cache keys. */
export type Variation = Readonly<Record<string, unknown>>;

/** Examples in one pass: more are no faster on what the backbone runs on, and take memory and time to wait. */
export interface BatchSizes {
  predicting: number;
  extracting: number;
}

/**
 * A backbone in memory, kept for the life of the process: it turns content into features, the same for every model.
 * `P` is content made ready for it, such as pixels.
 */
export interface Backbone<P = unknown> {
  readonly card: BackboneCard;
  /** How it makes content ready: the recipe and the settings of its card. Part of the key of cached features. */
  readonly recipe: string;
  /** Passes that it works on at once. */
  readonly passes: number;
  readonly batch: BatchSizes;
  /** What it runs on, such as `cpu` or `cuda`. */
  readonly provider: string;
  /** Why it does not run on what was tried before. */
  readonly unavailableProviders: string[];
  /** Whether reading features back costs less than computing them again. */
  readonly cacheable: boolean;
  /**
   * Make content ready for a pass, off the event loop.
   * @throws AppError `content_invalid`, `content_too_large`, or `content_unsupported` for what is no content of its modality
   */
  prepare(content: Uint8Array, variation?: Variation): Promise<P>;
  /**
   * Features of a batch, in its order; the event loop stays free. What was prepared stays as it is.
   * @param onStart called when the pass begins, unless it begins at once: a session does one after another
   */
  embed(prepared: P[], onStart?: () => void): Promise<Features>;
  /**
   * Why a head gives an example its score for a class, in the modality's own terms: fields of the public explanation.
   * @param head takes the features of this backbone as they are
   * @param scale pictures are so many times as wide and as high as the content that the backbone sees; default: 1
   */
  explain?(prepared: P, head: ServedHead, classIndex: number, scale?: number): Promise<Record<string, unknown>>;
}
