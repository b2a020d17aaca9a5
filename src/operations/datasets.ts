import { Readable } from 'node:stream';
import type { StoredContent } from '../datasets/datasets.js';
import { AppError } from '../errors.js';
import type { Dataset, DatasetSummary } from '../schemas/datasets.js';
import type { IntakeInput } from '../schemas/jobs.js';
import type { Caller, PageOf } from './caller.js';
import type { OperationsDependencies } from './dependencies.js';
import { type ReceiveForm, type TakeArchive, receiveArchives, receiveForm } from './receive-form.js';
import type { Submitted } from './jobs.js';

/** Archives on their way in, by whom. */
interface Upload {
  caller: Caller;
  receive: ReceiveForm<unknown>;
  /** Size of the body, where it was announced. */
  bytes?: number | undefined;
  /** The same key and the same request again answer with the same data set or job. */
  idempotencyKey?: string | undefined;
}

/** Data sets: taken in, listed, deleted. */
export function datasetOperations(
  dependencies: Pick<OperationsDependencies, 'datasets' | 'jobs' | 'registry' | 'limits' | 'drawnPhotos'>,
) {
  const { datasets, jobs } = dependencies;
  const find = (caller: Caller, id: string) => ownDataset({ datasets }, caller, id);

  /**
   * A fault behind the archive leaves no data set.
   * @throws AppError `missing_file`, `idempotency_key_reused`, and as `Datasets.receive` and `Datasets.createFrom`
   */
  const create = (upload: Upload): Promise<{ dataset: Dataset; replayed: boolean }> => {
    return receiveForm(dependencies, upload, async (dataset, { layout, dryRun, name }) => {
      const { idempotencyKey: key, caller } = upload;
      if (key === undefined || dryRun) return { dataset, replayed: false };
      const { tenant } = caller;
      const request = { kind: 'dataset', archive: dataset.sha256, layout, name };
      for (;;) {
        const id = await jobs.bindIdempotencyKey({ tenant, key, request, id: dataset.id });
        if (id === dataset.id) return { dataset, replayed: false };
        const before = await datasets.find(tenant, id);
        if (before) {
          await datasets.delete(tenant, dataset.id);
          return { dataset: before, replayed: true };
        }
        // What the key stood for was deleted: this request is a new one.
        await jobs.releaseIdempotencyKey(tenant, key);
      }
    });
  };

  return {
    create,

    /**
     * Take the archives, and leave reading them to a job, whose result says how they were understood.
     * @throws AppError `missing_file`, and as `Datasets.receive` and `Jobs.submit`
     */
    intake(upload: Upload): Promise<Submitted> {
      const { caller, idempotencyKey } = upload;
      const { tenant, by, requestId } = caller;
      return receiveArchives(dependencies, upload, async (received, { layout, name }) => {
        const { id: into, uploads } = await datasets.keepUploads(tenant, received);
        try {
          const how = { ...(layout && { layout }), ...(name !== undefined && { name }) };
          const input: IntakeInput = { into, uploads, ...how };
          const submitted = await jobs.submit({
            kind: 'intake',
            tenant,
            by,
            requestId,
            input: { ...input },
            same: { uploads: uploads.map(({ sha256 }) => sha256), ...how },
            ...(idempotencyKey !== undefined && { idempotencyKey }),
          });
          if (submitted.replayed) await datasets.dropUploads(tenant, into);
          return submitted;
        } catch (error) {
          await datasets.dropUploads(tenant, into).catch(() => undefined);
          throw error;
        }
      });
    },

    /** A data set of photos that Graft draws: for whoever has none at hand. @throws AppError as `create` */
    async draw({ caller, idempotencyKey }: Pick<Upload, 'caller' | 'idempotencyKey'>) {
      const archive = await dependencies.drawnPhotos();
      const receive = async (take: TakeArchive) => {
        await take({ source: Readable.from([archive]), name: 'drawn-photos.zip' });
        return { name: 'drawn photos' };
      };
      return create({ caller, idempotencyKey, bytes: archive.length, receive });
    },

    /** The content of one example. @throws AppError `dataset_not_found`, `example_not_found` */
    async content({ caller, id, sha256 }: { caller: Caller; id: string; sha256: string }): Promise<StoredContent> {
      await find(caller, id);
      return datasets.content(caller.tenant, id, sha256);
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
