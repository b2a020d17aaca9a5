import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { JobReporter } from '../../src/jobs/job-reporter.js';
import type { JobProgress } from '../../src/schemas/jobs.js';
import { until } from '../helpers/http.js';
import { jobResult, jobsForTest } from '../helpers/jobs.js';
import { redisForTest } from '../helpers/redis.js';

const redis = await redisForTest(t);

const at = (progress: number): JobProgress => ({
  phase: 'extracting',
  progress,
  examples_done: 0,
  examples_total: 1,
  examples_cached: 0,
  examples_per_second: null,
  seconds_left: null,
  metrics: null,
});
const event = (message: string) => ({ type: 'warning' as const, message, data: {} });

t.test('what was told of a job is told again after Redis was wiped, under the same numbers', async (t) => {
  const { submit, jobs, live, redis: client } = await jobsForTest(t, redis.url);
  const { id } = (await submit()).job;
  const reporter = new JobReporter({ live, id, attempt: 1 });
  reporter.setProgress(at(0.5));
  for (const message of ['a', 'b']) await reporter.addEvent(event(message));
  const before = await jobs.events('default', id);
  t.same(
    before.map(({ seq, message }) => [seq, message]),
    [
      [1, 'The job is queued'],
      [2, 'a'],
      [3, 'b'],
    ],
  );
  await until(async () => (await live.progress(id))?.progress === 0.5, { what: 'progress 0.5' });
  await client.flushall();
  await reporter.addEvent(event('c'));
  t.match(
    await jobs.events('default', id),
    [...before, { seq: 4, message: 'c' }],
    'at once, before something new is told',
  );
  await until(async () => (await live.progress(id))?.progress === 0.5, { what: 'progress 0.5' });
  await client.flushall();
  await until(async () => (await jobs.events('default', id)).length === 4, { what: 'four events' });
  t.pass('and also when nothing new is told');
  await reporter.end();
});

t.test('events that others told after the loss keep their numbers, and those lost stand before them', async (t) => {
  const { submit, jobs, live, redis: client } = await jobsForTest(t, redis.url);
  const { id } = (await submit()).job;
  const reporter = new JobReporter({ live, id, attempt: 1 });
  await reporter.addEvent(event('a'));
  await sleep(20);
  await client.flushall();
  await live.addEvent(id, event('of another process'));
  const [seen] = await jobs.events('default', id);
  await reporter.addEvent(event('b'));
  const events = await jobs.events('default', id);
  t.same(
    events.map(({ message }) => message),
    ['The job is queued', 'a', 'of another process', 'b'],
  );
  t.equal(events[2]!.seq, seen!.seq);
  t.same(
    events.map(({ seq }) => seq),
    events.map((_, index) => events[0]!.seq + index),
    'without a gap',
  );
  await reporter.end();
});

t.test('numbers do not fall where Redis is wiped between the look at what was lost and the new event', async (t) => {
  const { submit, jobs, live, redis: client } = await jobsForTest(t, redis.url);
  const { id } = (await submit()).job;
  const reporter = new JobReporter({ live, id, attempt: 1 });
  await reporter.addEvent(event('a'));
  const addEvent = live.addEvent.bind(live);
  live.addEvent = async (...told) => {
    live.addEvent = addEvent;
    await sleep(20);
    await client.flushall();
    return addEvent(...told);
  };
  await reporter.addEvent(event('b'));
  const [seen] = await jobs.events('default', id);
  t.equal(seen!.message, 'b');
  t.ok(seen!.seq > 3, 'after the loss numbers go on above those that a reader may have seen');
  await client.flushall();
  await until(async () => (await jobs.events('default', id)).length === 3, { what: 'three events' });
  const events = await jobs.events('default', id);
  t.same(
    events.map(({ seq, message }) => [seq, message]),
    [
      [seen!.seq - 2, 'The job is queued'],
      [seen!.seq - 1, 'a'],
      [seen!.seq, 'b'],
    ],
  );
  await reporter.end();
});

t.test('progress does not fall behind that of an earlier attempt', async (t) => {
  const { submit, live } = await jobsForTest(t, redis.url);
  const { id } = (await submit()).job;
  await live.setProgress(id, { ...at(0.7), attempt: 1 });
  const reporter = new JobReporter({ live, id, attempt: 2 });
  reporter.setProgress(at(0.1));
  await until(async () => (await live.progress(id))?.attempt === 2, { what: 'the second attempt' });
  t.equal((await live.progress(id))!.progress, 0.7);
  reporter.setProgress(at(0.8));
  await reporter.end();
  t.equal((await live.progress(id))!.progress, 0.8);
  reporter.setProgress(at(0.9));
  await sleep(300);
  t.equal((await live.progress(id))!.progress, 0.8, 'nothing is told after the end');
});

t.test('a progress that was seen does not fall when Redis forgets it, nor after the job has ended', async (t) => {
  const { submit, jobs, live, store, redis: client } = await jobsForTest(t, redis.url);
  const { id } = (await submit()).job;
  const job = { id, tenant: 'default' };
  await store.markStarted(job);
  await live.setProgress(id, { ...at(0.6), attempt: 1 });
  t.equal((await jobs.get('default', id)).progress, 0.6);
  await client.flushall();
  t.match(await jobs.get('default', id), { progress: 0.6, attempt: 1 });
  await live.setProgress(id, { ...at(0.2), attempt: 2 });
  t.match(await jobs.get('default', id), { progress: 0.6, attempt: 2 });
  await store.finish(job, jobResult('failed', { attempt: 2, progress: 0.7 }));
  t.match(await jobs.get('default', id), { status: 'failed', progress: 0.7 });
});
