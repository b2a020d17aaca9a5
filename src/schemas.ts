/**
 * Shapes that cross the wire or lie in storage, as TypeBox schemas. Names are `snake_case`, times RFC 3339.
 * Rooms agree on these and on nothing else.
 */
import { type Static, type TSchema, Type } from '@sinclair/typebox';

const strict = { additionalProperties: false } as const;
const nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
const literals = <const T extends string[]>(...values: T) => Type.Unsafe<T[number]>({ type: 'string', enum: values });

export const Timestamp = Type.String({ format: 'date-time', description: 'RFC 3339' });
export const Sha256 = Type.String({ pattern: '^[0-9a-f]{64}$', description: 'SHA-256, hexadecimal' });
export const DatasetId = Type.String({ pattern: '^ds_[0-9a-z]{26}$', description: 'Id of a data set' });
export const JobId = Type.String({ pattern: '^job_[0-9a-z]{26}$', description: 'Id of a job' });
export const ModelName = Type.String({
  pattern: '^[a-z0-9][a-z0-9._-]{0,63}$',
  description: 'Name of a model: lower-case letters, digits, `.`, `_` and `-`, at most 64',
});
export const AliasName = Type.String({
  pattern: '^[a-z][a-z0-9._-]{0,63}$',
  description: 'Name of an alias, such as `production`: lower-case letters, digits, `.`, `_` and `-`',
});
export const BackboneId = Type.String({ pattern: '^[a-z0-9][a-z0-9._-]{0,63}$', description: 'Id of a backbone' });
export const VersionNumber = Type.Integer({ minimum: 1, maximum: 1_000_000_000, description: 'Number of a version' });

// ---------------------------------------------------------------- data sets

export const Split = literals('train', 'validation', 'test');
export type Split = Static<typeof Split>;

/** One line of `index.ndjson`: an image and where its bytes lie in the pack. */
export interface DatasetEntry {
  label: string;
  /** Path inside the archive. */
  name: string;
  offset: number;
  bytes: number;
  sha256: string;
  width: number;
  height: number;
  split?: Split;
}

export const RefusedFile = Type.Object(
  {
    name: Type.String({ description: 'Path inside the archive' }),
    code: Type.String({ description: 'Stable reason' }),
    reason: Type.String({ description: 'The reason as a sentence' }),
  },
  strict,
);
export type RefusedFile = Static<typeof RefusedFile>;

export const DuplicateFile = Type.Object(
  {
    name: Type.String({ description: 'Path of the file that was left out, or that contradicts another' }),
    same_as: Type.String({ description: 'Path of the file with the same bytes that was kept' }),
    kind: Type.Unsafe<'same_class' | 'across_splits' | 'other_label'>({
      type: 'string',
      enum: ['same_class', 'across_splits', 'other_label'],
      description:
        'same_class and across_splits: left out (the held-out copy stays); other_label: both are kept, look at them',
    }),
  },
  strict,
);
export type DuplicateFile = Static<typeof DuplicateFile>;

export const ClassCount = Type.Object(
  {
    label: Type.String(),
    images: Type.Integer(),
    splits: Type.Optional(
      Type.Object({ train: Type.Integer(), validation: Type.Integer(), test: Type.Integer() }, strict),
    ),
  },
  strict,
);
export type ClassCount = Static<typeof ClassCount>;

export const DatasetLayout = Type.Object(
  {
    kind: literals('class_folders', 'split_folders', 'labels_file'),
    root: Type.String({ description: 'Folder of the archive under which the classes or splits lie; empty: the top' }),
    labels_file: Type.Optional(Type.String()),
  },
  { ...strict, description: 'How the archive was understood' },
);
export type DatasetLayout = Static<typeof DatasetLayout>;

export const DatasetSummary = Type.Object(
  {
    id: DatasetId,
    name: nullable(Type.String({ description: 'Name of the uploaded file' })),
    created_at: Timestamp,
    format: literals('zip', 'tar', 'tar.gz'),
    bytes: Type.Integer({ description: 'Size of the archive as uploaded' }),
    sha256: Type.String({ description: 'SHA-256 of the archive as uploaded' }),
    images: Type.Integer({ description: 'Images kept' }),
    splits: nullable(Type.Object({ train: Type.Integer(), validation: Type.Integer(), test: Type.Integer() }, strict)),
    layout: DatasetLayout,
    refused_count: Type.Integer(),
    duplicate_count: Type.Integer(),
    class_count: Type.Integer(),
  },
  strict,
);
export type DatasetSummary = Static<typeof DatasetSummary>;

