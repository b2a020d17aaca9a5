import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { TSchema } from '@sinclair/typebox';
import type { FastifyInstance, FastifySchema } from 'fastify';
import type { Config } from '../config.js';
import { BackboneCatalog, CatalogRow, PullBackbone, ServedBackbone } from '../schemas/backbones.js';
import { Dataset, DatasetSummary, LayoutWanted } from '../schemas/datasets.js';
import { CreateJob, Job, JobEvent } from '../schemas/jobs.js';
import { listOf } from '../schemas/lists.js';
import { HeldOutPrediction, Prediction } from '../schemas/predictions.js';
import { Report } from '../schemas/report.js';
import { Alias, Model, ModelSummary, SetAlias, VersionManifest } from '../schemas/versions.js';
import type { RouteScope } from './authorise.js';
import { nameSchemas } from './name-schemas.js';
import { Problem } from './problem.js';
import { DOCS_POLICY } from './security-headers.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Media type of an answer that does not end at once. */
    streams?: string;
  }
}

/** What generators make types of, but for `Problem`. */
const ROWS = {
  Dataset,
  DatasetSummary,
  Job,
  JobEvent,
  Model,
  ModelSummary,
  VersionManifest,
  HeldOutPrediction,
  ServedBackbone,
};
const NAMED: Record<string, TSchema> = {
  ...ROWS,
  ...Object.fromEntries(Object.entries(ROWS).map(([name, row]) => [`${name}List`, listOf(row as TSchema)])),
  LayoutWanted: defaultsInWords(LayoutWanted),
  CreateJob: defaultsInWords(CreateJob),
  Prediction,
  Report,
  Alias,
  BackboneCatalog,
  CatalogRow,
  PullBackbone,
  SetAlias: defaultsInWords(SetAlias),
};

const TAGS = {
  'Data sets': 'Archives of labelled examples, and how they were understood',
  Jobs: 'What takes longer than a request: training, and what comes later',
  Models: 'Names with numbered versions, reports, artifacts and aliases',
  Predictions: 'Classify examples, and say why',
  Backbones: 'The networks that all models share',
  Service: 'The server itself',
};

/** OpenAPI from the schemas of the routes that follow, at /openapi.json and, to read and try, at /docs. */
export async function describeApi(app: FastifyInstance, { BASE_PATH }: Pick<Config, 'BASE_PATH'>): Promise<void> {
  app.addSchema(Problem);
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Graft',
        version: '1',
        description:
          'Fine-tune and serve image classifiers: photos in, a trained, versioned, served model out. Errors are `application/problem+json` with a stable `code`. Every operation names the scope that a key needs for it; without keys everybody who reaches the service has all of them.',
        contact: { name: 'Graft' },
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      servers: [{ url: BASE_PATH || '/', description: 'This server' }],
      tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
      components: {
        securitySchemes: { key: { type: 'http', scheme: 'bearer', description: '`Authorization: Bearer <key>`' } },
      },
    },
    transform: ({ schema, url, route }) => ({
      schema: describeRoute(schema as FastifySchema & Described, route.config ?? {}),
      url,
    }),
    transformObject: (document) =>
      finished(('openapiObject' in document ? document.openapiObject : {}) as OpenApi) as never,
    refResolver: { buildLocalReference: (json, _base, _fragment, index) => String(json.$id ?? `def-${index}`) },
  });
  const css = '.swagger-ui .topbar { display: none }';
  await app.register(async (docs) => {
    // Pages of the plug-in, which knows nothing of scopes.
    docs.addHook('onRoute', (route) => {
      route.config = { ...route.config, scope: 'public' };
    });
    await docs.register(swaggerUi, {
      routePrefix: '/docs',
      indexPrefix: BASE_PATH,
      staticCSP: DOCS_POLICY,
      theme: { title: 'Graft API', css: [{ filename: 'graft.css', content: css }] },
    });
    docs.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger());
  });
}

/**
 * Generators take a property that has a default as one that must be there. In bodies, which clients write, defaults are told
 * in words.
 */
