import { type TSchema, Type } from '@sinclair/typebox';
import type { FastifyRequest } from 'fastify';
import { AppError } from '../../errors.js';
import { type Example, refuseTooMany } from '../../operations/classify.js';
import { strict } from '../../schemas/common.js';
import { fileSchema, mediaType, parseJson, readBody } from '../bodies.js';
import type { ByteShare } from '../byte-budget.js';
import type { DialectContext } from '../dialect.js';
import { formLimits, readForm } from '../forms.js';
import { bodyOf } from '../refused-bodies.js';
import { compileCheck } from '../validation.js';

const JsonBody = Type.Object(
  { images: Type.Array(Type.String({ description: 'An image file as base64' }), { minItems: 1 }) },
  strict,
);
const checkJsonBody = compileCheck(JsonBody);

/** Images: one by itself, many as a form, or base64 in JSON; for OpenAPI. */
export function examplesBody(): Record<string, { schema: TSchema }> {
  const image = { schema: fileSchema('The image') };
  return {
    'image/jpeg': image,
    'image/png': image,
    'image/webp': image,
    'application/octet-stream': image,
    'multipart/form-data': {
      schema: Type.Object({ file: Type.Array(fileSchema('An image'), { description: 'Any field name, any number' }) }),
    },
    'application/json': { schema: JsonBody },
  };
}

/**
 * The examples of a request, all in memory; `share` counts their bytes as they arrive.
 * @throws AppError `too_large`, `content_too_large`, `missing_file`, `invalid_*`, `overloaded`
 */
export async function readExamples(
  request: FastifyRequest,
  config: DialectContext['config'],
  share: ByteShare,
): Promise<Example[]> {
  const type = mediaType(request);
  if (type === 'multipart/form-data') return readExamplesForm(request, config, share);
  const body = await readBody(bodyOf(request), config.MAX_PREDICT_BYTES, 'MAX_PREDICT_BYTES', share);
  // `curl --data-binary` says application/x-www-form-urlencoded; the bytes decide.
  return type === 'application/json' ? examplesOfJson(body, config) : [{ name: 'body', bytes: body }];
}

async function readExamplesForm(
  request: FastifyRequest,
  config: DialectContext['config'],
  share: ByteShare,
): Promise<Example[]> {
  const examples: Example[] = [];
  let total = 0;
  const limits = formLimits(config, { fileSize: config.MAX_EXAMPLE_BYTES, files: config.MAX_PREDICT_EXAMPLES });
  await readForm(request, limits, async (part) => {
    const bytes = await readBody(part.file, config.MAX_PREDICT_BYTES, 'MAX_PREDICT_BYTES', share);
    const name = part.filename ?? part.fieldname;
    total += bytes.length;
    if (part.file.truncated) {
      throw new AppError('content_too_large', `${name}: the file is larger than ${config.MAX_EXAMPLE_BYTES} bytes.`);
    }
    if (total > config.MAX_PREDICT_BYTES) {
      throw new AppError('too_large', `The form is larger than ${config.MAX_PREDICT_BYTES} bytes (MAX_PREDICT_BYTES).`);
    }
    examples.push({ name, bytes });
  });
  if (examples.length === 0) throw new AppError('missing_file', 'The form has no image.');
  return examples;
}

function examplesOfJson(body: Buffer, config: DialectContext['config']): Example[] {
  const value = parseJson(body);
  // Before the schema, which would name each fault of millions.
  const { images } = (value ?? {}) as { images?: unknown };
  if (Array.isArray(images)) refuseTooMany(images.length, config.MAX_PREDICT_EXAMPLES);
  return checkJsonBody(value, 'body').images.map((text, index) => {
    const name = `images.${index}`;
    const base64 = text.replace(/^data:image\/[\w.+-]+;base64,/, '').replace(/\s/g, '');
    if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(base64)) throw new AppError('invalid_request', `body: ${name} is not base64.`);
    return { name, bytes: Buffer.from(base64, 'base64') };
  });
}
