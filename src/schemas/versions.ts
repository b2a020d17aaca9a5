import { type Static, Type } from '@sinclair/typebox';
import { BackboneCut } from './backbones.js';
import {
  BackboneId,
  DatasetId,
  HeadKind,
  JobId,
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
    description: nullable(Type.String()),
    digest: Type.String({ description: 'SHA-256 of the head: equal digests, equal models' }),
    files: Type.Array(VersionFile),
  },
  strict,
);
export type VersionManifest = Static<typeof VersionManifest>;
