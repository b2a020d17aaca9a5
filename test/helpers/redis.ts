import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { type RedisServer, startRedis } from '../../src/launch/redis-server.js';

/** A Redis of its own for a test file, on a unix socket, stopped and removed at the end. */
export async function redisForTest(t: Pick<Test, 'teardown'>): Promise<RedisServer> {
  const folder = await mkdtemp(join(tmpdir(), 'graft-redis-'));
  const redis = await startRedis({ folder, appendOnly: false });
  t.teardown(async () => {
    await redis.stop();
    await rm(folder, { recursive: true, force: true });
  });
  return redis;
}
