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
