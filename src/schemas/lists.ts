import { type TSchema, Type } from '@sinclair/typebox';
import { strict } from './common.js';

/** `limit` and `after` of every list. */
export const ListQuery = Type.Object(
  {
    limit: Type.Integer({ minimum: 1, maximum: 1000, default: 100, description: 'Most rows in the answer' }),
    after: Type.Optional(
      Type.String({ maxLength: 200, description: 'The last row of the page before: its id or name' }),
    ),
  },
  strict,
);

/** One page of a list of `schema`. */
export const listOf = <T extends TSchema>(schema: T) =>
  Type.Object({ data: Type.Array(schema), has_more: Type.Boolean() }, strict);
