import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { createLog } from '../../src/log.js';
import { connectRedis } from '../../src/redis/connect.js';
import { RateLimits } from '../../src/redis/rate-limits.js';
import { redisForTest } from '../helpers/redis.js';

const log = createLog('test', 'silent');
const redis = await redisForTest(t);
/** The beginning of a window, far from now: keys of other tests are none of ours. */
let era = 1_000_000;

/** Limits as on one server, with a clock that stands still until it is moved. */
function server(t: Test, perSecond: number, clock: { ms: number }, url = redis.url) {
  const connection = connectRedis(url, log);
  const limits = new RateLimits({ redis: connection, perSecond, now: () => clock.ms });
  t.teardown(() => {
    limits.close();
    connection.disconnect();
  });
  return { limits, connection };
}

const clockOf = () => {
  era += 100_000;
  return { ms: era };
};

function taken(limits: RateLimits, key: string, times: number): number {
  return Array.from({ length: times }, () => limits.take(key)).filter(({ allowed }) => allowed).length;
}

t.test('a key may send its rate over the window, and is told when it may go on', async (t) => {
  const clock = clockOf();
  const { limits } = server(t, 2, clock);
  t.same(limits.take('k'), { allowed: true, remaining: 19, waitSeconds: 10 });
  t.equal(taken(limits, 'k', 100), 19);
  const refused = limits.take('k');
  t.match(refused, { allowed: false, remaining: 0 });
  t.equal(taken(limits, 'other', 1), 1, 'another key is not held back');
  clock.ms += refused.waitSeconds * 1000;
  t.ok(limits.take('k').allowed, 'what was announced holds');
});

t.test('over any ten seconds no more than the quota gets through: there is no edge of a window to wait for', (t) => {
  const clock = clockOf();
  const { limits } = server(t, 10, clock);
  clock.ms += 9900;
  let allowed = taken(limits, 'k', 1000);
  clock.ms += 200;
  allowed += taken(limits, 'k', 1000);
  t.ok(allowed >= 100 && allowed <= 102, `${allowed} of 100`);
  clock.ms += 20_000;
  t.equal(taken(limits, 'k', 1000), 100, 'after a pause the whole quota is there again');
  t.end();
});

t.test('servers count together', async (t) => {
  const clock = clockOf();
  const [one, two] = [server(t, 5, clock).limits, server(t, 5, clock).limits];
  await sleep(50);
  t.equal(taken(one, 'k', 30), 30);
  await one.sync();
  t.equal(taken(two, 'k', 1), 1, 'before it has heard of the others, a server goes by its own count');
  await two.sync();
  t.equal(taken(two, 'k', 100), 19, 'then by all');
  await two.sync();
  await one.sync();
  t.equal(taken(one, 'k', 100), 0);
});

t.test('while Redis is away or hangs each server counts alone: nobody waits, nobody is refused for it', async (t) => {
  const clock = clockOf();
  const own = await redisForTest(t);
  const { limits, connection } = server(t, 5, clock, own.url);
  await connection.ping();
  process.kill(own.pid, 'SIGSTOP');
  t.equal(taken(limits, 'k', 30), 30);
  const hanging = limits.sync();
  await limits.sync(); // returns at once: one is under way
  t.equal(taken(limits, 'k', 100), 20, 'its own count holds');
  process.kill(own.pid, 'SIGCONT');
  await hanging;
  await limits.sync();
  clock.ms += 10_000;
  t.equal(
    Number(await connection.get(`graft:rate:k:${Math.floor((clock.ms - 10_000) / 10_000)}`)),
    50,
    'and is told later',
  );
  await own.stop();
  clock.ms += 20_000;
  t.equal(taken(limits, 'k', 100), 50, 'with Redis gone as well');
  await limits.sync();
});
