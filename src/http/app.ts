import { randomUUID } from 'node:crypto';
import multipart from '@fastify/multipart';
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox';
import { type FastifyInstance, type FastifyPluginAsync, fastify, LogController } from 'fastify';
import type { Access } from '../access/key-ring.js';
import type { Config } from '../config.js';
import type { Log } from '../log.js';
import type { Operations } from '../operations/operations.js';
import type { RateLimits } from '../redis/rate-limits.js';
import { authenticate } from './authenticate.js';
import { authorise, requireScopes } from './authorise.js';
import { BEARER_HINT, bearerKey } from './bearer-key.js';
import { ByteBudget } from './byte-budget.js';
import { clientRoutes } from './client-files.js';
import { describeApi } from './describe-api.js';
import { type Dialect, dialectOf } from './dialect.js';
import { refuseForeignPages } from './foreign-pages.js';
import { followRoutes, handleErrors, noRoute, sendError } from './handle-errors.js';
import { logRequests } from './log-requests.js';
import { type Metrics, measureRequests } from './metrics.js';
import { renderProblem } from './problem.js';
import { limitRates } from './rate-limit.js';
import { dropRefusedBodies } from './refused-bodies.js';
import { refuseConnection, refuseStalled } from './refuse-connection.js';
import { secureHeaders } from './security-headers.js';
import { healthRoutes, metricsRoute, topRoute } from './service-routes.js';
import { limitStalls } from './stalled-bodies.js';
import { translateError } from './translate-error.js';
import { validateStrictly } from './validation.js';

export interface AppOptions {
  config: Config;
  operations: Operations;
  dialects: Dialect[];
  access: Access;
  metrics: Metrics;
  /** The page for browsers; undefined: there is none. */
  page?: Page | undefined;
  /** Without them every key may send as much as it likes. */
  rateLimits?: Pick<RateLimits, 'quota' | 'windowSeconds' | 'take'> | undefined;
  log?: Log;
}

/** A page for browsers: what is shown at the top, and the files that it names. */
export interface Page {
  /** Its HTML; undefined: it was not made here. */
  html(): string | undefined;
  files: FastifyPluginAsync;
}

/** How often Node looks for requests that take too long. */
const CONNECTIONS_CHECK_MS = 5000;

/** The whole HTTP service as a function of what it needs; `app.inject` or `app.listen` does the rest. */
export async function buildApp(options: AppOptions): Promise<FastifyInstance> {
  const { config, operations, dialects, metrics } = options;
  const app = createServer(options);
  requireScopes(app);
  const renderOf = (url: string) => (dialectOf(dialects, url) ?? { renderError: renderProblem }).renderError;
  const methodsOf = followRoutes(app);
  validateStrictly(app);
  handleErrors(app, renderProblem, methodsOf);
  measureRequests(app, metrics);
  secureHeaders(app);
  await refuseForeignPages(app, {
    isOpen: () => options.access.open,
    host: config.HOST,
    allowedHosts: config.ALLOWED_HOSTS,
    corsOrigins: config.CORS_ORIGINS,
  });
  dropRefusedBodies(app, { maxBytes: config.MAX_DROPPED_BYTES, maxMs: config.STALL_TIMEOUT_SECONDS * 1000 });
  limitStalls(app, config.STALL_TIMEOUT_SECONDS * 1000, (socket, { url }) => refuseStalled(socket, renderOf(url)));
  logRequests(app);
  // A method with a body, of which Fastify asks for a type before it looks whether there is such a route.
  app.addHook('onRequest', async (request, reply) => {
    if (request.method === 'QUERY' && request.is404) throw noRoute(request, reply, methodsOf);
  });
  await app.register(multipart, { throwFileSizeLimit: false });
  await describeApi(app, config);

  const closing = new AbortController();
  app.addHook('preClose', async () => closing.abort());
  const context = { config, predictionBodies: new ByteBudget(config.PREDICT_MEMORY_BYTES), closing: closing.signal };
  await app.register(healthRoutes(operations));
  await app.register(topRoute(config, options.page?.html));
  if (options.page) await app.register(options.page.files);
  await app.register(clientRoutes());
  await app.register(withKey({ key: bearerKey, keyHint: BEARER_HINT }, metricsRoute(metrics), options));
  for (const dialect of dialects) {
    await app.register(
      async (scope) => {
        handleErrors(scope, dialect.renderError, methodsOf);
        await scope.register(withKey(dialect, dialect.routes(operations, context), options));
      },
      { prefix: dialect.prefix },
    );
  }
  return app;
}

/** Routes that need a key and count for its rate. In a scope of their own: paths that are not there need none. */
function withKey(
  dialect: Pick<Dialect, 'key' | 'keyHint'>,
  routes: FastifyPluginAsync,
  { access, rateLimits }: Pick<AppOptions, 'access' | 'rateLimits'>,
): FastifyPluginAsync {
  return async (scope) => {
    authenticate(scope, access, dialect);
    authorise(scope);
    if (rateLimits) limitRates(scope, rateLimits);
    await scope.register(routes);
  };
}

/** A proxy may take its prefix away or not. */
function withoutBase(url: string, base: string): string {
  if (base === '' || !url.startsWith(base)) return url;
  const rest = url.slice(base.length);
  return rest === '' ? '/' : /^[/?]/.test(rest) ? rest.replace(/^\?/, '/?') : url;
}

function createServer({ config, dialects, log }: AppOptions): FastifyInstance {
  const app = fastify({
    ...(log ? { loggerInstance: log } : { logger: false }),
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: 'request_id' }),
    genReqId: () => randomUUID(),
    requestTimeout: config.REQUEST_TIMEOUT_SECONDS * 1000,
    keepAliveTimeout: config.KEEP_ALIVE_SECONDS * 1000,
    bodyLimit: config.MAX_JSON_BYTES,
    forceCloseConnections: 'idle',
    return503OnClosing: false, // a request that was let in is answered as always
    routerOptions: { maxParamLength: 300, ignoreTrailingSlash: true },
    rewriteUrl: ({ url = '/' }) => withoutBase(url, config.BASE_PATH),
    // A URL that cannot be read is refused before any hook or handler runs.
    frameworkErrors: (error, request, reply) => {
      const { renderError } = dialectOf(dialects, request.url) ?? { renderError: renderProblem };
      sendError(request, reply.header('x-request-id', request.id), translateError(error), renderError);
    },
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
  return app;
}
