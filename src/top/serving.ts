import type { Backbones } from '../backbones/backbones.js';
import type { Backbone } from '../backbones/contract.js';
import type { FeatureRow } from '../numbers/features.js';
import type { VersionManifest } from '../schemas/versions.js';
import { loadTrunk } from './load-trunk.js';
import { TopQueue } from './top-queue.js';
import { readTopFiles, topBytes } from './weights.js';

/** A trained top that is served: the trunk's pass is shared by all models with this cut, what follows it is the version's own. */
export interface ServedTop {
  /** Memory that it takes. */
  readonly bytes: number;
  /** For one request: the shared pass, and what makes the version's features of its row. */
  begin(): Promise<{ backbone: Backbone; finish: (row: FeatureRow) => Promise<FeatureRow> }>;
  /** Let go of the weights. */
  close(): void;
}

/**
 * @param options manifest: of a version with a trained top; read: its files
 * @throws AppError `version_damaged`
 */
export async function serveTop(options: {
  backbones: Backbones;
  manifest: VersionManifest & { top: NonNullable<VersionManifest['top']> };
  read: (path: string) => Promise<Buffer>;
}): Promise<ServedTop> {
  const { backbones, manifest, read } = options;
  const top = await readTopFiles(read);
  const weights = new Map([...top.weights].map(([name, { dims }]) => [name, dims]));
  const cutting = { cut: manifest.top.cut, weights };
  let queue: TopQueue | undefined;
  return {
    bytes: topBytes(top),
    async begin() {
      const trunk = await loadTrunk(backbones, manifest.backbone, cutting);
      // One whose thread has died was loaded anew.
      if (queue?.trunk !== trunk) queue = new TopQueue({ trunk, top });
      const current = queue;
      return { backbone: trunk, finish: (row) => current.run(row as Float32Array) };
    },
    close: () => queue?.trunk.forget(top.key),
  };
}
