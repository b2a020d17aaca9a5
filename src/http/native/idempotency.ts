import { Type } from '@sinclair/typebox';

/** Of requests that make something. */
export const IdempotencyHeader = Type.Object({
  'idempotency-key': Type.Optional(
    Type.String({
      minLength: 1,
      maxLength: 255,
      description: 'The same key and request again answer with the same data set or job',
    }),
  ),
});
