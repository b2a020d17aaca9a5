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
  app.setValidatorCompiler<AnySchema>(({ schema, httpPart }) =>
    (httpPart === 'body' ? exact : converting).compile(schema),
  );
}

/**
 * A check of values that do not come as a body, such as the fields of a form.
 * @returns a function that answers with the value, or throws AppError `invalid_request`; `where` begins its sentence
 */
export function compileCheck<T extends TSchema>(schema: T): (value: unknown, where: string) => Static<T> {
  const ajv = new Ajv({ allErrors: true, verbose: true, strict: false });
  addFormats.default(ajv);
  const check = ajv.compile(schema);
  return (value, where) => {
    if (check(value)) return value as Static<T>;
    throw invalidRequest(check.errors as ErrorObject[], where);
  };
}
