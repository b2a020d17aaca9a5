import { type Static, type TSchema, Type } from '@sinclair/typebox';
import type { FastifyRequest } from 'fastify';
import { AppError } from '../../errors.js';
import { type Asked, type Example, refuseTooMany } from '../../operations/classify.js';
import { MAX_EXPLAINED } from '../../operations/explain.js';
import { strict } from '../../schemas/common.js';
import { bodyOf, fileName, fileSchema, isJson, mediaType, parseJson, readBody, refuseUnmarkedForm } from '../bodies.js';
import type { ByteShare } from '../byte-budget.js';
import type { DialectContext } from '../dialect.js';
import { formLimits, isForm, readForm } from '../forms.js';
import { compileCheck, compileTextCheck } from '../validation.js';

/** What is asked of the examples: in the query, or beside them in a form or in JSON. */
export const PredictOptions = Type.Object(
  {
    top_k: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 10_000, default: 5, description: 'Predictions per image, best first' }),
    ),
    explain: Type.Optional(
      Type.Boolean({
        default: false,
        description: `Say why, too; at most ${MAX_EXPLAINED} images per request. With \`Accept: image/png\` and one image the answer is the overlay, four times as wide and as high as what the backbone sees`,
      }),
    ),
    class: Type.Optional(Type.String({ maxLength: 1024, description: 'Label to explain; default: the predicted one' })),
    nearest: Type.Optional(
      Type.Integer({
        minimum: 0,
        maximum: 50,
        description:
          'Most similar training images to name in an explanation; default: 5, or 0 for a key without the scope `read`',
      }),
    ),
    partial: Type.Optional(
      Type.Boolean({
        default: false,
        description: 'Answer the other images where one cannot be read; it then has an `error`',
      }),
    ),
  },
  strict,
);
type PredictOptions = Static<typeof PredictOptions>;

const ImagesBody = Type.Object(
  {
    images: Type.Array(Type.String({ description: 'An image file as base64, or as a data URL' }), { minItems: 1 }),
    ...PredictOptions.properties,
  },
  strict,
);
const TextsBody = Type.Object(
  { texts: Type.Array(Type.String(), { minItems: 1, description: 'As they are' }), ...PredictOptions.properties },
  strict,
);
const checkImagesBody = compileCheck(ImagesBody);
const checkTextsBody = compileCheck(TextsBody);
const checkFields = compileTextCheck(PredictOptions);

/** How base64 of image files begins: JPEG, PNG, WebP, GIF, TIFF, BMP, AVIF, PPM. */
const BASE64_IMAGE = /^(\/9j\/|iVBORw0KGgo|UklGR|R0lGOD|SUkqA|TU0A|Qk|AAAA|UDY|UDU)[A-Za-z0-9+/\s]+={0,2}\s*$/;
/** A picture of 8 × 8 red pixels, for an example that works. */
const RED =
  'iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAMAAADz0U65AAAAA1BMVEXMMzN0dFbYAAAACXBIWXMAAAPoAAAD6AG1e1JrAAAADElEQVQImWNgoA4AAABIAAF7pRHIAAAAAElFTkSuQmCC';
/** How image files themselves begin. */
const IMAGE = /^(\xff\xd8\xff|\x89PNG|RIFF|GIF8|II\*\0|MM\0\*|BM|P[56]\s)/;
const DATA_URL = /^\s*data:[^,]{0,200};base64,/i;

/** Examples: one by itself, many as a form, or in JSON; for OpenAPI. */
export function examplesBody(): Record<string, { schema: TSchema; example?: unknown }> {
  const example = { schema: fileSchema('The image, or the text in UTF-8') };
  return {
    // Whatever type it has: its bytes decide. Generators know this one alone.
    'application/octet-stream': example,
    'text/plain': { schema: Type.String({ description: 'The text' }) },
    'multipart/form-data': {
      schema: Type.Object({
        file: Type.Array(fileSchema('An image or a text'), { description: 'Any field name, any number' }),
        text: Type.Optional(Type.String({ description: 'A text' })),
        ...PredictOptions.properties,
      }),
    },
    'application/json': { schema: Type.Union([ImagesBody, TextsBody]), example: { images: [RED], top_k: 1 } },
  };
}

/**
 * What a request asks of which examples, all in memory; `share` counts their bytes as they arrive.
 * @param asked query: what its URL asks, what its body asks goes before; modality: kind of content that the model takes
 * @throws AppError `too_large`, `content_too_large`, `missing_file`, `invalid_*`, `overloaded`
 */
export async function readAsked(
  request: FastifyRequest,
  config: DialectContext['config'],
  share: ByteShare,
  { query, modality }: { query: PredictOptions; modality: string },
): Promise<Asked> {
  const { examples, ...options } = isForm(request)
    ? await readExamplesForm(request, config, share, modality)
    : examplesOfBody(await readBody(bodyOf(request), config.MAX_PREDICT_BYTES, 'MAX_PREDICT_BYTES', share), {
        request,
        config,
        modality,
      });
  const { top_k = 5, explain, class: label, nearest, partial } = { ...query, ...options };
  if (!explain && label !== undefined) {
    throw new AppError('invalid_request', 'class is the class to explain; add explain=true.');
  }
  return { examples, topK: top_k, partial, explain: explain ? { label, nearest } : undefined };
}

type Sent = PredictOptions & { examples: Example[] };

