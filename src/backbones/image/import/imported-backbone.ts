import type { ImageBackboneCard } from '../../../schemas/backbones.js';
import type { FeatureParts } from './backbone-graph.js';
import type { PresetName } from './preprocessing.js';

/** What an import made, and how it understood the file. */
export interface ImportedBackbone {
  card: ImageBackboneCard;
  /** By name, the one of the card among them. */
  files: Map<string, Uint8Array | string>;
  preset: PresetName;
  /** Why this pre-processing. */
  presetReason: string;
  /** Where the features come from, shallow first: pooled maps, and perhaps a vector at the end. */
  parts: FeatureParts;
  /** Classes of the classifier that was cut off; undefined where there was none. */
  classes: number | undefined;
}
