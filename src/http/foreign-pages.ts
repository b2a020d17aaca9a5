import cors from '@fastify/cors';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { AppError } from '../errors.js';

export interface ForeignPagesOptions {
  /** There are no keys: whoever reaches the service may do everything. */
  isOpen: () => boolean;
  /** Address that is listened on. */
  host: string;
  /** More names of this server, in small letters. */
  allowedHosts: string[];
  /** Origins whose pages may call it, in small letters. */
  corsOrigins: string[];
}

/** Answers with headers of their own, which a page may read. */
const EXPOSED = [
  'ETag',
  'Location',
  'Retry-After',
  'X-Request-Id',
  'Idempotency-Replayed',
  'Repr-Digest',
  'RateLimit',
  'RateLimit-Policy',
  'Content-Disposition',
  'Content-Range',
  'Accept-Ranges',
];

const LOOPBACK_NAME = /^(localhost|[a-z0-9-]+\.localhost|127(\.\d{1,3}){3}|\[::1\])$/;
const READS = ['GET', 'HEAD', 'OPTIONS'];

/**
 * Keep other sites' pages out. A browser sends their requests from the user's own machine, so that without keys they would be
 * as good as the user's.
 *  - A page that had its own name point at this machine (DNS rebinding) is known by that name: without keys only names of this
 *    server are answered.
 *  - A write from another site is known by `Sec-Fetch-Site`, or where a browser sends none, by `Origin`.
 *  - What is answered to `corsOrigins` alone may be read by other pages.
 */
export async function refuseForeignPages(app: FastifyInstance, options: ForeignPagesOptions): Promise<void> {
  const { isOpen, corsOrigins } = options;
  app.addHook('onRequest', async (request) => {
    if (!isOpen()) return;
    refuseForeignName(request, options);
    refuseCrossSite(request, corsOrigins);
  });
  if (corsOrigins.length === 0) return;
  // The plug-in's own route for preflights knows nothing of scopes.
  app.addHook('onRoute', (route) => {
    if (route.url === '*' && route.method === 'OPTIONS') route.config = { ...route.config, scope: 'public' };
  });
  await app.register(cors, {
    origin: (origin, allow) => allow(null, origin !== undefined && corsOrigins.includes(origin.toLowerCase())),
    exposedHeaders: EXPOSED,
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'],
    maxAge: 600,
    strictPreflight: false,
  });
  app.addHook('onRequest', async (request, reply) => {
    const { origin } = request.headers;
    if (origin !== undefined && corsOrigins.includes(origin.toLowerCase())) {
      reply.header('cross-origin-resource-policy', 'cross-origin');
    }
  });
}

/** @throws AppError `host_not_allowed` */
function refuseForeignName({ headers }: FastifyRequest, { host, allowedHosts }: ForeignPagesOptions): void {
  const name = nameOf(headers.host ?? '');
  if (LOOPBACK_NAME.test(name) || name === nameOf(host) || allowedHosts.some((one) => isNamed(name, one))) return;
  const shown = name.slice(0, 100);
  throw new AppError(
    'host_not_allowed',
    `This server has no API keys, and answers under names of this machine only, such as localhost, not under '${shown}'. If the name is yours, set ALLOWED_HOSTS=${shown}, or make a key with \`npm run keys -- make\`.`,
  );
}

/** @throws AppError `cross_site` */
function refuseCrossSite({ method, headers }: FastifyRequest, corsOrigins: string[]): void {
  if (READS.includes(method)) return;
  const { origin, host } = headers;
  if (origin !== undefined && corsOrigins.includes(origin.toLowerCase())) return;
  const site = headers['sec-fetch-site'];
  const own =
    site === undefined ? origin === undefined || hostOf(origin) === host : /^(same-origin|none)$/.test(`${site}`);
  if (own) return;
  throw new AppError(
    'cross_site',
    `A page of another site${origin === undefined ? '' : ` (${origin.slice(0, 100)})`} may change nothing here. If the page is yours, add its origin to CORS_ORIGINS.`,
  );
}

/** A name without its port and the dot of the root, in small letters. */
function nameOf(host: string): string {
  const name = host.toLowerCase();
  if (/^[0-9a-f:]*:[0-9a-f:]*:[0-9a-f:]*$/.test(name)) return `[${name}]`;
  return name.replace(/:\d*$/, '').replace(/\.$/, '');
}

function isNamed(name: string, allowed: string): boolean {
  return allowed.startsWith('*.') ? name.endsWith(allowed.slice(1)) : name === nameOf(allowed);
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}
