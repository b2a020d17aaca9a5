import { type Static, Type } from '@sinclair/typebox';
import { By, DatasetId, literals, nullable, Sha256, type Split, strict, Timestamp } from './common.js';

/** One line of `index.ndjson`: an example, which is its content, and where its bytes lie in the pack. */
export interface Example {
  /** SHA-256 of the content, hexadecimal: one row of a data set has it. */
  sha256: string;
  /** At least one, sorted by code point. */
  labels: string[];
  /** Path inside the archive. */
  name: string;
  /** First byte in the pack. */
  offset: number;
  bytes: number;
  /** What the modality found out about the content, such as the size of an image in pixels. */
  facts?: Record<string, number>;
  split?: Split;
  /** The content came under several labels where each example has one: only the sender knows which is right. */
  conflict?: true;
  /** How it came into the data set. */
  origin: 'upload';
}

/** An example as training takes it where each has one label. */
export type LabelledExample = Omit<Example, 'labels' | 'conflict'> & { label: string };

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
    name: Type.String({ description: 'Path of the file that was left out' }),
    same_as: Type.String({ description: 'Path of the file with the same bytes that was kept' }),
    kind: Type.Unsafe<'same_class' | 'across_splits' | 'other_label'>({
      type: 'string',
      enum: ['same_class', 'across_splits', 'other_label'],
      description:
        'same_class: the first file is kept; across_splits: the held-out one; other_label: both labels are kept as one example, which is left out of training where an example has one label: look at it',
    }),
  },
  strict,
);
export type DuplicateFile = Static<typeof DuplicateFile>;

export const ClassCount = Type.Object(
  {
    label: Type.String(),
    examples: Type.Integer({ description: 'Examples to train and test on; without those with several labels' }),
    names: Type.Optional(Type.Array(Type.String(), { maxItems: 3, description: 'Paths of some of them, to look at' })),
    digests: Type.Optional(
      Type.Array(Sha256, { maxItems: 3, description: 'SHA-256 of these, in the same order: where their content is' }),
    ),
    splits: Type.Optional(
      Type.Object({ train: Type.Integer(), validation: Type.Integer(), test: Type.Integer() }, strict),
    ),
  },
  strict,
);
export type ClassCount = Static<typeof ClassCount>;

export const DatasetLayout = Type.Object(
  {
    kind: literals('class_folders', 'split_folders', 'labels_file', 'names', 'text_table'),
    root: Type.String({ description: 'Folder of the archive under which the classes or splits lie; empty: the top' }),
    labels_file: Type.Optional(Type.String({ description: 'The table, or the tables, that gave the labels' })),
    columns_used: Type.Optional(Type.Array(Type.String())),
    columns_unused: Type.Optional(Type.Array(Type.String())),
    split_from: Type.Optional(
      Type.String({ description: 'What names the split of each example; absent: nothing does' }),
    ),
    left_out: Type.Optional(
      Type.Array(Type.Object({ folder: Type.String(), files: Type.Integer() }, strict), {
        maxItems: 100,
        description: 'Folders with files that got no label, and how many; empty: the top',
      }),
    ),
  },
  { ...strict, description: 'How the archive was understood' },
);
export type DatasetLayout = Static<typeof DatasetLayout>;

const Column = Type.Union([Type.String({ maxLength: 200 }), Type.Integer({ minimum: 1 })], {
  description: 'A column by its header, or by its place: the first is 1',
});

/** What a sender says of an archive, where the guess would be wrong. */
export const LayoutWanted = Type.Object(
  {
    kind: Type.Optional(literals('folders', 'table', 'names')),
    table: Type.Optional(Type.String({ maxLength: 1024, description: 'Path of the table in the archive' })),
    columns: Type.Optional(
      Type.Object(
        {
          file: Type.Optional(Column),
          text: Type.Optional(Column),
          label: Type.Optional(Column),
          labels: Type.Optional(Type.Array(Column, { minItems: 2, maxItems: 10_000 })),
          split: Type.Optional(Column),
        },
        strict,
      ),
    ),
    header: Type.Optional(Type.Boolean({ description: 'Whether the first line of the table names its columns' })),
    delimiter: Type.Optional(Type.String({ minLength: 1, maxLength: 1 })),
    encoding: Type.Optional(Type.String({ maxLength: 40, description: 'Of the table, such as `shift_jis`' })),
    code_page: Type.Optional(Type.String({ maxLength: 40, description: 'Of names in a zip, such as `cp866`' })),
    pattern: Type.Optional(
      Type.String({
        maxLength: 200,
        description: 'Of names, for the kind `names`: `{label}_{number}`, with one `*` at most',
      }),
    ),
    splits: Type.Optional(
      Type.Record(Type.String({ maxLength: 200 }), literals('train', 'validation', 'test'), {
        description: 'Names of folders, or values of the column of splits, and the split that each means',
      }),
    ),
  },
  { ...strict, description: 'How the archive is to be understood; overrules every guess' },
);
export type LayoutWanted = Static<typeof LayoutWanted>;

export const DatasetSummary = Type.Object(
  {
    id: DatasetId,
    name: nullable(Type.String({ description: 'Name of the uploaded file' })),
    created_at: Timestamp,
    by: By,
    modality: Type.String({ description: 'Kind of content: image or text' }),
    archive_format: literals('zip', 'tar', 'tar.gz', 'tar.zst', 'table', 'table.gz'),
    bytes: Type.Integer({ description: 'Size of the archive as uploaded' }),
    sha256: Type.String({ description: 'SHA-256 of the archive as uploaded' }),
    examples: Type.Integer({ description: 'Examples kept, each content once' }),
    conflicts: Type.Integer({
      description: 'Of these, examples whose content came under several labels: training leaves them out',
    }),
    stored_bytes: Type.Integer({ description: 'Size of the contents as stored' }),
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
      format: Type.Literal(1, { description: 'Number of the stored shape' }),
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
