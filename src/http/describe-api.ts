import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { FastifyInstance, FastifySchema } from 'fastify';
import { Problem } from './problem.js';
import { DOCS_POLICY } from './security-headers.js';

/** OpenAPI from the schemas of the routes that follow, at /openapi.json and, to read and try, at /docs. */
export async function describeApi(app: FastifyInstance): Promise<void> {
  app.addSchema(Problem);
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Graft',
        version: '1',
        description:
          'Fine-tune and serve image classifiers: photos in, a trained, versioned, served model out. Errors are `application/problem+json` with a stable `code`.',
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      tags: ['Data sets', 'Jobs', 'Models', 'Predictions', 'Backbones', 'Service'].map((name) => ({ name })),
      components: { securitySchemes: { key: { type: 'http', scheme: 'bearer' } } },
      security: [{ key: [] }, {}],
    },
    transform: ({ schema, url, route }) => ({
      schema: describeRoute(schema as FastifySchema, route.config?.body),
      url,
    }),
    refResolver: { buildLocalReference: (json, _base, _fragment, index) => String(json.$id ?? `def-${index}`) },
  });
  const css = '.swagger-ui .topbar { display: none }';
  await app.register(swaggerUi, {
    routePrefix: '/docs',
    staticCSP: DOCS_POLICY,
    theme: { title: 'Graft API', css: [{ filename: 'graft.css', content: css }] },
  });
  app.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger());
}

/** A route's schema with what Fastify does not see: bodies and answers that are streams, and its problems. */
function describeRoute(schema: FastifySchema, body: unknown): FastifySchema {
  const { produces } = schema as { produces?: string[] };
  const file = (type: string) => ({
    schema: type.startsWith('text/') ? { type: 'string' } : { type: 'string', format: 'binary' },
  });
  return {
    ...schema,
    ...(body !== undefined && { body: { content: body } }),
    response: {
      ...(produces && {
        200: { description: 'The file', content: Object.fromEntries(produces.map((type) => [type, file(type)])) },
      }),
      ...(schema.response as Record<string, unknown> | undefined),
      default: {
        description: 'A problem',
        content: { 'application/problem+json': { schema: { $ref: 'Problem#' } } },
      },
    },
  } as FastifySchema;
}
