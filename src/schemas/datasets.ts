import { type Static, Type } from '@sinclair/typebox';
import { DatasetId, literals, nullable, type Split, strict, Timestamp } from './common.js';

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
    examples: Type.Integer(),
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
    examples: Type.Integer({ description: 'Examples kept' }),
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
