import { open } from 'node:fs/promises';
import { AppError, isErrno } from '../errors.js';

/**
 * Write what a server sends behind the first `start` bytes of a file; 0 starts the file anew. Written as it comes, so that
 * whatever ends the process leaves what has arrived.
 * @returns the bytes of the file then; more than `maxBytes` when it was too long, and the file is empty
 * @throws AppError `storage_full`, TypeError of `fetch` when the connection breaks
 */
export async function appendBody(
  response: Response,
  options: { file: string; start: number; maxBytes: number; onProgress: (done: number) => void },
): Promise<number> {
  const { file, start, maxBytes, onProgress } = options;
  if (response.body === null) return start;
  const output = await open(file, start === 0 ? 'w' : 'a');
  let done = start;
  try {
    // Leaving the loop by `break` or an error cancels the body.
    for await (const piece of response.body as AsyncIterable<Uint8Array>) {
      done += piece.length;
      if (done > maxBytes) {
        await output.truncate();
        break;
      }
      await output.writeFile(piece);
      onProgress(done);
    }
    return done;
  } catch (error) {
    if (!isErrno(error, 'ENOSPC', 'EDQUOT')) throw error;
    throw new AppError(
      'storage_full',
      `The disk is full: ${file} keeps what has arrived. Make room and run the same again.`,
      { cause: error },
    );
  } finally {
    await output.close();
  }
}
