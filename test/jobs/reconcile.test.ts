/** The promise of a 202 rests on the reconciler: an outage of it is told, once, and can be read from a metric. */
import { pino } from 'pino';
import t, { type Test } from 'tap';
import { JobQueue } from '../../src/jobs/job-queue.js';
import { createLog } from '../../src/log.js';
import { connectRedis } from '../../src/redis/connect.js';
import type { Storage } from '../../src/storage/contract.js';
import { ended, jobRecord, jobsForTest, stubEntry } from '../helpers/jobs.js';
import { redisForTest } from '../helpers/redis.js';

const redis = await redisForTest(t);
const DONE = `end({ type: 'done', output: { version: 7, accuracy: 0.75 } });`;

/** A log, and what was written to it from `info` on. */
function listening() {
  const lines: { level: string; msg: string; err?: { message: string } }[] = [];
  const options = { level: 'info', formatters: { level: (level: string) => ({ level }) } };
  const log = pino(options, { write: (line) => void lines.push(JSON.parse(line)) });
  const told = () => lines.splice(0).filter(({ msg }) => msg.includes('fell out of the queue'));
  return { log, told };
}

/** A worker that listens to nothing but `reconcile()`. */
async function reconciling(t: Test) {
  const world = await jobsForTest(t, redis.url);
  const { log, told } = listening();
  const worker = await world.work(await stubEntry(t, DONE), { log });
  t.same(told(), [], 'nothing is said while all is well');
  return { ...world, worker, told };
}

t.test('storage that fails is one warning, not one a round; once it works again that is said, too', async (t) => {
  const { worker, told, store, storage, queue } = await reconciling(t);
  const before = (await queue.reconciledAt())!;
  t.ok(Math.abs(Date.now() - before) < 20_000);
  const broken: Storage['list'] = async () => {
    throw new Error('the disk is gone');
  };
  const list = storage.list.bind(storage);
  storage.list = broken;
  for (let round = 0; round < 3; round += 1) await worker.reconcile();
  t.match(told(), [{ level: 'warn', err: { message: /the disk is gone/ } }]);
  t.equal(await queue.reconciledAt(), before, 'the time of the last success stays');
  storage.list = list;
  for (let round = 0; round < 3; round += 1) await worker.reconcile();
  t.match(told(), [{ level: 'info', msg: 'jobs that fell out of the queue are put back again' }]);
  t.ok((await queue.reconciledAt())! >= before);
  storage.list = broken;
  await worker.reconcile();
  t.match(told(), [{ level: 'warn' }], 'the next outage is told anew');
  storage.list = list;
  t.same(await store.pending(), []);
});

t.test('a queue that does not answer is one warning', async (t) => {
  const { told, store, queue, work } = await reconciling(t);
  const { log, told: alsoTold } = listening();
  // Nobody listens at this port.
  const away = connectRedis('redis://127.0.0.1:1', createLog('test', 'silent'));
  const unreachable = new JobQueue({ redis: away, attempts: 2 });
  t.teardown(async () => {
    away.disconnect();
    await unreachable.close();
  });
  unreachable.ids = () => queue.ids();
  const worker = await work(await stubEntry(t, DONE), { log, queue: unreachable });
  await worker.reconcile();
  t.match(alsoTold(), [{ level: 'warn', err: { message: /queue \(Redis\)/ } }]);
  t.same(told(), []);
  t.same(await store.pending(), []);
});

t.test('a record that cannot be read is told and holds up no other job', async (t) => {
  const { worker, told, store, storage, submit, redis: client, until } = await reconciling(t);
  const bad = jobRecord({ id: `job_${'0'.repeat(26)}` }); // the oldest of all: looked at first
  await storage.put(`pending/${bad.id}.default`, '');
  await storage.put(`tenants/default/jobs/${bad.id}/job.json`, '{"half');
  const { job } = await submit();
  await client.flushall();
  await worker.reconcile();
  t.match(told(), [{ level: 'warn', err: { message: new RegExp(bad.id) } }]);
  t.match(await until(job.id, ended), { status: 'succeeded' });
  await storage.delete(`tenants/default/jobs/${bad.id}/job.json`);
  await store.create(bad);
  await worker.reconcile();
  t.match(told(), [{ level: 'info' }]);
  t.match(await until(bad.id, ended), { status: 'succeeded' });
});
