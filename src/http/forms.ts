import type { Readable } from 'node:stream';
import type { MultipartFile, MultipartValue } from '@fastify/multipart';
import type { FastifyRequest } from 'fastify';
import type { Config } from '../config.js';
import { AppError } from '../errors.js';
import { beginBody } from './refused-bodies.js';

export interface FormLimits {
  fileSize: number;
  files: number;
  fields: number;
  fieldSize: number;
}

/** Limits of a form's files, with those of fields that hold for every form. */
export function formLimits(config: Config, files: { fileSize: number; files: number }): FormLimits {
  return { ...files, fields: config.MAX_FORM_FIELDS, fieldSize: config.MAX_FIELD_BYTES };
}

/**
 * Read a form part by part: fields are collected, files are handed to `onFile` as they stream in.
 * @throws AppError `invalid_multipart` for a field that is too long or occurs twice
 */
export async function readForm(
  request: FastifyRequest,
  limits: FormLimits,
  onFile: (file: MultipartFile & { file: Readable }) => Promise<void>,
): Promise<Map<string, string>> {
  const fields = new Map<string, string>();
  beginBody(request);
  const parts = request.parts({
    limits: {
      fieldNameSize: 100,
      headerPairs: 50,
      parts: limits.fields + limits.files,
      ...limits,
    },
  });
  for await (const part of parts) {
    if (part.type === 'file') {
      try {
        await onFile(part);
      } finally {
        part.file.resume(); // a file that is not read to its end holds the request for ever
      }
      continue;
    }
    const { fieldname, value, valueTruncated } = part as MultipartValue<string> & { valueTruncated?: boolean };
    if (valueTruncated) {
      throw new AppError(
        'invalid_multipart',
        `The field '${fieldname}' is longer than ${limits.fieldSize} bytes (MAX_FIELD_BYTES).`,
      );
    }
    if (fields.has(fieldname)) throw new AppError('invalid_multipart', `The field '${fieldname}' occurs twice.`);
    fields.set(fieldname, value);
  }
  return fields;
}
