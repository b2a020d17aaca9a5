import { join } from 'node:path';
import t, { type Test } from 'tap';
import type { JobMessage } from '../../src/jobs/job-messages.js';
import { type JobProcessesOptions, type JobProcessOptions, JobProcesses } from '../../src/jobs/run-job-process.js';
import { until } from '../helpers/http.js';
import { jobRecord, stubEntry } from '../helpers/jobs.js';

async function run(
  t: Test,
  body: string,
  options: { timeoutMs?: number; memoryMb?: number; env?: NodeJS.ProcessEnv; signal?: AbortSignal } = {},
) {
  const messages: JobMessage[] = [];
  const { signal, ...rest } = options;
  const outcome = await once(
    { ...SETTINGS, entry: await stubEntry(t, body), env: { ...process.env, NODE_OPTIONS: '' }, ...rest },
    { ...(signal && { signal }), onMessage: (message) => messages.push(message) },
  );
  return { outcome, messages };
}

const SETTINGS = { memoryMb: 100, timeoutMs: 20_000, warmMs: 0 };

/** A job in a process that nothing follows in. */
function once(settings: JobProcessesOptions, job: Partial<JobProcessOptions>) {
  const signal = new AbortController().signal;
  return new JobProcesses(settings).run({ record: jobRecord(), signal, onMessage: () => undefined, ...job });
}

t.test('a job that ends well is done, with its version', async (t) => {
  const { outcome } = await run(t, `end({ type: 'done', output: { version: 3, accuracy: 0.5 } });`);
  t.same(outcome, { kind: 'done', output: { version: 3, accuracy: 0.5 } });
});

t.test('a job that fails says why', async (t) => {
  const { outcome } = await run(t, `end({ type: 'failed', code: 'no_examples', message: 'None.' });`);
  t.same(outcome, { kind: 'failed', code: 'no_examples', message: 'None.' });
});

t.test('the process has the record; what it tells arrives in order, all of it, before the end', async (t) => {
  const { outcome, messages } = await run(
    t,
    `for (let i = 1; i <= 50; i += 1) event(record.input.model + ' ' + i);
    progress(0.5);
    end({ type: 'done', output: { version: 1, accuracy: null } });`,
  );
  t.equal(outcome.kind, 'done');
  t.equal(messages.length, 51);
  t.same(
    messages.slice(0, 50).map((message) => message.type === 'event' && message.event.message),
    Array.from({ length: 50 }, (_, i) => `cats ${i + 1}`),
  );
  t.match(messages[50], { type: 'progress', progress: { progress: 0.5 } });
});

t.test('a process that exits without a word has crashed, with its exit code', async (t) => {
  t.same((await run(t, 'process.exit(3);')).outcome, {
    kind: 'crashed',
    reason: 'it exited with code 3',
    signal: null,
  });
  t.same((await run(t, 'process.exit(0);')).outcome, {
    kind: 'crashed',
    reason: 'it exited with code 0',
    signal: null,
  });
});

t.test('a process that is killed has crashed, and the signal is named', async (t) => {
  const { outcome } = await run(t, `process.kill(process.pid, 'SIGKILL'); hang();`);
  t.match(outcome, { kind: 'crashed', reason: /SIGKILL/, signal: 'SIGKILL' });
  t.match((await run(t, `process.kill(process.pid, 'SIGSEGV'); hang();`)).outcome, { reason: /SIGSEGV/ });
});

t.test('a process that runs out of memory has crashed, and the setting is named', async (t) => {
  const { outcome } = await run(t, 'const all = []; for (;;) all.push(new Array(1000).fill(Math.random()));', {
    memoryMb: 20,
  });
  t.match(outcome, { kind: 'crashed', reason: /out of memory \(JOB_MEMORY_MB\)/ });
});

t.test('a process that hangs is ended after the longest time', async (t) => {
  const { outcome } = await run(t, 'hang();', { timeoutMs: 200 });
  t.same(outcome, { kind: 'timeout' });
});

t.test(
  'a job that is stopped is gone within 1.5 s, even if it ignores SIGTERM or never gives its loop back',
  async (t) => {
    for (const body of ['hang();', `process.on('SIGTERM', () => {}); event('up'); hang();`, `event('up'); for (;;);`]) {
      const stopping = new AbortController();
      const entry = await stubEntry(t, body);
      let began = 0;
      const timer = body === 'hang();' ? setTimeout(() => stop(), 100) : undefined;
      const stop = () => {
        began = performance.now();
        stopping.abort();
      };
      const outcome = await once({ ...SETTINGS, entry }, { signal: stopping.signal, onMessage: stop });
      clearTimeout(timer);
      t.same(outcome, { kind: 'stopped' });
      t.ok(performance.now() - began < 1500, body);
    }
  },
);

