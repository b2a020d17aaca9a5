import type { RedisOptions } from 'ioredis';

/**
 * Where a `REDIS_URL` points, for ioredis, which itself knows no `unix://`.
 * Understands `redis://`, `rediss://` (TLS) and `unix:///path`, with `user:password@` and `/db`.
 */
export function redisAddress(url: string): RedisOptions {
  const { protocol, pathname, hostname, port, username, password } = new URL(url);
  if (protocol === 'unix:') return { path: decodeURIComponent(pathname) };
  return {
    host: hostname.replace(/^\[|\]$/g, ''), // WHATWG URLs keep the brackets of IPv6
    port: port === '' ? 6379 : Number(port),
    ...(username === '' ? {} : { username: decodeURIComponent(username) }),
    ...(password === '' ? {} : { password: decodeURIComponent(password) }),
    ...(pathname.length > 1 ? { db: Number(pathname.slice(1)) } : {}),
    ...(protocol === 'rediss:' ? { tls: {} } : {}),
  };
}