async function readExamplesForm(
  request: FastifyRequest,
  config: DialectContext['config'],
  share: ByteShare,
  modality: string,
): Promise<Sent> {
  const examples: Example[] = [];
  let total = 0;
  const fields = await readForm(request, {
    limits: formLimits(config, { fileSize: config.MAX_EXAMPLE_BYTES, files: config.MAX_PREDICT_EXAMPLES }),
    fields: [...Object.keys(PredictOptions.properties), ...(modality === 'text' ? ['text'] : [])],
    onFile: async (part) => {
      const bytes = await readBody(part.file, config.MAX_PREDICT_BYTES, 'MAX_PREDICT_BYTES', share);
      const name = fileName(part.filename) ?? part.fieldname;
      total += bytes.length;
      if (part.file.truncated) throw tooLargeExample(name, config);
      if (total > config.MAX_PREDICT_BYTES) {
        throw new AppError(
          'too_large',
          `The form is larger than ${config.MAX_PREDICT_BYTES} bytes (MAX_PREDICT_BYTES).`,
        );
      }
      examples.push({ name, bytes: modality === 'text' ? bytes : unwrapped(bytes) });
    },
  });
  const text = fields.get('text');
  fields.delete('text');
  if (text !== undefined) examples.push(exampleOfText(text, 'text'));
  if (examples.length === 0) {
    const field =
      modality === 'text'
        ? 'text. Send it as the field `text`, or as the file `file`'
        : 'image. Send it as the field `file`';
    throw new AppError('missing_file', `The form has no ${field}.`);
  }
  return { examples, ...checkFields(Object.fromEntries(fields), 'form') };
}

/** The bytes decide what a body is: clients say many things of it, `curl --data-binary` that it is a form. */
function examplesOfBody(
  body: Buffer,
  { request, config, modality }: { request: FastifyRequest; config: DialectContext['config']; modality: string },
): Sent {
  const type = mediaType(request);
  const ofTexts = modality === 'text';
  if (body.length === 0 && !isJson(type)) {
    const how = ofTexts
      ? 'a text as the body, as a form, or in JSON'
      : 'an image as the body, as a form, or as base64 in JSON';
    throw new AppError('missing_file', `The body is empty. Send ${how}.`);
  }
  // A text may begin as JSON does.
  const looksLikeJson =
    !(ofTexts && type?.startsWith('text/')) && /^(\uFEFF|ï»¿)?\s*[{[]/.test(body.subarray(0, 100).toString('latin1'));
  if (looksLikeJson || (isJson(type) && !IMAGE.test(body.subarray(0, 4).toString('latin1')))) {
    return ofTexts ? textsOfJson(body, config) : imagesOfJson(body, config);
  }
  refuseUnmarkedForm(body);
  if (body.length > config.MAX_EXAMPLE_BYTES * (4 / 3) + 1000) throw tooLargeExample('body', config);
  const bytes = ofTexts ? body : unwrapped(body);
  if (bytes.length > config.MAX_EXAMPLE_BYTES) throw tooLargeExample('body', config);
  return { examples: [{ name: 'body', bytes }] };
}

function imagesOfJson(body: Buffer, config: DialectContext['config']): Sent {
  const value = parseJson(body);
  refuseOthers(value, { takes: 'images', not: 'texts', config });
  const { images, ...options } = checkImagesBody(value, 'body');
  const examples = images.map((text, index) => {
    const name = `images.${index}`;
    const base64 = text.replace(DATA_URL, '').replace(/\s/g, '');
    if (!/^[A-Za-z0-9+/_-]*={0,2}$/.test(base64)) throw new AppError('invalid_request', `body: ${name} is not base64.`);
    const bytes = Buffer.from(base64, 'base64');
    if (bytes.length > config.MAX_EXAMPLE_BYTES) throw tooLargeExample(name, config);
    return { name, bytes };
  });
  return { examples, ...options };
}

function textsOfJson(body: Buffer, config: DialectContext['config']): Sent {
  const value = parseJson(body);
  refuseOthers(value, { takes: 'texts', not: 'images', config });
  const { texts, ...options } = checkTextsBody(value, 'body');
  return { examples: texts.map((text, index) => exampleOfText(text, `texts.${index}`)), ...options };
}

/** Before the schema, which would name each fault of millions. @throws AppError `too_large`, `invalid_request` */
function refuseOthers(
  value: unknown,
  { takes, not, config }: { takes: 'images' | 'texts'; not: 'images' | 'texts'; config: DialectContext['config'] },
): void {
  const body = (value ?? {}) as Record<string, unknown>;
  const list = body[takes];
  if (Array.isArray(list)) refuseTooMany(list.length, config.MAX_PREDICT_EXAMPLES);
  else if (body[not] !== undefined) {
    throw new AppError(
      'invalid_request',
      `body: this model classifies ${takes}: send \`${takes}\` instead of \`${not}\`.`,
    );
  }
}

/** @throws AppError `content_invalid` for what no bytes can stand for */
function exampleOfText(text: string, name: string): Example {
  if (/\p{Surrogate}/u.test(text)) {
    throw new AppError('content_invalid', `${name}: the text has half of a character (a lone surrogate).`);
  }
  return { name, bytes: Buffer.from(text) };
}

/** The bytes of an image that came as base64 or as a data URL; others as they are. */
function unwrapped(bytes: Buffer): Buffer {
  if (isBinary(bytes)) return bytes;
  const text = bytes.toString('latin1');
  if (!DATA_URL.test(text.slice(0, 300)) && !BASE64_IMAGE.test(text)) return bytes;
  return Buffer.from(text.replace(DATA_URL, ''), 'base64');
}

/** Whether its beginning is no text. */
function isBinary(bytes: Buffer): boolean {
  return /[^\t\n\r\x20-\x7e]/.test(bytes.subarray(0, 64).toString('latin1'));
}

function tooLargeExample(name: string, { MAX_EXAMPLE_BYTES }: DialectContext['config']): AppError {
  return new AppError(
    'content_too_large',
    `${name}: the file is larger than ${MAX_EXAMPLE_BYTES} bytes (MAX_EXAMPLE_BYTES).`,
  );
}