t.test('a job that is stopped before it starts does not run', async (t) => {
  const { outcome, messages } = await run(
    t,
    `event('ran'); end({ type: 'done', output: { version: 1, accuracy: null } });`,
    {
      signal: AbortSignal.abort(),
    },
  );
  t.same(outcome, { kind: 'stopped' });
  t.same(messages, []);
});

t.test('a job that was done when it was asked to stop is done', async (t) => {
  const stopping = new AbortController();
  const body = `tell({ type: 'done', output: { version: 1, accuracy: null } }); event('last'); hang();`;
  const settings = { ...SETTINGS, entry: await stubEntry(t, body) };
  const outcome = await once(settings, { signal: stopping.signal, onMessage: () => stopping.abort() });
  t.same(outcome, { kind: 'done', output: { version: 1, accuracy: null } });
});

t.test('an entry that is not there is a crash', async (t) => {
  const outcome = await once({ ...SETTINGS, entry: join(t.testdir(), 'missing.mjs') }, {});
  t.same(outcome, { kind: 'crashed', reason: 'it exited with code 1', signal: null });
});

t.test('the process has the environment it is given, and no other', async (t) => {
  const body = `event(String(process.env.REDIS_URL) + ' ' + process.env.GRAFT_OF_TEST);
    end({ type: 'done', output: { version: 1, accuracy: null } });`;
  const { messages } = await run(t, body, { env: { REDIS_URL: '', GRAFT_OF_TEST: 'given' } });
  t.match(messages, [{ type: 'event', event: { message: ' given' } }]);
});

t.test('what follows in a process that waits', async (t) => {
  const NAMES = `event(String(process.pid)); tell({ type: 'done', output: { version: 1, accuracy: null } });`;
  const entry = await stubEntry(
    t,
    `${NAMES} tell({ type: 'ready' }); process.on('message', () => { ${NAMES} tell({ type: 'ready' }); });`,
  );
  const scene = (t: Test, warmMs = 20_000, body = entry) => {
    const processes = new JobProcesses({ ...SETTINGS, entry: body, warmMs });
    t.teardown(() => processes.close());
    /** @returns the number of the process that ran the job */
    return async (change: Parameters<typeof jobRecord>[0] = {}, signal = new AbortController().signal) => {
      const pids: number[] = [];
      const onMessage = (message: JobMessage) => {
        if (message.type === 'event') pids.push(Number(message.event.message));
      };
      const outcome = await processes.run({ record: jobRecord(change), signal, onMessage });
      return { outcome, pid: pids[0]! };
    };
  };
  const isAlive = (pid: number) => {
    try {
      return process.kill(pid, 0);
    } catch {
      return false;
    }
  };

  await t.test('the next job of the tenant, and of no other', async (t) => {
    const run = scene(t);
    const first = await run({ tenant: 'alice' });
    t.equal((await run({ tenant: 'alice' })).pid, first.pid);
    const other = await run({ tenant: 'bob' });
    t.not(other.pid, first.pid);
    await until(() => !isAlive(first.pid), { what: 'the end of the process of alice' });
  });

  await t.test('two jobs at once have two processes', async (t) => {
    const run = scene(t);
    await run();
    const [a, b] = await Promise.all([run(), run()]);
    t.not(a.pid, b.pid);
  });

  await t.test('it ends when nothing comes, and when nothing may follow', async (t) => {
    const idle = await scene(t, 50)();
    await until(() => !isAlive(idle.pid), { what: 'its end' });
    const never = await scene(t, 0)();
    t.match(never.outcome, { kind: 'done' });
    await until(() => !isAlive(never.pid), { what: 'its end' });
  });

  await t.test('one that died while it waited costs the next job nothing', async (t) => {
    const run = scene(t);
    const first = await run();
    process.kill(first.pid, 'SIGKILL');
    const second = await run();
    t.match(second.outcome, { kind: 'done' });
    t.not(second.pid, first.pid);
  });

  await t.test('nothing follows a job that failed, crashed or was stopped', async (t) => {
    const once = `if (countStart() === 1) { event(String(process.pid)); END } else { ${NAMES} }`;
    for (const end of [`end({ type: 'failed', code: 'no_examples', message: 'None.' });`, 'process.exit(3);']) {
      const run = scene(t, 20_000, await stubEntry(t, once.replace('END', end)));
      const first = await run();
      t.not((await run()).pid, first.pid, end);
    }
    const run = scene(t);
    const first = await run();
    t.match(await run({}, AbortSignal.abort()), { outcome: { kind: 'stopped' } });
    t.not((await run()).pid, first.pid);
  });
});
