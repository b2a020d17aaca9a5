import { type Static, type TSchema, Type } from '@sinclair/typebox';
import {
  AccuracyInterval,
  BackboneId,
  BaselineAccuracy,
  By,
  DatasetId,
  HeadKind,
  JobId,
  Links,
  literals,
  ModelName,
  nullable,
  strict,
  Timestamp,
  VersionNumber,
} from './common.js';
import type { LayoutWanted } from './datasets.js';

const auto = <T extends TSchema>(schema: T, description: string) =>
  Type.Optional(Type.Union([Type.Literal('auto'), schema], { description, default: 'auto' }));

/** Each part turns one kind of variation on; 0 or false is off. */
export const Augmentation = Type.Object(
  {
    copies: Type.Integer({
      minimum: 1,
      maximum: 20,
      default: 2,
      description: 'Varied copies of each training example',
    }),
    flip: Type.Boolean({ default: true, description: 'Mirror left to right, half of the time' }),
    crop: Type.Number({ minimum: 0, maximum: 0.9, default: 0.2, description: 'Largest share of each side cut away' }),
    zoom: Type.Number({ minimum: 0, maximum: 0.9, default: 0, description: 'Largest zoom in or out, as a share' }),
    rotation: Type.Number({ minimum: 0, maximum: 180, default: 0, description: 'Largest angle, degrees' }),
    shear: Type.Number({
      minimum: 0,
      maximum: 0.9,
      default: 0,
      description: 'Largest shear, as a share of the height',
    }),
  },
  strict,
);
export type Augmentation = Static<typeof Augmentation>;

const Units = Type.Integer({ minimum: 1, maximum: 4096 });

export const Hyperparameters = Type.Object(
  {
    optimizer: auto(literals('lbfgs', 'adam'), 'auto: L-BFGS for `linear`, Adam for `mlp` or when a rate is given'),
    epochs: auto(
      Type.Integer({ minimum: 1, maximum: 10_000 }),
      'Most passes over the training examples (L-BFGS: most iterations)',
    ),
    batch_size: auto(Type.Integer({ minimum: 1, maximum: 65_536 }), 'Examples per step of Adam'),
    learning_rate: auto(Type.Number({ exclusiveMinimum: 0, maximum: 10 }), 'Step size of Adam'),
    learning_rate_schedule: auto(
      literals('constant', 'cosine', 'plateau'),
      'How the step size changes: not at all; along half a cosine to 0; to a fifth after two epochs without a better validation loss. auto: constant for a head, cosine for the top of a backbone',
    ),
    weight_decay: auto(
      Type.Number({ minimum: 0, maximum: 1000 }),
      'L2 penalty λ in mean loss + λ/2 · |W|²; auto: chosen on validation',
    ),
    dropout: auto(
      Type.Number({ minimum: 0, maximum: 0.95 }),
      'Share of the units of each hidden layer that is left out per step (`mlp`)',
    ),
    hidden_units: auto(
      Type.Union([Units, Type.Array(Units, { minItems: 1, maxItems: 4 })]),
      'Width of the hidden layer, or of several, one after another (`mlp`); auto: 256',
    ),
    early_stopping: auto(
      Type.Integer({ minimum: 0, maximum: 1000 }),
      'Epochs without a better validation loss before stopping; 0: never',
    ),
    class_weights: auto(
      Type.Union([literals('none', 'balanced'), Type.Record(Type.String(), Type.Number({ minimum: 0, maximum: 1e6 }))]),
      'none, balanced (every class counts the same) or a weight per label; auto: none',
    ),
    trainable_blocks: auto(
      Type.Integer({ minimum: 1, maximum: 100 }),
      'Blocks at the top of the backbone that are trained (`trainable: top`); auto: 2, or 1 where it has no more',
    ),
    augmentation: Type.Optional(
      Type.Union([literals('auto', 'none'), Type.Partial(Augmentation, strict)], {
        default: 'auto',
        description: 'Varied copies of the training examples; auto: none',
      }),
    ),
  },
  strict,
);
export type Hyperparameters = Static<typeof Hyperparameters>;