function defaultsInWords<T>(schema: T): T {
  if (schema === null || typeof schema !== 'object') return schema;
  if (Array.isArray(schema)) return schema.map(defaultsInWords) as T;
  const { default: value, ...rest } = schema as Record<string, unknown>;
  const inner = Object.fromEntries(Object.entries(rest).map(([key, one]) => [key, defaultsInWords(one)]));
  if (value === undefined || typeof value === 'object')
    return (value === undefined ? inner : { ...inner, default: value }) as T;
  const said = `Default: \`${value}\``;
  return { ...inner, description: rest.description === undefined ? said : `${rest.description}. ${said}` } as T;
}

interface Described {
  produces?: string[];
  description?: string;
}

interface RouteFacts {
  body?: unknown;
  scope?: RouteScope;
  streams?: string;
}

/** A route's schema with what Fastify does not see: scopes, bodies and answers that are streams, and its problems. */
function describeRoute(schema: FastifySchema & Described, { body, scope, streams }: RouteFacts): FastifySchema {
  const { produces, description } = schema;
  const file = (type: string) => ({
    schema: type.startsWith('text/') ? { type: 'string' } : { type: 'string', format: 'binary' },
  });
  const isPublic = scope === undefined || scope === 'public';
  const asks = isPublic ? 'It needs no key.' : `Scope: \`${scope}\`.`;
  const { 200: ok, ...others } = (schema.response ?? {}) as Record<string, TSchema>;
  return {
    ...schema,
    description: description === undefined ? asks : `${description} ${asks}`,
    security: isPublic ? [{}] : [{ key: [] }, {}],
    ...(body !== undefined && { body: { content: defaultsInWords(body) } }),
    response: {
      ...(produces && {
        200: { description: 'The file', content: Object.fromEntries(produces.map((type) => [type, file(type)])) },
      }),
      ...(ok && {
        200: answer(ok, streams === undefined ? {} : { [streams]: { schema: { type: 'string' } } }),
      }),
      ...Object.fromEntries(
        Object.entries(others).map(([status, other]) => [status, other.type === 'null' ? other : answer(other)]),
      ),
      ...(isPublic ? {} : problems(schema, body !== undefined)),
      421: problem('Without keys: the server is not known under this name'),
      default: problem('Another problem'),
    },
  } as FastifySchema;
}

/** What can be wrong with most requests; `default` stands for the rest. */
function problems(schema: FastifySchema, hasBody: boolean): object {
  return {
    400: problem('The request is not valid'),
    401: problem('A key is needed, or it is not known'),
    403: problem('The key may not do that'),
    ...(schema.params !== undefined && { 404: problem('It is not there') }),
    ...(hasBody && { 413: problem('It is too large'), 415: problem('It is of a kind that is not understood') }),
    ...(hasBody && { 422: problem('It was understood, and cannot be used') }),
    429: problem('Too much at once; `Retry-After` says when to come again'),
  };
}

function answer(schema: TSchema, more: object = {}): object {
  return { description: 'Done', content: { 'application/json': { schema }, ...more } };
}

function problem(description: string): object {
  return { description, content: { 'application/problem+json': { schema: { $ref: 'Problem#' } } } };
}

type OpenApi = { paths: Record<string, Record<string, { parameters?: Parameter[] }>> };
interface Parameter {
  name: string;
  in: string;
  schema?: { description?: string };
  description?: string;
}

/** Fastify's wildcard is a parameter without a name; what schemas say of parameters stands beside them. */
function finished(document: OpenApi): OpenApi {
  const paths = Object.entries(document.paths).map(([path, methods]) => {
    for (const { parameters = [] } of Object.values(methods)) {
      for (const parameter of parameters) if (parameter.name === '*') parameter.name = 'path';
    }
    return [path.replace('{*}', '{path}'), methods] as const;
  });
  const whole = { ...document, paths: Object.fromEntries(paths) };
  nameSchemas(whole, NAMED);
  return whole;
}
