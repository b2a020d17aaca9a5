import { AppError } from '../errors.js';
import type { VersionManifest } from '../schemas/versions.js';
import { replaceWeights } from './replace-weights.js';
import { readTopFiles } from './weights.js';

/** What a trained top means for the downloads of its version. */
export interface DownloadedTop {
  /** @throws AppError `format_unavailable` */
  checkFormat(format: string): void;
  /** The whole backbone as ONNX, with the version's own weights in its top. @throws AppError `version_damaged` */
  graph(backbone: Uint8Array): Promise<Uint8Array>;
}

/** @param options manifest: of a version with a trained top; read: its files */
export function topForDownload(options: {
  manifest: VersionManifest;
  read: (path: string) => Promise<Buffer>;
}): DownloadedTop {
  const { manifest, read } = options;
  return {
    checkFormat(format) {
      if (format !== 'tfjs') return;
      throw new AppError(
        'format_unavailable',
        `Version ${manifest.version} of '${manifest.model}' has a part of the backbone of its own, which is no TensorFlow.js layers model. Take format onnx or bundle.`,
      );
    },
    graph: async (backbone) => replaceWeights(backbone, (await readTopFiles(read)).weights),
  };
}
