import type { TObject } from '@sinclair/typebox';
import type { Dataset } from '../schemas/datasets.js';
import { Augmentation, Hyperparameters, type JobSettings, type TrainInput, TrainSettings } from '../schemas/jobs.js';
import { type Caller, refuseForeignModel } from './caller.js';
import { ownDataset } from './datasets.js';
import type { OperationsDependencies } from './dependencies.js';
import type { Submitted } from './jobs.js';
import { refuseBeyondQuota } from './quota.js';
import { type ReceiveForm, receiveForm } from './receive-form.js';

interface Common {
  caller: Caller;
  /** The same key and the same request again answer with the same job. */
  idempotencyKey?: string | undefined;
}

/**
 * Training becomes a job. Settings are checked against the data set first, and so is the number of the tenant's models.
 * All throw AppError: `dataset_not_found`, `backbone_not_found`, `quota_exceeded`, `too_many_jobs`, `queue_unavailable`,
 * `idempotency_key_reused`, and what is wrong with the settings.
 */
export function trainOperations(
  dependencies: Pick<
    OperationsDependencies,
    'datasets' | 'jobs' | 'registry' | 'backbones' | 'defaultBackbone' | 'checkTraining' | 'limits'
  >,
) {
  const { datasets, jobs, registry, backbones, defaultBackbone, checkTraining, limits } = dependencies;
  const submit = async (
    { caller, idempotencyKey }: Common,
    { dataset, settings, content = dataset.id }: { dataset: Dataset; settings: JobSettings; content?: string },
  ): Promise<Submitted> => {
    const { tenant, by, requestId } = caller;
    refuseForeignModel(caller, settings.model);
    const { model, backbone: wanted, ...rest } = settings;
    const card = await backbones.card(wanted ?? (await defaultBackbone.id(dataset.modality)));
    const { id: backbone } = card;
    checkTraining(dataset, settings, card);
    await registry.refuseMoreThan(limits.MAX_MODELS, tenant, model);
    await refuseBeyondQuota(dependencies, tenant);
    return jobs.submit({
      kind: 'train',
      tenant,
      by,
      requestId,
      input: { dataset: dataset.id, model, backbone, settings: rest } satisfies TrainInput,
      needs: { datasets: [dataset.id], backbones: [backbone] },
      ...(idempotencyKey !== undefined && { idempotencyKey }),
      same: { dataset: content, model, backbone, settings: withDefaults(rest) },
    });
  };

  return {
    /** On a data set that is there. */
    async onDataset(request: Common & { dataset: string; settings: JobSettings }): Promise<Submitted> {
      const dataset = await ownDataset({ datasets }, request.caller, request.dataset);
      return submit(request, { dataset, settings: request.settings });
    },

    /** Archive and settings in one form. What does not become a new job leaves no data set behind. */
    onForm(
      request: Common & { receive: ReceiveForm<{ settings: JobSettings }>; bytes?: number | undefined },
    ): Promise<Submitted> {
      return receiveForm(dependencies, request, async (dataset, { settings, layout }) => {
        const content = layout ? `${dataset.sha256} ${JSON.stringify(layout)}` : dataset.sha256;
        const submitted = await submit(request, { dataset, settings, content });
        // A replay: the job has the data set of the request before.
        if (submitted.job.dataset !== dataset.id) await datasets.delete(request.caller.tenant, dataset.id);
        return submitted;
      });
    },
  };
}

/** Two requests are the same when they are equal once defaults are filled in. */
function withDefaults({ hyperparameters = {}, ...settings }: TrainSettings): object {
  const { augmentation } = hyperparameters;
  return {
    ...defaultsOf(TrainSettings),
    ...settings,
    hyperparameters: {
      ...defaultsOf(Hyperparameters),
      ...hyperparameters,
      ...(typeof augmentation === 'object' && { augmentation: { ...defaultsOf(Augmentation), ...augmentation } }),
    },
  };
}

function defaultsOf({ properties }: TObject): object {
  return Object.fromEntries(Object.entries(properties).map(([name, schema]) => [name, schema.default]));
}
