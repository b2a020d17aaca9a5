import type { Readable } from 'node:stream';
import type { ReceivedUpload } from '../datasets/receive-upload.js';
import { AppError } from '../errors.js';
import type { Dataset, LayoutWanted } from '../schemas/datasets.js';
import type { Caller } from './caller.js';
import type { OperationsDependencies } from './dependencies.js';
import { refuseBeyondQuota } from './quota.js';

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
export type ReceiveForm<T> = (take: TakeArchive) => Promise<T & Taking>;
export type TakeArchive = (archive: Archive) => Promise<void>;

type Quota = Pick<OperationsDependencies, 'datasets' | 'registry' | 'limits'>;

/** Most archives in one form. */
const MAX_ARCHIVES = 100;

/**
 * Archives that were received whole, what else their form says, and what is made of both. The archives are gone afterwards.
 * @throws AppError `missing_file`, and what `Datasets.receive` throws
 */
export async function receiveArchives<T, Made>(
  dependencies: Quota,
  { caller: { tenant }, receive, bytes }: { caller: Caller; receive: ReceiveForm<T>; bytes?: number | undefined },
  use: (uploads: ReceivedUpload[], rest: T & Taking, signal: AbortSignal | undefined) => Promise<Made>,
): Promise<Made> {
  const { datasets } = dependencies;
  // Before a byte of the body is read.
  await refuseBeyondQuota(dependencies, tenant, bytes);
  const uploads: ReceivedUpload[] = [];
  let signal: AbortSignal | undefined;
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
    if (bytes === undefined) {
      await refuseBeyondQuota(
        dependencies,
        tenant,
        uploads.reduce((sum, upload) => sum + upload.bytes, 0),
      );
    }
    return await use(uploads, rest, signal);
  } finally {
    await datasets.discard(uploads);
  }
}

/**
 * A data set from the archives of a form, and what is made of it. Whatever fails, in the rest of the form or in `use`, leaves
 * no data set.
 * @throws AppError as `receiveArchives` and `Datasets.createFrom`
 */
export async function receiveForm<T, Made>(
  dependencies: Quota,
  form: { caller: Caller; receive: ReceiveForm<T>; bytes?: number | undefined },
  use: (dataset: Dataset, rest: T & Taking) => Promise<Made>,
): Promise<Made> {
  const { datasets } = dependencies;
  const { tenant, by } = form.caller;
  return receiveArchives(dependencies, form, async (uploads, rest, signal) => {
    const { layout, dryRun, name } = rest;
    const dataset = await datasets.createFrom(uploads, {
      tenant,
      by,
      ...(layout && { layout }),
      ...(dryRun && { dryRun }),
      ...(name !== undefined && { name }),
      ...(signal && { signal }),
    });
    try {
      return await use(dataset, rest);
    } catch (error) {
      if (!dryRun) await datasets.delete(tenant, dataset.id).catch(() => undefined);
      throw error;
    }
  });
}
