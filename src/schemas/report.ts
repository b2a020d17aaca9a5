import { type Static, Type } from '@sinclair/typebox';
import {
  AccuracyInterval,
  AliasName,
  BackboneId,
  BaselineAccuracy,
  DatasetId,
  HeadKind,
  JobId,
  literals,
  ModelName,
  nullable,
  Sha256,
  Split,
  strict,
  Timestamp,
  VersionNumber,
} from './common.js';
import { RefusedFile } from './datasets.js';

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
    recall: nullable(Type.Number({ description: 'null: no held-out example' })),
    f1: nullable(Type.Number()),
    support: Type.Integer({ description: 'Held-out examples' }),
    train_examples: Type.Integer(),
  },
  strict,
);
export type ClassFigures = Static<typeof ClassFigures>;

export const Evaluation = Type.Object(
  {
    on: literals('test', 'validation', 'cross_validation'),
    examples: Type.Integer(),
    accuracy: Type.Number(),
    accuracy_interval: Type.Optional(AccuracyInterval),
    baseline_accuracy: Type.Optional(BaselineAccuracy),
    untested: Type.Optional(
      Type.Array(Type.String(), { description: 'Classes that no held-out example tests: nothing is known of them' }),
    ),
    top_5_accuracy: Type.Number(),
    balanced_accuracy: nullable(Type.Number({ description: 'Mean recall; null where a class is untested' })),
    macro_f1: nullable(Type.Number({ description: 'Null where a class is untested' })),
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
          Type.Object({ confidence: Type.Number(), accuracy: Type.Number(), examples: Type.Integer() }, strict),
        ),
      },
      strict,
    ),
  },
  strict,
);
export type Evaluation = Static<typeof Evaluation>;

const ExampleInQuestion = {
  name: Type.String({ description: 'Path inside the archive' }),
  label: Type.String(),
  split: Split,
};

