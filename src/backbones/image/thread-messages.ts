/** What a session's thread is given when it starts, and what it and its client say to each other. */
import type { BackboneCut, ImageBackboneCard } from '../../schemas/backbones.js';
import type { OwnWeights } from '../trunk.js';
import type { FeatureMap } from './maps/class-activation-map.js';

/**
 * Images in every pass on a GPU; what is missing is filled up. ONNX Runtime plans each convolution anew whenever the number of
 * images is another than before: with whatever number came, one prediction in a hundred took two seconds.
 */
export const GPU_BATCH_SIZE = 32;

export interface ThreadData {
  file: string;
  card: Pick<ImageBackboneCard, 'sha256' | 'input' | 'features' | 'maps'>;
  threads: number;
  /** In the order in which they are tried. */
  providers: string[];
  /** Load the part up to a cut, and the part behind it with open weights; `features` are the whole's. */
  top?: { cut: BackboneCut; features: ImageBackboneCard['features']; weights: Map<string, number[]> };
}

/** uint8 `[count, H, W, 3]` */
export interface EmbedRequest {
  id: number;
  pixels: Uint8Array;
  count: number;
  /** Answer the maps instead of the features; of one image. */
  maps?: boolean;
}

/** Run the part behind the cut on what the part before it answered, float32 `[count, T]`. */
export interface TopRequest {
  id: number;
  rows: Float32Array;
  count: number;
  /** Name of the weights; they are sent before they are first named. */
  key: string;
}

/** Weights of one model's top: keep them under `key`, or forget them. */
export interface WeightsMessage {
  key: string;
  weights: OwnWeights | undefined;
}

/**
 * `ready` on one of the providers, with why not on those before it; or why on none. Then an answer per request: float32
 * `[count, D]`, or the maps in the order of the card, or why not.
 */
export type ThreadMessage =
  | { kind: 'ready'; provider: string; unavailableProviders: string[] }
  | { kind: 'refused'; reason: string }
  | { kind: 'features'; id: number; features: Float32Array }
  | { kind: 'maps'; id: number; maps: FeatureMap[] }
  | { kind: 'failed'; id: number; reason: string };
