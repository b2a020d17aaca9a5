import type { Readable } from 'node:stream';
import { AppError } from '../errors.js';
import type { Dataset } from '../schemas/datasets.js';
import type { Caller } from './caller.js';
import type { OperationsDependencies } from './dependencies.js';

/** An archive on its way in. */
export interface Archive {
  source: Readable;
  /** Name of the file, if it has one; shown, never used. */
  name: string | null;
  /** SHA-256 (hex) that the archive must have. */
  expectedSha256?: string;
  /** Aborted when the client leaves. */
  signal?: AbortSignal;
}

/**
 * How a transport hands over a form. It calls `take` with the archive when that comes, and answers with what else the form
 * says once all of it was read and checked.
 */
export type ReceiveForm<T> = (take: (archive: Archive) => Promise<void>) => Promise<T>;

/**
 * A data set from the archive of a form, and what is made of it. Whatever fails, in the rest of the form or in `use`, leaves
 * no data set.
 * @throws AppError `missing_file`, and what `Datasets.create` throws
 */
export async function receiveForm<T, Made>(
  { datasets }: Pick<OperationsDependencies, 'datasets'>,
  { caller, receive }: { caller: Caller; receive: ReceiveForm<T> },
  use: (dataset: Dataset, rest: T) => Promise<Made>,
): Promise<Made> {
  const { tenant } = caller;
  let dataset: Dataset | undefined;
  try {
    const rest = await receive(async (archive) => {
      if (dataset) throw new AppError('invalid_multipart', 'The form has too many files.');
      dataset = await datasets.create({ tenant, by: caller.by, ...archive });
    });
    if (!dataset) throw new AppError('missing_file', 'The form has no file. Send the archive as the field `file`.');
    return await use(dataset, rest);
  } catch (error) {
    if (dataset) await datasets.delete(tenant, dataset.id);
    throw error;
  }
}
