import { type Static, Type } from '@sinclair/typebox';
import { BackboneCut } from './backbones.js';
import {
  AccuracyInterval,
  AliasName,
  BackboneId,
  BaselineAccuracy,
  DatasetId,
  HeadKind,
  JobId,
  Links,
  ModelName,
  nullable,
  Sha256,
  strict,
  Timestamp,
  VersionNumber,
} from './common.js';

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
    modality: Type.Optional(Type.String({ description: 'Kind of content that it classifies; absent: image' })),
    head: HeadKind,
    top: Type.Optional(
      Type.Object(
        {
          cut: BackboneCut,
          blocks: Type.Integer({ description: 'Blocks behind the cut' }),
          weights: Type.Unsafe<'pretrained' | 'random'>({
            type: 'string',
            enum: ['pretrained', 'random'],
            description: 'Where their training started',
          }),
        },
        { ...strict, description: 'The part of the backbone that was trained; absent: none' },
      ),
    ),
    labels: Type.Array(Type.String(), { description: 'In the order of the outputs' }),
    accuracy: nullable(Type.Number()),
    accuracy_interval: Type.Optional(AccuracyInterval),
    baseline_accuracy: Type.Optional(BaselineAccuracy),
    description: nullable(Type.String()),
    digest: Type.String({ description: 'SHA-256 of the head: equal digests, equal models' }),
    files: Type.Array(VersionFile),
    links: Type.Optional(Links),
  },
  strict,
);
export type VersionManifest = Static<typeof VersionManifest>;

/** A model and what it has. */
export const Model = Type.Object(
  {
    name: ModelName,
    latest: VersionManifest,
    versions: Type.Array(VersionNumber, { description: 'Newest first' }),
    aliases: Type.Array(Type.Object({ alias: AliasName, version: VersionNumber })),
  },
  strict,
);
export type Model = Static<typeof Model>;

/** A row of a list of models. */
export const ModelSummary = Type.Omit(Model, ['aliases'], { additionalProperties: false });
export type ModelSummary = Static<typeof ModelSummary>;

/** An alias after it was set. */
export const Alias = Type.Object(
  {
    alias: AliasName,
    version: VersionNumber,
    previous: nullable(VersionNumber, { description: 'What it pointed at before; null: nothing' }),
  },
  strict,
);
export type Alias = Static<typeof Alias>;

export const SetAlias = Type.Object(
  {
    version: VersionNumber,
    expected: Type.Optional(
      nullable(VersionNumber, {
        description: 'Change it only if it points here now (null: only if it does not exist); else 412',
      }),
    ),
  },
  strict,
);
export type SetAlias = Static<typeof SetAlias>;

export const ArtifactFormat = Type.Unsafe<'bundle' | 'onnx' | 'tfjs'>({
  type: 'string',
  enum: ['bundle', 'onnx', 'tfjs'],
  default: 'bundle',
  description:
    'bundle: a zip of manifest, labels, head, report and model card; onnx: one file, uint8 image in, probabilities out; tfjs: a zip with the head as TensorFlow.js layers files',
});
export type ArtifactFormat = Static<typeof ArtifactFormat>;
