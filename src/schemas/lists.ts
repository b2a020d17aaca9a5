import { type TSchema, Type } from '@sinclair/typebox';
import { strict } from './common.js';

const LIMIT = 100;

/** `limit` and `after` of a list whose rows are known by `cursor`. */
export const listQuery = (cursor: TSchema) =>
  Type.Object(
    {
      limit: Type.Optional(
        Type.Integer({ minimum: 1, maximum: 1000, default: LIMIT, description: 'Most rows in the answer' }),
      ),
      after: Type.Optional(
        Type.String({
          // Empty: from the beginning, as clients send that begin without a cursor.
          pattern: `^(${(cursor.pattern ?? '^.{1,200}$').slice(1, -1)})?$`,
          description: `The last row of the page before: ${cursor.description}`,
        }),
      ),
    },
    strict,
  );

/** A page as it was asked for. */
export function pageOf({ limit = LIMIT, after }: { limit?: number; after?: string }): {
  limit: number;
  after?: string;
} {
  return { limit, ...(after !== undefined && { after }) };
}

/** One page of a list of `schema`. */
export const listOf = <T extends TSchema>(schema: T) =>
  Type.Object({ data: Type.Array(schema), has_more: Type.Boolean() }, strict);
