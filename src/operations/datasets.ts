import { AppError } from '../errors.js';
import type { Dataset, DatasetSummary } from '../schemas/datasets.js';
import type { Caller, PageOf } from './caller.js';
import type { OperationsDependencies } from './dependencies.js';
import { type Archive, type ReceiveForm, receiveForm, type Taking } from './receive-form.js';

/** Data sets: taken in, listed, deleted. */
export function datasetOperations({ datasets, jobs }: Pick<OperationsDependencies, 'datasets' | 'jobs'>) {
  const find = (caller: Caller, id: string) => ownDataset({ datasets }, caller, id);

  return {
    /** @throws AppError what `Datasets.create` throws */
    create({ caller, archive, ...taking }: { caller: Caller; archive: Archive } & Taking): Promise<Dataset> {
      const { name = archive.name, ...rest } = taking;
      return datasets.create({ tenant: caller.tenant, by: caller.by, ...archive, ...rest, name });
    },

    /** A fault behind the archive, such as a second one, leaves no data set. @throws AppError `missing_file`, and as `create` */
    createFromForm(form: { caller: Caller; receive: ReceiveForm<unknown> }): Promise<Dataset> {
      return receiveForm({ datasets }, form, async (dataset) => dataset);
    },

    /** @throws AppError `dataset_not_found` */
    get({ caller, id }: { caller: Caller; id: string }): Promise<Dataset> {
      return find(caller, id);
    },

    /** Newest first. */
    list({ caller, limit, after }: { caller: Caller } & PageOf): Promise<{
      data: DatasetSummary[];
      has_more: boolean;
    }> {
      return datasets.list(caller.tenant, {
        limit,
        ...(after !== undefined && { after }),
        ...(caller.models && { keep: ({ by }) => by === caller.by }),
      });
    },

    /** @throws AppError `dataset_not_found`; `dataset_in_use` where a job that has not ended needs it */
    async delete({ caller, id }: { caller: Caller; id: string }): Promise<void> {
      const { tenant } = caller;
      await find(caller, id);
      if (await jobs.uses(tenant, id)) {
        throw new AppError(
          'dataset_in_use',
          `A job that has not ended needs data set '${id}'. Cancel it, or wait for its end.`,
        );
      }
      await datasets.delete(tenant, id);
    },
  };
}

/**
 * A data set of the caller's tenant. A key that is for some models only sees the data sets that it sent itself: nothing says
 * which model another one is for.
 * @throws AppError `dataset_not_found`
 */
export async function ownDataset(
  { datasets }: Pick<OperationsDependencies, 'datasets'>,
  { tenant, by, models }: Caller,
  id: string,
): Promise<Dataset> {
  const dataset = await datasets.get(tenant, id);
  if (models === undefined || dataset.by === by) return dataset;
  throw new AppError('dataset_not_found', `There is no data set ${id}.`);
}
