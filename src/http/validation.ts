import type { Static, TSchema } from '@sinclair/typebox';
import { Ajv, type AnySchema, type ErrorObject } from 'ajv';
import addFormats from 'ajv-formats';
import type { FastifyInstance } from 'fastify';
import { invalidRequest } from './invalid-request.js';

/**
 * Bodies are taken as they are: nothing is converted, nothing unknown is dropped. Queries, parameters and headers are text
 * and converted. All faults are reported together.
 */
export function validateStrictly(app: FastifyInstance): void {
  const create = (text: boolean) => {
    const ajv = new Ajv({ allErrors: true, verbose: true, strict: false, useDefaults: text, coerceTypes: text });
    addFormats.default(ajv);
    return ajv;
  };
  const [exact, converting] = [create(false), create(true)];
  app.addHook('preValidation', async ({ query, routeOptions }) => {
    plainBooleans(query as Record<string, unknown>, routeOptions.schema?.querystring as TSchema | undefined);
  });
  app.setValidatorCompiler<AnySchema>(({ schema, httpPart }) =>
    (httpPart === 'body' ? exact : converting).compile(schema),
  );
}

/**
 * A check of values that do not come as a body.
 * @returns a function that answers with the value, or throws AppError `invalid_request`; `where` begins its sentence
 */
export function compileCheck<T extends TSchema>(schema: T): Check<T> {
  return compile(schema, new Ajv({ allErrors: true, verbose: true, strict: false }));
}

/** `True`, as Python writes it, is `true`; so are other spellings by case. In place. */
function plainBooleans(texts: Record<string, unknown>, schema: TSchema | undefined): void {
  for (const [name, { type }] of Object.entries<TSchema>(schema?.properties ?? {})) {
    const text = texts[name];
    if (type === 'boolean' && typeof text === 'string' && /^(true|false)$/i.test(text))
      texts[name] = text.toLowerCase();
  }
}

/** The same for values that are texts, such as the fields of a form: they are converted. */
export function compileTextCheck<T extends TSchema>(schema: T): Check<T> {
  const check = compile(schema, new Ajv({ allErrors: true, verbose: true, strict: false, coerceTypes: true }));
  return (value, where) => {
    plainBooleans(value as Record<string, unknown>, schema);
    return check(value, where);
  };
}

type Check<T extends TSchema> = (value: unknown, where: string) => Static<T>;

function compile<T extends TSchema>(schema: T, ajv: Ajv): Check<T> {
  addFormats.default(ajv);
  const check = ajv.compile(schema);
  return (value, where) => {
    if (check(value)) return value as Static<T>;
    throw invalidRequest(check.errors as ErrorObject[], where);
  };
}
