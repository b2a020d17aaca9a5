import type { Readable } from 'node:stream';
import type { MultipartFile, MultipartValue } from '@fastify/multipart';
import type { FastifyRequest } from 'fastify';
import type { Config } from '../config.js';
import { AppError } from '../errors.js';
import { mediaType, refuseCoding } from './bodies.js';
import { beginBody } from './refused-bodies.js';

export interface FormLimits {
  fileSize: number;
  files: number;
  fields: number;
  fieldSize: number;
}

/** What a form may hold. */
export interface FormContent {
  limits: FormLimits;
  /** Names of its fields; others are refused. */
  fields: string[];
  /** Takes each file as it streams in. */
  onFile: (file: MultipartFile & { file: Readable }) => Promise<void>;
}

/** Files by these names are files, also where a client sends them without a file name. */
const FILES = /^(files?|images?|photos?|pictures?|archives?|uploads?|data|content|body)(\[\d*\])?$/i;

/** Limits of a form's files, with those of fields that hold for every form. */
export function formLimits(config: Config, files: { fileSize: number; files: number }): FormLimits {
  return { ...files, fields: config.MAX_FORM_FIELDS, fieldSize: config.MAX_FIELD_BYTES };
}

/** Whether a request brings a form. */
export function isForm(request: FastifyRequest): boolean {
  return mediaType(request) === 'multipart/form-data';
}

/**
 * Read a form part by part: fields are collected, files are handed on.
 * @throws AppError `invalid_multipart` for a field that is too long, not known, or occurs twice
 */
export async function readForm(
  request: FastifyRequest,
  { limits, fields: known, onFile }: FormContent,
): Promise<Map<string, string>> {
  const fields = new Map<string, string>();
  refuseCoding(request);
  refuseNoBoundary(request);
  beginBody(request);
  const parts = request.parts({
    limits: {
      fieldNameSize: 100,
      headerPairs: 50,
      parts: limits.fields + limits.files,
      ...limits,
    },
    isPartAFile: (name, type, filename) => {
      if (filename !== undefined) return true;
      if (name === undefined || known.includes(name)) return false;
      return FILES.test(name) || (type !== undefined && !/^(text\/|application\/json)/.test(type));
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
    const { fieldname, value, valueTruncated } = part as MultipartValue & { valueTruncated?: boolean };
    if (!known.includes(fieldname)) {
      throw new AppError(
        'invalid_multipart',
        `The form has a field '${fieldname}', which is not known here. It may have files and ${known.join(', ')}.`,
      );
    }
    if (valueTruncated) {
      throw new AppError(
        'invalid_multipart',
        `The field '${fieldname}' is longer than ${limits.fieldSize} bytes (MAX_FIELD_BYTES).`,
      );
    }
    if (fields.has(fieldname)) throw new AppError('invalid_multipart', `The field '${fieldname}' occurs twice.`);
    // A field that says it is JSON comes as its value.
    fields.set(fieldname, typeof value === 'string' ? value : JSON.stringify(value));
  }
  return fields;
}

function refuseNoBoundary({ headers }: FastifyRequest): void {
  if (/;\s*boundary=/i.test(headers['content-type'] ?? '')) return;
  throw new AppError(
    'invalid_multipart',
    'Content-Type says multipart/form-data, and no boundary. Leave Content-Type out: your client then sets it with the boundary.',
  );
}