/** What a client may ask of a job. */
export const JobSettings = Type.Object(
  {
    model: ModelName,
    backbone: Type.Optional(BackboneId),
    head: Type.Optional(
      Type.Unsafe<'auto' | 'linear' | 'mlp' | 'prototype'>({
        type: 'string',
        enum: ['auto', 'linear', 'mlp', 'prototype'],
        default: 'auto',
      }),
    ),
    trainable: Type.Optional(
      Type.Unsafe<'none' | 'top' | 'all'>({
        type: 'string',
        enum: ['none', 'top', 'all'],
        default: 'none',
        description:
          "none: the backbone stays as it is; top: its last blocks are trained with the head; all: every layer, which needs TensorFlow's native library where the worker runs",
      }),
    ),
    weights: Type.Optional(
      Type.Unsafe<'pretrained' | 'random'>({
        type: 'string',
        enum: ['pretrained', 'random'],
        default: 'pretrained',
        description:
          'Where the trained layers start (`trainable: top` or `all`): at the weights of the backbone, or at random ones',
      }),
    ),
    hyperparameters: Type.Optional(Hyperparameters),
    seed: Type.Optional(Type.Integer({ minimum: 0, maximum: 4_294_967_295, default: 0 })),
    validation_fraction: Type.Optional(
      Type.Number({ minimum: 0, maximum: 0.5, description: 'Share for choosing settings; auto: cross-validation' }),
    ),
    test_fraction: Type.Optional(
      Type.Number({
        minimum: 0,
        maximum: 0.5,
        description:
          'Share held out, if there is no test split; auto: 0.2, or none of fewer than 300 examples, which are cross-validated',
      }),
    ),
    refit: Type.Optional(
      Type.Unsafe<'none' | 'train_validation' | 'all'>({
        type: 'string',
        enum: ['none', 'train_validation', 'all'],
        default: 'train_validation',
        description:
          'Examples of the final fit, once the settings are chosen; figures always come from unseen examples',
      }),
    ),
    description: Type.Optional(Type.String({ maxLength: 2000 })),
  },
  strict,
);
export type JobSettings = Static<typeof JobSettings>;

/** Whether layers of the backbone are trained with the head. */
export function trainsBackbone({ trainable = 'none' }: Pick<JobSettings, 'trainable'>): boolean {
  return trainable !== 'none';
}

export const CreateJob = Type.Composite([Type.Object({ dataset: DatasetId }), JobSettings], strict);
export type CreateJob = Static<typeof CreateJob>;

export const JobStatus = literals('queued', 'running', 'succeeded', 'failed', 'cancelled');
export type JobStatus = Static<typeof JobStatus>;
/** Phases of a job of kind `train`. */
export const JobPhase = literals('extracting', 'training', 'evaluating', 'publishing');
export type JobPhase = Static<typeof JobPhase>;

/** What a job does. A text, not an enum: readers of one release meet jobs of the next. */
export const JobKind = Type.String({
  pattern: '^[a-z][a-z_]{0,31}$',
  description:
    'What the job does: `train`, `intake` of an upload, or `pull` of a backbone, or `recommend` of one for a data set; later releases add others',
});
export type JobKind = Static<typeof JobKind>;

const JobMetrics = nullable(
  Type.Object(
    {
      head: HeadKind,
      epoch: Type.Integer(),
      train_loss: Type.Number(),
      validation_loss: nullable(Type.Number()),
      validation_accuracy: nullable(Type.Number()),
    },
    { ...strict, description: 'Of the fit that is running' },
  ),
);

/** Where a running job stands. Kinds that pass no examples and fit nothing leave those fields out. */
export const JobProgress = Type.Object(
  {
    phase: Type.String(),
    progress: Type.Number({ minimum: 0, maximum: 1 }),
    examples_done: Type.Optional(Type.Integer()),
    examples_total: Type.Optional(Type.Integer()),
    examples_cached: Type.Optional(
      Type.Integer({ description: 'Of these, examples whose features were there already' }),
    ),
    examples_per_second: Type.Optional(nullable(Type.Number())),
    seconds_left: nullable(Type.Number()),
    metrics: Type.Optional(JobMetrics),
  },
  strict,
);
export type JobProgress = Static<typeof JobProgress>;