export const Dataset = Type.Composite(
  [
    DatasetSummary,
    Type.Object({
      classes: Type.Array(ClassCount),
      refused: Type.Array(RefusedFile, { description: 'Every file that was not taken, and why' }),
      duplicates: Type.Array(DuplicateFile, { description: 'Every file whose bytes occur more than once' }),
      ignored: Type.Integer({ description: 'Files of the operating system (.DS_Store, Thumbs.db, __MACOSX)' }),
      warnings: Type.Array(Type.String()),
    }),
  ],
  strict,
);
/** Also what lies in `datasets/<id>/manifest.json`. */
export type Dataset = Static<typeof Dataset>;

// ---------------------------------------------------------------- backbones

/** What lies in `models/<id>/backbone.json`. Pre-processing is part of the graph: its input is uint8 [N, H, W, 3], RGB. */
export const BackboneCard = Type.Object({
  id: BackboneId,
  name: Type.String({ description: 'Name for people' }),
  file: Type.String({ description: 'ONNX file beside this card' }),
  sha256: Sha256,
  bytes: Type.Integer(),
  input: Type.Object({ name: Type.String(), width: Type.Integer(), height: Type.Integer() }),
  resize: Type.Union(
    [
      Type.Object({ mode: Type.Literal('stretch') }),
      Type.Object({ mode: Type.Literal('crop'), short_side: Type.Integer() }),
    ],
    {
      description:
        'How pixels are made: stretch the photo to the input size, or scale its short side and take the centre',
    },
  ),
  features: Type.Object({ name: Type.String(), dimensions: Type.Integer() }),
  maps: Type.Array(Type.Object({ name: Type.String(), channels: Type.Integer() }), {
    description: 'Spatial maps [N, C, h, w] whose means, side by side, are the features; empty where unknown',
  }),
  licence: Type.String(),
  source: Type.String(),
  imagenet_top1: nullable(Type.Number({ description: 'Published top-1 accuracy of the network, percent' })),
});
export type BackboneCard = Static<typeof BackboneCard>;

// ---------------------------------------------------------------- jobs

const auto = <T extends TSchema>(schema: T, description: string) =>
  Type.Optional(Type.Union([Type.Literal('auto'), schema], { description, default: 'auto' }));

