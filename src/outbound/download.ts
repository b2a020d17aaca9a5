import { stat, truncate } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { appendBody } from './append-body.js';
import { networkFault } from './network-fault.js';
import { request } from './request.js';

export interface DownloadOptions {
  url: URL;
  /** Grows as bytes arrive; what is in it already is not fetched again. */
  file: string;
  /** Size of the whole file. */
  bytes: number;
  trustedHost?: string;
  /** Longest time without a byte. */
  stallMs: number;
  /** Times in a row that nothing came, before giving up. */
  attempts: number;
  /** Wait before the first repetition; doubled with each. */
  backoffMs: number;
  onProgress?: (done: number) => void;
  /** Told when a connection was cut and is made again. */
  onRetry?: (reason: string) => void;
}

/** The file came whole; or it is not at this address; or nobody answers there. */
export type DownloadOutcome = { kind: 'complete' } | { kind: 'absent' | 'unreachable'; reason: string };

/** What one request came to. `cut`: the same may work if it is asked again; `refused`: nobody was there. */
type Attempt = { kind: 'absent' | 'cut' | 'refused'; reason: string };

/**
 * Fetch a file, going on where an earlier call stopped.
 *   1. Ask for the rest behind what is there. A server that cannot do ranges answers with all of it: start again.
 *   2. Compare the size it announces before taking any of it.
 *   3. Append what comes. When the connection is cut or stalls, wait and go to 1; any byte that came is progress.
 * Bytes are not checked beyond their number: the caller compares the digest.
 * @throws AppError `storage_full`: the file keeps what has arrived; `download_failed`: a redirect that is not followed
 */
export async function download(options: DownloadOptions): Promise<DownloadOutcome> {
  const { file, bytes, attempts, backoffMs, onRetry } = options;
  let done = await sizeOf(file);
  if (done > bytes) {
    await truncate(file);
    done = 0;
  }
  let hasReceived = false;
  for (let failures = 0; done < bytes; ) {
    const before = done;
    const { kind, reason } = await attempt(options, done);
    if (kind === 'absent') return { kind, reason };
    done = await sizeOf(file);
    if (done >= bytes) break;
    hasReceived ||= done > before;
    failures = done > before ? 1 : failures + 1;
    // Who never answered is not asked again and again; who did comes back.
    if (failures >= attempts || (kind === 'refused' && !hasReceived)) return { kind: 'unreachable', reason };
    onRetry?.(reason);
    await sleep(backoffMs * 2 ** (failures - 1));
  }
  return { kind: 'complete' };
}

/** One request, and all that comes of it. */
async function attempt(options: DownloadOptions, offset: number): Promise<Attempt> {
  const { url, file, bytes, trustedHost, stallMs, onProgress } = options;
  const stalling = new AbortController();
  const timer = setTimeout(() => stalling.abort(), stallMs);
  try {
    const response = await request(url, { offset, trustedHost, signal: stalling.signal });
    const extent = extentOf(response, { offset, bytes });
    if ('reason' in extent) {
      await response.body?.cancel();
      if (response.status === 416) await truncate(file);
      return extent;
    }
    const end = await appendBody(response, {
      file,
      start: extent.start,
      maxBytes: bytes,
      onProgress(done) {
        timer.refresh();
        onProgress?.(done);
      },
    });
    if (end > bytes) return { kind: 'absent', reason: `it has more than ${bytes} bytes` };
    return { kind: 'cut', reason: 'the connection was cut' };
  } catch (error) {
    if (stalling.signal.aborted) return { kind: 'cut', reason: `nothing arrived for ${stallMs / 1000} s` };
    const fault = networkFault(error);
    if (fault === undefined) throw error;
    return fault;
  } finally {
    clearTimeout(timer);
  }
}

/** Where in the file the body begins; or why it is not taken. */
function extentOf(
  { status, headers }: Response,
  { offset, bytes }: { offset: number; bytes: number },
): { start: number } | Attempt {
  if (status === 416) return { kind: 'cut', reason: 'the server has nothing behind what is here' };
  if (status >= 500 || status === 408 || status === 429) return { kind: 'cut', reason: `it answers ${status}` };
  // 401 is what Hugging Face answers for a repository that it does not have.
  if (status !== 200 && status !== 206) return { kind: 'absent', reason: `it answers ${status}` };
  let start = 0;
  let total = headers.get('content-length') ?? String(bytes);
  if (status === 206) {
    const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(headers.get('content-range') ?? '');
    if (range === null || (Number(range[1]) !== offset && Number(range[1]) !== 0)) {
      return { kind: 'absent', reason: 'it answers with another range than was asked for' };
    }
    start = Number(range[1]);
    total = range[2] === '*' ? String(bytes) : range[2]!;
  }
  return Number(total) === bytes ? { start } : { kind: 'absent', reason: `it has ${total} bytes instead of ${bytes}` };
}

async function sizeOf(file: string): Promise<number> {
  return (await stat(file).catch(() => ({ size: 0 }))).size;
}
