import { FIRST_KEY } from '../access/key-file.js';
import { AppError } from '../errors.js';
import type { BackboneCard, BackboneCatalog, ImageBackboneCard } from '../schemas/backbones.js';
import type { PullInput, RecommendInput } from '../schemas/jobs.js';
import { blocksLimit, possibleBlocks, possibleWhole } from '../top/trainable-blocks.js';
import type { Caller } from './caller.js';
import { ownDataset } from './datasets.js';
import type { OperationsDependencies } from './dependencies.js';
import type { Submitted } from './jobs.js';

/** A backbone that is installed, and what this server does with it. */
export type InstalledBackbone = BackboneCard & {
  default: boolean;
  /** Whether this server has it in memory. */
  loaded: boolean;
  /** What it runs on; null: it is not loaded. */
  provider: string | null;
  /** What was tried before, and why it does not run there. */
  unavailable_providers: string[];
  trainable_blocks?: number;
  trainable_all?: boolean;
  trainable_limit?: string | null;
};

/** Backbones: those that are installed, and those that can be pulled. */
export function backboneOperations(
  dependencies: Pick<
    OperationsDependencies,
    'backbones' | 'catalog' | 'datasets' | 'defaultBackbone' | 'jobs' | 'limits' | 'checkTraining'
  >,
) {
  const { backbones, catalog, datasets, defaultBackbone, jobs, limits, checkTraining } = dependencies;
  /** A backbone is everybody's: unless the setting says so, only whoever started the service may add one. */
  const mayPull = ({ by, name }: Caller): boolean => {
    if (limits.ALLOW_PULL !== 'auto') return limits.ALLOW_PULL === 'true';
    return by === 'local' || name === FIRST_KEY;
  };

  return {
    async list(): Promise<{ data: InstalledBackbone[]; has_more: boolean }> {
      const cards = await backbones.list();
      const kinds = [...new Set(cards.map(({ modality }) => modality))];
      const standards = await Promise.all(kinds.map((kind) => defaultBackbone.id(kind)));
      return {
        data: cards.map((card) => {
          const loaded = backbones.loaded(card);
          const { top } = card as Partial<ImageBackboneCard>;
          return {
            ...card,
            ...(top && {
              trainable_blocks: possibleBlocks(top),
              ...(top.whole !== undefined && { trainable_all: possibleWhole(top) }),
              trainable_limit: blocksLimit(top),
            }),
            default: card.id === standards[kinds.indexOf(card.modality)],
            loaded: loaded !== undefined,
            provider: loaded?.provider ?? null,
            unavailable_providers: loaded?.unavailableProviders ?? [],
          };
        }),
        has_more: false,
      };
    },

    /** The public networks that can be pulled, and which are there already. */
    async catalog({ caller }: { caller: Caller }): Promise<BackboneCatalog> {
      const installed = new Set((await backbones.list()).map(({ id }) => id));
      const data = (await catalog()).networks.map(
        ({ id, name, family, bytes, license, imagenet_top1, input_px, gmacs = null, good_for = null, note }) => {
          const known = { id, name, family, bytes, license, imagenet_top1, input_px, gmacs, good_for, note };
          return { ...known, installed: installed.has(id) };
        },
      );
      return { data, has_more: false, pull_allowed: mayPull(caller) };
    },

    /**
     * Have a worker fetch a network of the catalog, check it and make it a backbone. One that is being pulled already is the
     * answer.
     * @throws AppError `forbidden` where ALLOW_PULL does not let this key; `not_found`, which says what there is; and as
     *   `Jobs.submit`
     */
    async pull({
      caller,
      id,
      byDefault = false,
      idempotencyKey,
    }: {
      caller: Caller;
      id: string;
      /** Jobs that name none use it once it is here. */
      byDefault?: boolean | undefined;
      idempotencyKey?: string | undefined;
    }): Promise<Submitted> {
      if (!mayPull(caller)) {
        throw new AppError(
          'forbidden',
          `Backbones are not pulled over the API here. Whoever runs the service can set ALLOW_PULL=true, or run: npm run backbones -- pull ${id}`,
        );
      }
      // With it comes the reader of graphs, which a server needs for nothing else.
      const { findNetwork } = await import('../backbones/catalog/catalog.js');
      findNetwork(await catalog(), id);
      const { tenant, by, requestId } = caller;
      const running = await jobs.findOpen(tenant, { kind: 'pull', backbone: id });
      if (running && !byDefault) return { job: running, replayed: true };
      const input: PullInput = { backbone: id, ...(byDefault && { default: true }) };
      return jobs.submit({
        kind: 'pull',
        tenant,
        by,
        requestId,
        input: { ...input },
        ...(idempotencyKey !== undefined && { idempotencyKey }),
      });
    },

    /**
     * Have a worker try each installed backbone on a few examples of a data set. One that is being tried already is the answer.
     * @throws AppError `dataset_not_found`, `too_few_classes`, `class_without_training_examples`; and as `Jobs.submit`
     */
    async recommend({
      caller,
      dataset: id,
      idempotencyKey,
    }: {
      caller: Caller;
      dataset: string;
      idempotencyKey?: string | undefined;
    }): Promise<Submitted> {
      const dataset = await ownDataset({ datasets }, caller, id);
      checkTraining(dataset, { model: 'none' }, await backbones.card(await defaultBackbone.id(dataset.modality)));
      const { tenant, by, requestId } = caller;
      const running = await jobs.findOpen(tenant, { kind: 'recommend', dataset: id });
      if (running) return { job: running, replayed: true };
      const input: RecommendInput = { dataset: id };
      return jobs.submit({
        kind: 'recommend',
        tenant,
        by,
        requestId,
        input: { ...input },
        needs: { datasets: [id] },
        ...(idempotencyKey !== undefined && { idempotencyKey }),
      });
    },
  };
}
