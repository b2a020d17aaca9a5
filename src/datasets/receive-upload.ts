import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { AppError, isErrno } from '../errors.js';

export interface UploadOptions {
  source: Readable;
  /** Where to write; must not exist. */
  path: string;
  maxBytes: number;
  signal?: AbortSignal;
}

export interface Upload {
  bytes: number;
  /** SHA-256 of the bytes, hexadecimal. */
  sha256: string;
}

/** An archive that was received whole, in a temporary file. */
export interface ReceivedUpload extends Upload {
  path: string;
  name: string | null;
}

/**
 * Stream an upload into a file, hashing as it passes. What is left of it after a failure is the caller's to remove.
 * @throws AppError `archive_too_large`, `client_closed_request`, `storage_full`.
 */
export async function receiveUpload({ source, path, maxBytes, signal }: UploadOptions): Promise<Upload> {
  const hash = createHash('sha256');
  let bytes = 0;
  const measure = async function* (chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of chunks) {
      bytes += chunk.length;
      if (bytes > maxBytes) {
        throw new AppError('archive_too_large', `The upload is larger than ${maxBytes} bytes.`, {
          details: { max_bytes: maxBytes },
        });
      }
      hash.update(chunk);
      yield chunk;
    }
  };
  const file = createWriteStream(path, { flags: 'wx', highWaterMark: 1024 * 1024 });
  try {
    await pipeline(source, measure, file, { signal });
  } catch (error) {
    // A file that is still being opened would appear after the caller has removed it.
    if (!file.closed) await new Promise<void>((resolve) => file.once('close', () => resolve()));
    if (signal?.aborted || isErrno(error, 'ABORT_ERR', 'ERR_STREAM_PREMATURE_CLOSE', 'ECONNRESET')) {
      throw uploadBrokenOff(error);
    }
    if (isErrno(error, 'ENOSPC', 'EDQUOT')) {
      throw new AppError('storage_full', 'The disk for uploads is full. Free some space and try again.', {
        cause: error,
      });
    }
    throw error;
  }
  return { bytes, sha256: hash.digest('hex') };
}

export function uploadBrokenOff(cause: unknown): AppError {
  return new AppError('client_closed_request', 'The upload was broken off before it was complete.', { cause });
}
