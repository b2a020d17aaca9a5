import type { Transform } from 'node:stream';
import zlib from 'node:zlib';
import type { ArchiveFormat } from './archive.js';

type CreateTransform = (options: { chunkSize: number }) => Transform;

/** Node has Zstandard since 22.15. */
const createZstd = (zlib as unknown as { createZstdDecompress?: CreateTransform }).createZstdDecompress;

/** Whether this Node reads Zstandard. */
export const READS_ZSTD = createZstd !== undefined;

/** What unpacks an archive as it passes; undefined: nothing need be done. */
export function decompressor(format: ArchiveFormat, chunkSize: number): Transform | undefined {
  if (format === 'tar.gz' || format === 'table.gz') return zlib.createGunzip({ chunkSize });
  return format === 'tar.zst' ? createZstd!({ chunkSize }) : undefined;
}
