/** One button trains; what it does unless told otherwise stands above it, a line each. */
import { useState } from 'preact/hooks';
import type { CreateJob, Dataset } from '../../client/index.js';
import { modelName } from '../core/format.js';
import { useAction, useLoaded } from '../core/loaded.js';
import { go } from '../core/router.js';
import { graft } from '../core/session.js';
import { ErrorNote } from '../parts/error-note.js';
import { words as w } from '../words/words.js';

type Hyperparameters = NonNullable<CreateJob['hyperparameters']>;
type Numbers =
  | 'epochs'
  | 'batch_size'
  | 'learning_rate'
  | 'weight_decay'
  | 'dropout'
  | 'hidden_units'
  | 'early_stopping'
  | 'trainable_blocks';

const NUMBERS: { name: Numbers; step: string }[] = [
  { name: 'epochs', step: '1' },
  { name: 'batch_size', step: '1' },
  { name: 'learning_rate', step: 'any' },
  { name: 'weight_decay', step: 'any' },
  { name: 'dropout', step: '0.05' },
  { name: 'hidden_units', step: '1' },
  { name: 'early_stopping', step: '1' },
  { name: 'trainable_blocks', step: '1' },
];

export function TrainForm({ dataset, backbone }: { dataset: Dataset; backbone?: string | undefined }) {
  const [model, setModel] = useState(modelName(dataset.name ?? ''));
  const [settings, setSettings] = useState<Partial<CreateJob>>(backbone === undefined ? {} : { backbone });
  const [hyperparameters, setHyperparameters] = useState<Hyperparameters>({});
  const { value: installed } = useLoaded((signal) => graft.value.backbones.list({ signal }), []);
  const backbones = installed?.filter(({ modality }) => modality === dataset.modality);
  const { value: models } = useLoaded((signal) => graft.value.models.list({ limit: 100, signal }).page(), []);
  const set = (change: Partial<CreateJob>) => setSettings((before) => ({ ...before, ...change }));
  const { run, busy, error } = useAction(async () => {
    const hasOwn = Object.keys(hyperparameters).length > 0;
    const job = await graft.value.jobs.create({
      dataset: dataset.id,
      model: model.trim(),
      ...settings,
      ...(hasOwn && { hyperparameters }),
    });
    go('jobs', job.id);
  });
  const recommend = useAction(async () => {
    const job = await graft.value.backbones.recommend(dataset.id);
    go('jobs', job.id);
  });
  const exists = models?.data.some(({ name }) => name === model.trim());
  const standard = backbones?.find((one) => one.default);
  return (
    <form
      class="card train"
      aria-labelledby="train"
      onSubmit={(event) => {
        event.preventDefault();
        void run();
      }}
    >
      <h2 id="train">{w.train}</h2>
      <label class="field">
        <span>{w.nameOfModel}</span>
        <input
          value={model}
          required
          maxLength={64}
          pattern="[a-z0-9][a-z0-9._\-]*"
          title={w.modelNameRule}
          list="models"
          onInput={({ currentTarget }) => setModel(currentTarget.value)}
        />
      </label>
      <datalist id="models">
        {models?.data.map(({ name }) => (
          <option key={name} value={name} />
        ))}
      </datalist>
      <p class="dim small">{exists ? w.newVersionOf(model.trim()) : w.firstVersion}</p>
      <button type="submit" class="primary wide" disabled={busy}>
        {w.train}
      </button>
      <ErrorNote error={error} />
      <dl class="settings">
        <Setting id="backbone" title={w.backbone} says={w.backboneSays(standard?.name ?? '')}>
          <select
            id="backbone"
            value={settings.backbone ?? ''}
            onChange={({ currentTarget }) => set({ backbone: currentTarget.value || undefined })}
          >
            <option value="">{w.standard}</option>
            {backbones?.map(({ id, name }) => (
              <option key={id} value={id}>
                {name}
              </option>
            ))}
          </select>
          {backbones && backbones.length > 1 && (
            <button type="button" class="small" onClick={() => void recommend.run()} disabled={recommend.busy}>
              {w.whichBackbone}
            </button>
          )}
          <ErrorNote error={recommend.error} />
        </Setting>
        <Setting id="trainable" title={w.whatIsTrained} says={w.trainableSays[settings.trainable ?? 'none']}>
          <select
            id="trainable"
            value={settings.trainable ?? 'none'}
            onChange={({ currentTarget }) => set({ trainable: currentTarget.value as CreateJob['trainable'] })}
          >
            <option value="none">{w.trainableNone}</option>
            <option value="top">{w.trainableTop}</option>
            <option value="all">{w.trainableAll}</option>
          </select>
        </Setting>
        <Setting id="head" title={w.head} says={w.headSays[settings.head ?? 'auto']}>
          <select
            id="head"
            value={settings.head ?? 'auto'}
            onChange={({ currentTarget }) => set({ head: currentTarget.value as NonNullable<CreateJob['head']> })}
          >
            <option value="auto">{w.automatic}</option>
            <option value="linear">{w.heads.linear}</option>
            <option value="mlp">{w.heads.mlp}</option>
            <option value="prototype">{w.heads.prototype}</option>
          </select>
        </Setting>
        <Setting id="test" title={w.heldOut} says={dataset.splits?.test ? w.heldOutGiven : w.heldOutSays}>
          <NumberInput id="test" step="0.05" onValue={(test_fraction) => set({ test_fraction })} />
        </Setting>
      </dl>
      <details>
        <summary>{w.moreSettings}</summary>
        <dl class="settings">
          <Setting id="augmentation" title={w.augmentation} says={w.augmentationSays}>
            <input
              id="augmentation"
              type="checkbox"
              checked={typeof hyperparameters.augmentation === 'object'}
              onChange={({ currentTarget }) =>
                setHyperparameters((before) => ({ ...before, augmentation: currentTarget.checked ? {} : 'none' }))
              }
            />
          </Setting>
          <Setting id="class_weights" title={w.classWeights} says={w.classWeightsSays}>
            <input
              id="class_weights"
              type="checkbox"
              checked={hyperparameters.class_weights === 'balanced'}
              onChange={({ currentTarget }) =>
                setHyperparameters((before) => ({
                  ...before,
                  class_weights: currentTarget.checked ? 'balanced' : 'none',
                }))
              }
            />
          </Setting>
          {NUMBERS.map(({ name, step }) => (
            <Setting key={name} id={name} title={w.numbers[name].title} says={w.numbers[name].says}>
              <NumberInput
                id={name}
                step={step}
                onValue={(value) =>
                  setHyperparameters(({ [name]: _, ...rest }) =>
                    value === undefined ? rest : { ...rest, [name]: value },
                  )
                }
              />
            </Setting>
          ))}
          <Setting id="validation" title={w.validation} says={w.validationSays}>
            <NumberInput id="validation" step="0.05" onValue={(validation_fraction) => set({ validation_fraction })} />
          </Setting>
          <Setting id="seed" title={w.seed} says={w.seedSays}>
            <NumberInput id="seed" step="1" onValue={(seed) => set({ seed })} />
          </Setting>
          <Setting id="description" title={w.description} says={w.descriptionSays}>
            <input
              id="description"
              maxLength={2000}
              onInput={({ currentTarget }) => set({ description: currentTarget.value || undefined })}
            />
          </Setting>
        </dl>
      </details>
    </form>
  );
}

function Setting({
  id,
  title,
  says,
  children,
}: {
  id: string;
  title: string;
  says: string;
  children: preact.ComponentChildren;
}) {
  return (
    <div>
      <dt>
        <label for={id}>{title}</label>
        <span class="dim small">{says}</span>
      </dt>
      <dd>{children}</dd>
    </div>
  );
}

/** Empty: as the service does it by itself. */
function NumberInput({
  id,
  step,
  onValue,
}: {
  id: string;
  step: string;
  onValue: (value: number | undefined) => void;
}) {
  return (
    <input
      id={id}
      type="number"
      inputMode="decimal"
      min="0"
      step={step}
      placeholder={w.automatic}
      onInput={({ currentTarget }) => onValue(currentTarget.value === '' ? undefined : currentTarget.valueAsNumber)}
    />
  );
}
