import type { FeatureCache, FeatureKey } from '../../backbones/feature-cache.js';
import { AppError } from '../../errors.js';
import { type ExtractOptions, extractFeatures, keysOf } from './extract-features.js';

/** Examples at a time: what reaches a cut is many times larger than features, so it is not held but read again. */
const CHUNK = 256;

/**
 * What the trunk answers for every example and varied copy, computed into the cache.
 * @param kept the examples that the backbone takes, as `extractFeatures` says; rows are in its order
 * @returns reads a row, `[T]`
 */
export async function trunkOutputs(options: ExtractOptions, kept: number[]): Promise<(row: number) => Float32Array> {
  const { augmentation, cache, backbone } = options;
  const varied = new Set(augmentation?.of);
  const copies = augmentation?.settings.copies ?? 0;
  const partOf = (examples: number[]) => ({
    examples: examples.map((example) => options.examples[example]!),
    augmentation: augmentation && {
      settings: augmentation.settings,
      of: [...examples.keys()].filter((place) => varied.has(examples[place]!)),
    },
  });
  const total = kept.length + copies * kept.filter((example) => varied.has(example)).length;
  let [done, cached] = [0, 0];
  for (let start = 0; start < kept.length; start += CHUNK) {
    const part = partOf(kept.slice(start, start + CHUNK));
    const extracted = await extractFeatures({
      ...options,
      ...part,
      onProgress: (now) => {
        const [doneNow, cachedNow] = [done + now.done, cached + now.cached];
        const left = now.perSecond === null ? null : (total - doneNow) / now.perSecond;
        options.onProgress({ ...now, done: doneNow, total, cached: cachedNow, secondsLeft: left });
      },
    });
    done += part.examples.length + copies * (part.augmentation?.of.length ?? 0);
    cached += extracted.cached;
  }
  const keys = keysOf({ ...options, ...partOf(kept) });
  return (row) => readRow(cache, keys[row]!, backbone.card.features.dimensions);
}

function readRow(cache: FeatureCache, key: FeatureKey, dimensions: number): Float32Array {
  const found = cache.get(key, dimensions);
  if (found) return found;
  throw new AppError(
    'internal',
    'What reaches the cut could not be kept in the feature cache, which training the backbone needs. Is the disk full?',
  );
}
