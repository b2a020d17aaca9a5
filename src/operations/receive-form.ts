import type { Readable } from 'node:stream';
import type { ReceivedUpload } from '../datasets/datasets.js';
import { AppError } from '../errors.js';
import type { Dataset, LayoutWanted } from '../schemas/datasets.js';
import type { Caller } from './caller.js';
import type { OperationsDependencies } from './dependencies.js';

/** An archive on its way in. */
export interface Archive {
  source: Readable;
  /** Name of the file, if it has one. */
  name: string | null;
  /** SHA-256 (hex) that the archive must have. */
  expectedSha256?: string;
  /** Aborted when the client leaves. */
  signal?: AbortSignal;
}

/** How an archive is to be taken in. */
export interface Taking {
  /** Absent: as it looks. */
  layout?: LayoutWanted;
  /** Say how it would be understood, and keep nothing. */
  dryRun?: boolean;
  /** What the data set is to be called; absent: as its file. */
  name?: string;
}

/**
 * How a transport hands over a form. It calls `take` with each archive as it comes, and answers with what else the form says
 * once all of it was read and checked.
 */
export type ReceiveForm<T> = (take: (archive: Archive) => Promise<void>) => Promise<T & Taking>;

/** Most archives in one form. */
const MAX_ARCHIVES = 100;

/**
 * A data set from the archives of a form, and what is made of it. Whatever fails, in the rest of the form or in `use`, leaves
 * no data set.
 * @throws AppError `missing_file`, and what `Datasets.receive` and `Datasets.createFrom` throw
 */
export async function receiveForm<T, Made>(
  { datasets }: Pick<OperationsDependencies, 'datasets'>,
  { caller, receive }: { caller: Caller; receive: ReceiveForm<T> },
  use: (dataset: Dataset, rest: T & Taking) => Promise<Made>,
): Promise<Made> {
  const { tenant, by } = caller;
  const uploads: ReceivedUpload[] = [];
  let signal: AbortSignal | undefined;
  let dataset: Dataset | undefined;
  try {
    const rest = await receive(async (archive) => {
      signal = archive.signal;
      if (uploads.length === MAX_ARCHIVES) {
        throw new AppError('invalid_multipart', `The form has more than ${MAX_ARCHIVES} files.`);
      }
      const receivedBytes = uploads.reduce((sum, { bytes }) => sum + bytes, 0);
      uploads.push(await datasets.receive({ tenant, receivedBytes, ...archive }));
    });
    if (uploads.length === 0) {
      throw new AppError('missing_file', 'The form has no file. Send the archive as the field `file`.');
    }
    const { layout, dryRun, name } = rest;
    const taking = {
      ...(layout && { layout }),
      ...(dryRun && { dryRun }),
      ...(name !== undefined && { name }),
      ...(signal && { signal }),
    };
    dataset = await datasets.createFrom(uploads, { tenant, by, ...taking });
    return await use(dataset, rest);
  } catch (error) {
    if (dataset) await datasets.delete(tenant, dataset.id).catch(() => undefined);
    throw error;
  } finally {
    await datasets.discard(uploads);
  }
}
