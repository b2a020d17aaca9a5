/**
 * schemas/ holds the shapes that cross the wire or lie in storage, one file a subject. Names are `snake_case`, times RFC 3339.
 * Rooms agree on these and on nothing else. What only one room knows is a type of that room.
 *
 * This file: what all subjects share.
 */
import { type Static, type TSchema, Type } from '@sinclair/typebox';

/** No property but those named. */
export const strict = { additionalProperties: false } as const;
/** The schema, or null. */
export const nullable = <T extends TSchema>(schema: T, options: { description?: string } = {}) =>
  Type.Union([schema, Type.Null()], options);
/** One of these texts, as an `enum`. */
export const literals = <const T extends string[]>(...values: T) =>
  Type.Unsafe<T[number]>({ type: 'string', enum: values });

export const Timestamp = Type.String({ format: 'date-time', description: 'RFC 3339' });
export const By = Type.String({
  minLength: 1,
  description: 'Who did it: 16 hexadecimal digits that stand for an API key, `local` without keys',
});
export const Sha256 = Type.String({ pattern: '^[0-9a-f]{64}$', description: 'SHA-256, hexadecimal' });
export const DatasetId = Type.String({ pattern: '^ds_[0-9a-z]{26}$', description: 'Id of a data set' });
export const JobId = Type.String({ pattern: '^job_[0-9a-z]{26}$', description: 'Id of a job' });
export const ModelName = Type.String({
  pattern: '^[a-z0-9][a-z0-9._-]{0,63}$',
  description: 'Name of a model: lower-case letters, digits, `.`, `_` and `-`, at most 64',
  examples: ['my-first'],
});
export const AliasName = Type.String({
  pattern: '^[a-z][a-z0-9._-]{0,63}$',
  description: 'Name of an alias, such as `production`: lower-case letters, digits, `.`, `_` and `-`',
  examples: ['production'],
});
export const BackboneId = Type.String({ pattern: '^[a-z0-9][a-z0-9._-]{0,63}$', description: 'Id of a backbone' });
export const VersionNumber = Type.Integer({
  minimum: 1,
  maximum: 1_000_000_000,
  description: 'Number of a version',
  examples: [1],
});

/** Where one goes from here. */
export const Links = Type.Record(Type.String(), Type.String(), {
  description: 'Paths of what belongs to it: itself, events, report, predict, card, artifact',
});

export const Split = literals('train', 'validation', 'test');
export type Split = Static<typeof Split>;

export const HeadKind = literals('linear', 'mlp', 'prototype');
export type HeadKind = Static<typeof HeadKind>;

export const AccuracyInterval = Type.Array(Type.Number({ minimum: 0, maximum: 1 }), {
  minItems: 2,
  maxItems: 2,
  description: '95 % interval of the accuracy, from and to (Wilson)',
});
export const BaselineAccuracy = Type.Number({
  minimum: 0,
  maximum: 1,
  description: 'What guessing gets: always answering the most frequent class',
});
