import { type TSchema, Type } from '@sinclair/typebox';
import type { FastifyInstance } from 'fastify';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Bodies that are read as streams, for OpenAPI: media type → schema. */
    body?: Record<string, { schema: TSchema }>;
  }
}

/** In this scope bodies of any type, and without one, are left to the handler as the stream `request.raw`. */
export function takeRawBodies(app: FastifyInstance): void {
  app.removeContentTypeParser(['application/json', 'text/plain']);
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
}

const binary = (description: string) => Type.Unsafe({ type: 'string', format: 'binary', description });

/** An archive, as a form with more fields or by itself. */
export function archiveBody(fields: Record<string, TSchema> = {}): Record<string, { schema: TSchema }> {
  const raw = { schema: binary('The archive') };
  return {
    'multipart/form-data': { schema: Type.Object({ file: binary('The archive'), ...fields }) },
    ...(Object.keys(fields).length === 0 && {
      'application/zip': raw,
      'application/x-tar': raw,
      'application/gzip': raw,
      'application/octet-stream': raw,
    }),
  };
}

/** Images: one by itself, many as a form, or base64 in JSON. */
export function imagesBody(json: TSchema): Record<string, { schema: TSchema }> {
  const image = { schema: binary('The image') };
  return {
    'image/jpeg': image,
    'image/png': image,
    'image/webp': image,
    'application/octet-stream': image,
    'multipart/form-data': {
      schema: Type.Object({ file: Type.Array(binary('An image'), { description: 'Any field name, any number' }) }),
    },
    'application/json': { schema: json },
  };
}
