import { Ajv, type AnySchema } from 'ajv';
import addFormats from 'ajv-formats';
import type { FastifyInstance } from 'fastify';

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

/** A check of values that do not come as a body, such as the fields of a form. */
export function compileCheck(schema: AnySchema) {
  const ajv = new Ajv({ allErrors: true, verbose: true, strict: false });
  addFormats.default(ajv);
  return ajv.compile(schema);
}
