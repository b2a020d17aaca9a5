import { randomUUID } from 'node:crypto';
import multipart from '@fastify/multipart';
import swagger from '@fastify/swagger';
import swaggerUi from '@fastify/swagger-ui';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import { type FastifyInstance, type FastifySchema, fastify, LogController } from 'fastify';
import type { Log } from '../log.js';
import { authenticate } from './authenticate.js';
import type { ApiDependencies } from './dependencies.js';
import { measureRequests } from './metrics.js';
import { datasetRoutes } from './native/dataset-routes.js';
import { jobRoutes } from './native/job-routes.js';
import { modelRoutes } from './native/model-routes.js';
import { predictionRoutes } from './native/prediction-routes.js';
import { backboneRoutes, healthRoutes, metricsRoute } from './native/system-routes.js';
import { handleErrors, Problem, refuseConnection, refuseStalled, refuseUrl } from './problem.js';
import { limitRates } from './rate-limit.js';
import { DOCS_POLICY, secureHeaders } from './security-headers.js';
import { limitStalls } from './stalled-bodies.js';
import { validateStrictly } from './validation.js';

/** How often Node looks for requests that take too long. */
const CONNECTIONS_CHECK_MS = 5000;

/** The whole HTTP service as a function of what it needs; `app.inject` or `app.listen` does the rest. */
export async function buildApp(dependencies: ApiDependencies, options: { log?: Log } = {}): Promise<FastifyInstance> {
  const { config, metrics } = dependencies;
  const app = fastify({
    ...(options.log ? { loggerInstance: options.log } : { logger: false }),
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'request_id' }),
    genReqId: () => randomUUID(),
    requestTimeout: config.REQUEST_TIMEOUT_SECONDS * 1000,
    keepAliveTimeout: config.KEEP_ALIVE_SECONDS * 1000,
    bodyLimit: config.MAX_JSON_BYTES,
    forceCloseConnections: 'idle',
    return503OnClosing: false, // whoever was let in is answered as always
    routerOptions: { maxParamLength: 300 },
    frameworkErrors: refuseUrl,
    clientErrorHandler: refuseConnection(config.MAX_HEADER_BYTES),
    // Given to Node as well: below its limit for headers (60 s), one that is set after creation alone never fires.
    http: {
      connectionsCheckingInterval: CONNECTIONS_CHECK_MS,
      // Node refuses one that is longer than that of the whole request.
      headersTimeout: Math.min(config.HEADERS_TIMEOUT_SECONDS, config.REQUEST_TIMEOUT_SECONDS) * 1000,
      maxHeaderSize: config.MAX_HEADER_BYTES,
      requestTimeout: config.REQUEST_TIMEOUT_SECONDS * 1000,
    },
  }).withTypeProvider<TypeBoxTypeProvider>() as unknown as FastifyInstance;
  app.server.maxConnections = config.MAX_CONNECTIONS;
  validateStrictly(app);
  handleErrors(app);
  measureRequests(app, metrics);
  secureHeaders(app);
  limitStalls(app, config.STALL_TIMEOUT_SECONDS * 1000, refuseStalled);
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url;
    const level = route === '/livez' || route === '/readyz' || route === '/metrics' ? 'debug' : 'info';
    request.log[level](
      // Without the query: whoever puts a key there by mistake shall not find it in a log.
      {
        method: request.method,
        path: request.url.split('?')[0],
        status: reply.statusCode,
        ms: Math.round(reply.elapsedTime),
      },
      'request',
    );
  });
  await app.register(multipart, { throwFileSizeLimit: false });
  await describeApi(app);
  await app.register(healthRoutes(dependencies));
  await app.register(async (scope) => {
    authenticate(scope, config.API_KEYS);
    if (dependencies.rateLimits) limitRates(scope, dependencies.rateLimits);
    for (const routes of [datasetRoutes, jobRoutes, modelRoutes, predictionRoutes, backboneRoutes, metricsRoute]) {
      await scope.register(routes(dependencies));
    }
  });
  return app;
}

/** OpenAPI from the schemas, at /openapi.json and, to read and try, at /docs. */
async function describeApi(app: FastifyInstance): Promise<void> {
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
    transform: ({ schema, url, route }) => {
      const described = { ...(schema as FastifySchema & { response?: Record<string, unknown> }) };
      if (route.config?.body) described.body = { content: route.config.body };
      const { produces } = described as { produces?: string[] };
      described.response = {
        ...(produces && {
          200: {
            description: 'The file',
            content: Object.fromEntries(
              produces.map((type) => [
                type,
                { schema: type.startsWith('text/') ? { type: 'string' } : { type: 'string', format: 'binary' } },
              ]),
            ),
          },
        }),
        ...described.response,
        default: {
          description: 'A problem',
          content: { 'application/problem+json': { schema: { $ref: 'Problem#' } } },
        },
      };
      return { schema: described, url };
    },
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