/** Each part turns one kind of variation on; 0 or false is off. */
export const Augmentation = Type.Object(
  {
    copies: Type.Integer({ minimum: 1, maximum: 20, default: 2, description: 'Varied copies of each training image' }),
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

export const HeadKind = literals('linear', 'mlp', 'prototype');
export type HeadKind = Static<typeof HeadKind>;

export const Hyperparameters = Type.Object(
  {
    optimizer: auto(literals('lbfgs', 'adam'), 'auto: L-BFGS for `linear`, Adam for `mlp` or when a rate is given'),
    epochs: auto(
      Type.Integer({ minimum: 1, maximum: 10_000 }),
      'Most passes over the training images (L-BFGS: most iterations)',
    ),
    batch_size: auto(Type.Integer({ minimum: 1, maximum: 65_536 }), 'Images per step of Adam'),
    learning_rate: auto(Type.Number({ exclusiveMinimum: 0, maximum: 10 }), 'Step size of Adam'),
    weight_decay: auto(
      Type.Number({ minimum: 0, maximum: 1000 }),
      'L2 penalty λ in mean loss + λ/2 · |W|²; auto: chosen on validation',
    ),
    dropout: auto(Type.Number({ minimum: 0, maximum: 0.95 }), 'Share of hidden units left out per step (`mlp`)'),
    hidden_units: auto(Type.Integer({ minimum: 1, maximum: 4096 }), 'Width of the hidden layer (`mlp`)'),
    early_stopping: auto(
      Type.Integer({ minimum: 0, maximum: 1000 }),
      'Epochs without a better validation loss before stopping; 0: never',
    ),
    class_weights: auto(
      Type.Union([literals('none', 'balanced'), Type.Record(Type.String(), Type.Number({ minimum: 0, maximum: 1e6 }))]),
      'none, balanced (every class counts the same) or a weight per label; auto: none',
    ),
    augmentation: Type.Optional(
      Type.Union([literals('auto', 'none'), Type.Partial(Augmentation, strict)], {
        default: 'auto',
        description: 'Varied copies of the training images; auto: none',
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
    head: Type.Optional(literals('auto', 'linear', 'mlp', 'prototype')),
    hyperparameters: Type.Optional(Hyperparameters),
    seed: Type.Optional(Type.Integer({ minimum: 0, maximum: 4_294_967_295, default: 0 })),
    validation_fraction: Type.Optional(
      Type.Number({ minimum: 0, maximum: 0.5, description: 'Share for choosing settings; auto: cross-validation' }),
    ),
    test_fraction: Type.Optional(
      Type.Number({ minimum: 0, maximum: 0.5, default: 0.2, description: 'Share held out, if there is no test split' }),
    ),
    refit: Type.Optional(
      Type.Unsafe<'none' | 'train_validation' | 'all'>({
        type: 'string',
        enum: ['none', 'train_validation', 'all'],
        default: 'train_validation',
        description: 'Images of the final fit, once the settings are chosen; figures always come from unseen images',
      }),
    ),
    description: Type.Optional(Type.String({ maxLength: 2000 })),
  },
  strict,
);
export type JobSettings = Static<typeof JobSettings>;

export const CreateJob = Type.Composite([Type.Object({ dataset: DatasetId }), JobSettings], strict);
export type CreateJob = Static<typeof CreateJob>;

export const JobStatus = literals('queued', 'running', 'succeeded', 'failed', 'cancelled');
export type JobStatus = Static<typeof JobStatus>;
export const JobPhase = literals('extracting', 'training', 'evaluating', 'publishing');
export type JobPhase = Static<typeof JobPhase>;

/** Where a running job stands. */
export const JobProgress = Type.Object(
  {
    phase: JobPhase,
    progress: Type.Number({ minimum: 0, maximum: 1 }),
    images_done: Type.Integer(),
    images_total: Type.Integer(),
    images_cached: Type.Integer({ description: 'Of these, images whose features were there already' }),
    images_per_second: nullable(Type.Number()),
    seconds_left: nullable(Type.Number()),
    metrics: nullable(
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
    ),
  },
  strict,
);
export type JobProgress = Static<typeof JobProgress>;

export const JobError = Type.Object({ code: Type.String(), message: Type.String() });
export type JobError = Static<typeof JobError>;

export const Job = Type.Object(
  {
    id: JobId,
    status: JobStatus,
    phase: nullable(JobPhase),
    progress: Type.Number({ minimum: 0, maximum: 1 }),
    images: nullable(
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
    metrics: JobProgress.properties.metrics,
    dataset: DatasetId,
    model: ModelName,
    version: nullable(VersionNumber),
    backbone: BackboneId,
    settings: Type.Omit(JobSettings, ['model', 'backbone'], strict),
    cancel_requested: Type.Boolean(),
    attempt: Type.Integer({ description: 'Times the job was started' }),
    error: nullable(JobError),
    accuracy: nullable(Type.Number({ description: 'On held-out images, once succeeded' })),
    created_at: Timestamp,
    started_at: nullable(Timestamp),
    finished_at: nullable(Timestamp),
  },
  strict,
);
export type Job = Static<typeof Job>;

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

// ---------------------------------------------------------------- models

export const Curve = Type.Object(
  {
    epoch: Type.Integer(),
    train_loss: Type.Number(),
    train_accuracy: Type.Number(),
    validation_loss: nullable(Type.Number()),
    validation_accuracy: nullable(Type.Number()),
  },
  strict,
);
export type Curve = Static<typeof Curve>;

export const ClassFigures = Type.Object(
  {
    label: Type.String(),
    precision: nullable(Type.Number({ description: 'null: never predicted' })),
    recall: nullable(Type.Number({ description: 'null: no held-out image' })),
    f1: nullable(Type.Number()),
    support: Type.Integer({ description: 'Held-out images' }),
    train_images: Type.Integer(),
  },
  strict,
);
export type ClassFigures = Static<typeof ClassFigures>;

export const Evaluation = Type.Object(
  {
    on: literals('test', 'validation', 'cross_validation'),
    images: Type.Integer(),
    accuracy: Type.Number(),
    top_5_accuracy: Type.Number(),
    balanced_accuracy: Type.Number({ description: 'Mean recall' }),
    macro_f1: Type.Number(),
    log_loss: Type.Number(),
    classes: Type.Array(ClassFigures),
    confusion: Type.Object(
      {
        labels: Type.Array(Type.String()),
        matrix: Type.Array(Type.Array(Type.Integer()), { description: 'Row: true class; column: predicted class' }),
      },
      strict,
    ),
    calibration: Type.Object(
      {
        temperature: Type.Number(),
        expected_error: Type.Number({ description: 'ECE, 10 bins' }),
        bins: Type.Array(
          Type.Object({ confidence: Type.Number(), accuracy: Type.Number(), images: Type.Integer() }, strict),
        ),
      },
      strict,
    ),
  },
  strict,
);
export type Evaluation = Static<typeof Evaluation>;

const ImageInQuestion = {
  name: Type.String({ description: 'Path inside the archive' }),
  label: Type.String(),
  split: Split,
};

/** What is likely wrong with the data of a version. Lists are bounded; `total` counts all. */
export const DataFindings = Type.Object(
  {
    label_errors: Type.Object(
      {
        judged: Type.Integer({ description: 'Images whose label was judged, by heads that had not seen them' }),
        total: Type.Integer(),
        items: Type.Array(
          Type.Object(
            {
              ...ImageInQuestion,
              suggested: Type.String({ description: 'The label that fits better' }),
              confidence: Type.Number({ description: 'Probability of the suggested label' }),
              given: Type.Number({ description: 'Probability of the label it has' }),
            },
            strict,
          ),
        ),
      },
      { ...strict, description: 'Labels that are likely wrong, the surest first, at most 200: look at them' },
    ),
    near_duplicates: Type.Object(
      {
        compared: Type.Integer({
          description: 'Images that were compared with each other; of more than 30,000, so many',
        }),
        total: Type.Integer({ description: 'Groups of copies' }),
        across_splits: Type.Integer({ description: 'Of these, groups in more than one part' }),
        contradictions: Type.Integer({ description: 'Of these, groups with more than one label' }),
        leaked_test_images: Type.Integer({
          description: 'Test images with a copy in training or validation: they make accuracy look better than it is',
        }),
        items: Type.Array(
          Type.Object(
            {
              across_splits: Type.Boolean(),
              contradiction: Type.Boolean({ description: 'Its images have different labels: one is wrong' }),
              images: Type.Array(Type.Object(ImageInQuestion, strict), { description: 'At most 20' }),
            },
            strict,
          ),
        ),
      },
      {
        ...strict,
        description:
          'Copies of one photo: re-encoded, resized, mirrored or cropped a little; at most 100 groups, the worst first',
      },
    ),
    small_classes: Type.Object(
      {
        total: Type.Integer(),
        items: Type.Array(Type.Object({ label: Type.String(), training_images: Type.Integer() }, strict)),
      },
      { ...strict, description: 'Classes with fewer than 10 training images, the smallest first, at most 100' },
    ),
    confusable_classes: Type.Object(
      {
        total: Type.Integer(),
        items: Type.Array(
          Type.Object(
            {
              labels: Type.Array(Type.String(), { description: 'Two' }),
              confused: Type.Array(Type.Integer(), {
                description: 'Images of the first that were taken for the second, and the other way round',
              }),
              share: Type.Number({ description: 'Of the images of both' }),
            },
            strict,
          ),
        ),
      },
      {
        ...strict,
        description: 'Pairs taken for each other beyond chance, by heads that had not seen them, at most 50',
      },
    ),
    outliers: Type.Object(
      {
        total: Type.Integer(),
        items: Type.Array(
          Type.Object(
            {
              ...ImageInQuestion,
              distance: Type.Number({ description: 'To its neighbours, as a multiple of theirs to their own' }),
            },
            strict,
          ),
        ),
      },
      { ...strict, description: 'Images far from everything, the farthest first, at most 50: do they belong?' },
    ),
    seconds: Type.Number({ description: 'What finding this took' }),
  },
  { ...strict, description: 'What is likely wrong with the data' },
);
export type DataFindings = Static<typeof DataFindings>;

export const Report = Type.Object(
  {
    model: ModelName,
    job: JobId,
    dataset: Type.Object({ id: DatasetId, sha256: Type.String(), images: Type.Integer(), classes: Type.Integer() }),
    backbone: Type.Object({ id: BackboneId, sha256: Sha256, dimensions: Type.Integer() }),
    engines: Type.Object({ backbone: Type.String(), head: Type.String() }),
    split: Type.Object({
      source: literals('given', 'seeded'),
      train: Type.Integer(),
      validation: Type.Integer(),
      test: Type.Integer(),
      folds: Type.Integer({ description: 'Folds of the cross-validation that chose the settings; 0: none' }),
      final_fit: Type.Integer({ description: 'Images of the final fit, varied copies not counted' }),
    }),
    settings: Type.Record(Type.String(), Type.Unknown(), { description: 'The exact settings of the final fit' }),
    candidates: Type.Array(
      Type.Object({
        head: HeadKind,
        weight_decay: nullable(Type.Number()),
        accuracy: Type.Number(),
        log_loss: Type.Number(),
      }),
      { description: 'What was compared to choose the settings' },
    ),
    augmentation: Type.Optional(
      nullable(
        Type.Object(
          {
            copies: Type.Integer({ description: 'Varied copies of training images that were fitted on' }),
            accuracy: Type.Number(),
            accuracy_without: Type.Number({ description: 'Of the best head fitted without the copies' }),
            gain_points: Type.Number({ description: 'Difference, percent points' }),
            log_loss: Type.Number(),
            log_loss_without: Type.Number(),
          },
          { ...strict, description: 'What augmentation brought, on the images of `evaluation`; null: not asked for' },
        ),
      ),
    ),
    evaluation: nullable(Evaluation),
    mistakes: Type.Array(
      Type.Object(
        {
          name: Type.String({ description: 'Path inside the archive' }),
          label: Type.String(),
          predicted: Type.String(),
          score: Type.Number({ description: 'Probability of the predicted class' }),
        },
        strict,
      ),
      { description: 'Held-out images that were classified wrongly, the surest first, at most 200' },
    ),
    data: Type.Optional(DataFindings),
    curves: Type.Array(Curve),
    timings: Type.Object({
      features_seconds: Type.Number(),
      images_per_second: nullable(Type.Number()),
      images_cached: Type.Integer(),
      head_seconds: Type.Number(),
      total_seconds: Type.Number(),
    }),
    skipped: Type.Array(RefusedFile, { description: 'Images that could not be decoded when training' }),
    warnings: Type.Array(Type.String()),
    created_at: Timestamp,
  },
  strict,
);
export type Report = Static<typeof Report>;

export const VersionFile = Type.Object({ path: Type.String(), bytes: Type.Integer(), sha256: Sha256 }, strict);

/** `models/<name>/versions/<n>/manifest.json`; the version exists exactly when this does. */
export const VersionManifest = Type.Object(
  {
    model: ModelName,
    version: VersionNumber,
    created_at: Timestamp,
    job: JobId,
    dataset: DatasetId,
    backbone: Type.Object({ id: BackboneId, sha256: Sha256, dimensions: Type.Integer() }, strict),
    head: HeadKind,
    labels: Type.Array(Type.String(), { description: 'In the order of the outputs' }),
    accuracy: nullable(Type.Number()),
    description: nullable(Type.String()),
    digest: Type.String({ description: 'SHA-256 of the head: equal digests, equal models' }),
    files: Type.Array(VersionFile),
  },
  strict,
);
export type VersionManifest = Static<typeof VersionManifest>;