/** What is likely wrong with the data of a version. Lists are bounded; `total` counts all. */
export const DataFindings = Type.Object(
  {
    label_errors: Type.Object(
      {
        judged: Type.Integer({ description: 'Examples whose label was judged, by heads that had not seen them' }),
        total: Type.Integer(),
        expected_wrong: Type.Optional(
          Type.Number({ description: 'Share of them that is expected to be wrong, 0 to 1' }),
        ),
        items: Type.Array(
          Type.Object(
            {
              ...ExampleInQuestion,
              suggested: Type.String({ description: 'The label that fits better' }),
              confidence: Type.Number({ description: 'Probability of the suggested label' }),
              given: Type.Number({ description: 'Probability of the label it has' }),
              wrong: Type.Optional(Type.Number({ description: 'Probability that its label is wrong' })),
            },
            strict,
          ),
        ),
      },
      { ...strict, description: 'Labels that are worth a look, the surest first, at most 200' },
    ),
    near_duplicates: Type.Object(
      {
        compared: Type.Integer({
          description: 'Examples that were compared with each other; of more than 30,000, so many',
        }),
        total: Type.Integer({ description: 'Groups of copies' }),
        across_splits: Type.Integer({ description: 'Of these, groups in more than one part' }),
        contradictions: Type.Integer({ description: 'Of these, groups with more than one label' }),
        leaked_test_examples: Type.Integer({
          description: 'Test examples with a copy in training or validation: they make accuracy look better than it is',
        }),
        items: Type.Array(
          Type.Object(
            {
              across_splits: Type.Boolean(),
              contradiction: Type.Boolean({ description: 'Its examples have different labels: one is wrong' }),
              examples: Type.Array(Type.Object(ExampleInQuestion, strict), { description: 'At most 20' }),
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
        items: Type.Array(Type.Object({ label: Type.String(), training_examples: Type.Integer() }, strict)),
      },
      { ...strict, description: 'Classes with fewer than 10 training examples, the smallest first, at most 100' },
    ),
    confusable_classes: Type.Object(
      {
        total: Type.Integer(),
        items: Type.Array(
          Type.Object(
            {
              labels: Type.Array(Type.String(), { description: 'Two' }),
              confused: Type.Array(Type.Integer(), {
                description: 'Examples of the first that were taken for the second, and the other way round',
              }),
              share: Type.Number({ description: 'Of the examples of both' }),
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
              ...ExampleInQuestion,
              distance: Type.Number({ description: 'To its neighbours, as a multiple of theirs to their own' }),
            },
            strict,
          ),
        ),
      },
      { ...strict, description: 'Examples far from everything, the farthest first, at most 50: do they belong?' },
    ),
    odd_examples: Type.Object(
      {
        total: Type.Integer(),
        items: Type.Array(
          Type.Object(
            { ...ExampleInQuestion, reason: Type.String({ description: 'Such as `has one colour all over`' }) },
            strict,
          ),
        ),
      },
      { ...strict, description: 'Examples with little or nothing in them, at most 50' },
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
    dataset: Type.Object({
      id: DatasetId,
      sha256: Type.String(),
      examples: Type.Integer(),
      conflicts: Type.Integer({ description: 'Of these, examples that took no part: they came under several labels' }),
      classes: Type.Integer(),
    }),
    backbone: Type.Object({ id: BackboneId, sha256: Sha256, dimensions: Type.Integer() }),
    engines: Type.Object({ backbone: Type.String(), head: Type.String() }),
    split: Type.Object({
      source: literals('given', 'seeded'),
      train: Type.Integer(),
      validation: Type.Integer(),
      test: Type.Integer(),
      folds: Type.Integer({ description: 'Folds of the cross-validation that chose the settings; 0: none' }),
      final_fit: Type.Integer({ description: 'Examples of the final fit, varied copies not counted' }),
    }),
    settings: Type.Record(Type.String(), Type.Unknown(), { description: 'The exact settings of the final fit' }),
    candidates: Type.Array(
      Type.Object({
        head: HeadKind,
        weight_decay: nullable(Type.Number()),
        accuracy: Type.Number(),
        log_loss: Type.Number(),
        trainable: Type.Optional(literals('top', 'all')),
        test_accuracy: Type.Optional(Type.Number({ description: 'On the test part, where there are two to compare' })),
      }),
      { description: 'What was compared to choose the settings' },
    ),
    augmentation: Type.Optional(
      nullable(
        Type.Object(
          {
            copies: Type.Integer({ description: 'Varied copies of training examples that were fitted on' }),
            accuracy: Type.Number(),
            accuracy_without: Type.Number({ description: 'Of the best head fitted without the copies' }),
            gain_points: Type.Number({ description: 'Difference, percent points' }),
            log_loss: Type.Number(),
            log_loss_without: Type.Number(),
          },
          { ...strict, description: 'What augmentation brought, on the examples of `evaluation`; null: not asked for' },
        ),
      ),
    ),
    evaluation: nullable(Evaluation),
    data: Type.Optional(DataFindings),
    compared: Type.Optional(
      nullable(
        Type.Object(
          {
            version: VersionNumber,
            alias: nullable(AliasName, { description: 'The alias that names that version; null: it was the latest' }),
            examples: Type.Integer({ description: 'Examples that neither version had seen' }),
            accuracy: Type.Number({ description: 'Of this version on these' }),
            accuracy_before: Type.Number({ description: 'Of that version on these' }),
            only_new_right: Type.Integer(),
            only_old_right: Type.Integer(),
            verdict: literals('better', 'alike', 'worse'),
          },
          {
            ...strict,
            description:
              'Beside the version that was served, by McNemar at 5 %; null: there was none, or too few examples in common',
          },
        ),
      ),
    ),
    advice: Type.Optional(
      Type.Array(
        Type.Object(
          {
            kind: literals('more_examples', 'stronger_backbone', 'merge_classes'),
            labels: Type.Array(Type.String(), { description: 'The classes that it is about' }),
            backbone: Type.Optional(BackboneId),
            sentence: Type.String(),
          },
          strict,
        ),
        { description: 'What would help most, the surest first' },
      ),
    ),
    curves: Type.Array(Curve),
    timings: Type.Object({
      features_seconds: Type.Number(),
      examples_per_second: nullable(Type.Number()),
      examples_cached: Type.Integer(),
      head_seconds: Type.Number(),
      total_seconds: Type.Number(),
    }),
    skipped: Type.Array(RefusedFile, { description: 'Examples that could not be decoded when training' }),
    warnings: Type.Array(Type.String()),
    created_at: Timestamp,
  },
  strict,
);
export type Report = Static<typeof Report>;
