import type { FeatureCache } from '../../backbones/feature-cache.js';
import { AppError } from '../../errors.js';
import type { LabelledExample } from '../../schemas/datasets.js';
import { type ExtractOptions, extractFeatures } from './extract-features.js';

/** Images at a time: what reaches a cut is many times larger than features, so it is not held but read again. */
const CHUNK = 256;

/**
 * What the trunk answers for every image and varied copy, computed into the cache.
 * @param kept the images that could be decoded, as `extractFeatures` says; rows are in its order
 * @returns reads a row, `[T]`
 */
export async function trunkOutputs(options: ExtractOptions, kept: number[]): Promise<(row: number) => Float32Array> {
  const { entries, augmentation, cache, backbone, vary } = options;
  const { sha256, features } = backbone.card;
  const { recipe } = backbone;
  const varied = new Set(augmentation?.images);
  const copies = augmentation?.settings.copies ?? 0;
  const total = kept.length + copies * kept.filter((entry) => varied.has(entry)).length;
  let [done, cached] = [0, 0];
  for (let start = 0; start < kept.length; start += CHUNK) {
    const part = kept.slice(start, start + CHUNK);
    const images = [...part.keys()].filter((i) => varied.has(part[i]!));
    const extracted = await extractFeatures({
      ...options,
      entries: part.map((entry) => entries[entry]!),
      augmentation: augmentation && { settings: augmentation.settings, images },
      onProgress: (now) => {
        const [doneNow, cachedNow] = [done + now.done, cached + now.cached];
        const left = now.perSecond === null ? null : (total - doneNow) / now.perSecond;
        options.onProgress({ ...now, done: doneNow, total, cached: cachedNow, secondsLeft: left });
      },
    });
    done += part.length + copies * images.length;
    cached += extracted.cached;
  }
  const keyOf = (entry: LabelledExample, variation: string) => ({
    content: entry.sha256,
    backbone: sha256,
    recipe,
    variation,
  });
  const keys = kept.map((entry) => keyOf(entries[entry]!, ''));
  const inside = new Set(kept);
  for (const entry of augmentation?.images.filter((image) => inside.has(image)) ?? []) {
    const { settings } = augmentation!;
    for (let copy = 0; copy < copies; copy += 1) {
      const variation = vary?.(settings, entries[entry]!.sha256, copy);
      keys.push(keyOf(entries[entry]!, JSON.stringify(variation)));
    }
  }
  return (row) => readRow(cache, keys[row]!, features.dimensions);
}

function readRow(cache: FeatureCache, key: Parameters<FeatureCache['get']>[0], dimensions: number): Float32Array {
  const found = cache.get(key, dimensions);
  if (found) return found;
  throw new AppError(
    'internal',
    'What reaches the cut could not be kept in the feature cache, which trainable top needs. Is the disk full?',
  );
}
