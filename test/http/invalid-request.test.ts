/** The sentences that say what is wrong with a request. */
import { Type } from '@sinclair/typebox';
import t from 'tap';
import type { AppError } from '../../src/errors.js';
import { compileCheck } from '../../src/http/validation.js';

const check = compileCheck(
  Type.Object(
    {
      name: Type.String({ pattern: '^[a-z]+$', description: 'small letters' }),
      count: Type.Optional(Type.Integer({ minimum: 1, maximum: 9 })),
      rate: Type.Optional(
        Type.Union([Type.Literal('auto'), Type.Number({ exclusiveMinimum: 0, maximum: 10 }), Type.Null()]),
      ),
      weights: Type.Optional(
        Type.Union([
          Type.Unsafe<string>({ type: 'string', enum: ['none', 'balanced'] }),
          Type.Record(Type.String(), Type.Number({ minimum: 0 })),
        ]),
      ),
      inner: Type.Optional(Type.Object({ list: Type.Array(Type.Integer()) }, { additionalProperties: false })),
    },
    { additionalProperties: false },
  ),
);

function fault(value: unknown): AppError {
  try {
    check(value, 'body');
  } catch (error) {
    return error as AppError;
  }
  throw new Error('it was taken');
}

t.test('what fits comes back as it was', (t) => {
  const value = { name: 'a', rate: null, weights: { a: 1 }, inner: { list: [1] } };
  t.equal(check(value, 'body'), value);
  t.end();
});

t.test('each fault is named by its place, in words', (t) => {
  for (const [value, sentence] of [
    [{}, 'body: name is missing.'],
    [{ name: 'A' }, 'body: name is not valid (small letters).'],
    [{ name: 'a', more: 1 }, 'body: more is not known here.'],
    [{ name: 'a', count: 0 }, 'body: count must be >= 1.'],
    [{ name: 'a', count: '1' }, 'body: count must be integer.'],
    [{ name: 'a', rate: 'fast' }, 'body: rate must be "auto" or a number above 0 to 10 or a null.'],
    [{ name: 'a', weights: 'all' }, 'body: weights must be "none" or "balanced" or an object.'],
    [{ name: 'a', weights: { dog: -1 } }, 'body: weights.dog must be >= 0.'],
    [{ name: 'a', inner: { list: ['x'] } }, 'body: inner.list.0 must be integer.'],
    [{ name: 'a', inner: { list: [], more: 1 } }, 'body: inner.more is not known here.'],
    ['text', 'body: body must be object.'],
  ] as const) {
    t.equal(fault(value).message, sentence);
    t.equal(fault(value).code, 'invalid_request');
  }
  t.end();
});

t.test('all faults are told at once, each by itself in the details', (t) => {
  const { message, details } = fault({ count: 10, more: 1 });
  t.same(details.errors, [
    { path: 'name', reason: 'is missing' },
    { path: 'more', reason: 'is not known here' },
    { path: 'count', reason: 'must be <= 9' },
  ]);
  t.match(message, /^body: name is missing; more is not known here; count must be <= 9\.$/);
  t.end();
});

t.test('of very many the first fifty are named', (t) => {
  const { details } = fault(Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`x${i}`, 1])));
  const errors = details.errors as { path: string; reason: string }[];
  t.equal(errors.length, 51);
  t.match(errors.at(-1), { path: 'body', reason: /^has \d+ more faults$/ });
  t.end();
});
