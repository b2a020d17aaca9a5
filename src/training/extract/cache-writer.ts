import type { FeatureCache } from '../../backbones/feature-cache.js';

type Stored = Parameters<FeatureCache['putAll']>[0];

/** Writes to the cache one transaction after another, each with all that came meanwhile. */
export function cacheWriter(options: { cache: FeatureCache; onCacheError: (error: unknown) => void }) {
  const { cache, onCacheError } = options;
  let waiting: Stored = [];
  let off = false;
  let writing: Promise<void> | undefined;
  const write = async () => {
    while (waiting.length > 0) {
      const entries = waiting;
      waiting = [];
      // A cache that cannot be written, on a full disk say, costs time and not the job; it is told once.
      await cache.putAll(entries).catch((error: unknown) => {
        off = true;
        waiting = [];
        onCacheError(error);
      });
    }
    writing = undefined;
  };
  return {
    add(entry: Stored[number]) {
      if (off) return;
      waiting.push(entry);
      writing ??= write();
    },
    written: async () => writing,
  };
}