export const JobError = Type.Object({
  code: Type.String(),
  message: Type.String(),
  details: Type.Optional(
    Type.Record(Type.String(), Type.Unknown(), { description: 'Where it was, such as the files that were refused' }),
  ),
});
export type JobError = Static<typeof JobError>;

/** What a job of kind `train` works on. */
export interface TrainInput {
  dataset: string;
  model: string;
  backbone: string;
  settings: TrainSettings;
}
/** Settings of a job of kind `train`, but for what the job names beside them. */
export const TrainSettings = Type.Omit(JobSettings, ['model', 'backbone'], strict);
export type TrainSettings = Static<typeof TrainSettings>;

/** What a job of kind `intake` works on. */
export interface IntakeInput {
  /** Id of the data set that it makes. */
  into: string;
  /** The archives that were kept for it. */
  uploads: { name: string | null; bytes: number; sha256: string }[];
  layout?: LayoutWanted;
  name?: string;
}

/** What a job of kind `pull` works on: a network of the catalog. */
export interface PullInput {
  backbone: string;
  /** Jobs that name none use it from then on. */
  default?: boolean;
}

/** What a job of kind `recommend` works on. */
export interface RecommendInput {
  dataset: string;
}

/** What a job works on, as it is stored. A field that a public job has goes by the same name; the rest is the kind's own. */
export interface JobInput {
  dataset?: string;
  model?: string;
  backbone?: string;
  settings?: TrainSettings;
  [field: string]: unknown;
}

/** What a job brought, as it is stored. A field that a public job has goes by the same name; the rest is its `output`. */
export interface JobOutput {
  dataset?: string;
  version?: number;
  accuracy?: number | null;
  accuracy_interval?: number[];
  baseline_accuracy?: number;
  [field: string]: unknown;
}

export const Job = Type.Object(
  {
    id: JobId,
    kind: JobKind,
    by: By,
    status: JobStatus,
    phase: nullable(
      Type.String({
        description:
          'Of `train`: extracting, training, evaluating, publishing; of `intake`: unpacking; of `pull`: downloading, importing; of `recommend`: trying',
      }),
    ),
    progress: Type.Number({ minimum: 0, maximum: 1 }),
    examples: nullable(
      Type.Object(
        {
          done: Type.Integer(),
          total: Type.Integer(),
          cached: Type.Integer(),
          per_second: nullable(Type.Number()),
        },
        strict,
      ),
    ),
    seconds_left: nullable(Type.Number()),
    queue_position: nullable(Type.Integer({ minimum: 1, description: '1: next' })),
    metrics: JobMetrics,
    dataset: nullable(DatasetId),
    model: nullable(ModelName),
    version: nullable(VersionNumber),
    backbone: nullable(BackboneId),
    settings: nullable(TrainSettings),
    output: nullable(
      Type.Record(Type.String(), Type.Unknown(), {
        description:
          'What the job brought beside the fields above: of `train` its warnings and how it compares with the version before, of `intake` how the archive was understood, of `pull` what the backbone is, of `recommend` how each backbone did and which to take',
      }),
    ),
    cancel_requested: Type.Boolean(),
    attempt: Type.Integer({ description: 'Times the job was started' }),
    error: nullable(JobError),
    accuracy: nullable(Type.Number({ description: 'On held-out examples, once succeeded' })),
    accuracy_interval: nullable(AccuracyInterval),
    baseline_accuracy: nullable(BaselineAccuracy),
    links: Type.Optional(Links),
    created_at: Timestamp,
    started_at: nullable(Timestamp),
    finished_at: nullable(Timestamp),
  },
  strict,
);
export type Job = Static<typeof Job>;

/** A job in a list of all tenants. */
export const JobOfTenant = Type.Composite([Job, Type.Object({ tenant: Type.String() })], strict);

export const JobEvent = Type.Object(
  {
    seq: Type.Integer({ minimum: 1 }),
    at: Timestamp,
    type: literals(
      'created',
      'started',
      'phase',
      'epoch',
      'selected',
      'warning',
      'restarted',
      'cancel_requested',
      'succeeded',
      'failed',
      'cancelled',
    ),
    message: Type.String(),
    data: Type.Record(Type.String(), Type.Unknown()),
  },
  strict,
);
export type JobEvent = Static<typeof JobEvent>;
