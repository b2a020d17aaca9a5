import t from 'tap';
import { LOCAL } from '../../src/access/key-ring.js';
import { AppError } from '../../src/errors.js';
import type { OperationsDependencies } from '../../src/operations/dependencies.js';
import { jobOperations } from '../../src/operations/jobs.js';
import type { JobEvent } from '../../src/schemas/jobs.js';

const caller = { ...LOCAL, tenant: 'alice', requestId: 'r' };
const event = { seq: 1, type: 'created' } as JobEvent;

/** Jobs of which only `there` is there; each tells one event, then waits until nobody listens any more. */
const jobs = {
  async get(_tenant: string, id: string) {
    if (id !== 'there') throw new AppError('job_not_found', 'None.');
    return { model: 'm', by: 'local' };
  },
  async *follow(_tenant: string, _id: string, _after: number, signal: AbortSignal) {
    yield event;
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve));
  },
} as unknown as OperationsDependencies['jobs'];

function operations(most: number) {
  return jobOperations({ jobs, limits: { MAX_EVENT_STREAMS: most } as OperationsDependencies['limits'] });
}

t.test('a place is given back by whoever leaves, reads to the end or stops reading', async (t) => {
  const { follow } = operations(1);
  const ask = (signal: AbortSignal, tenant = 'alice') =>
    follow({ caller: { ...caller, tenant }, id: 'there', after: 0, signal });
  const leaving = new AbortController();
  await ask(leaving.signal); // and never reads it
  await t.rejects(ask(leaving.signal), { code: 'overloaded', message: /1 streams .*MAX_EVENT_STREAMS/ });
  await ask(new AbortController().signal, 'bob');
  leaving.abort();

  const ending = new AbortController();
  const seen: unknown[] = [];
  for await (const told of await ask(ending.signal)) {
    seen.push(told);
    ending.abort();
  }
  t.same(seen, [event]);

  for await (const _ of await ask(new AbortController().signal)) break;
  await ask(new AbortController().signal);
});

t.test('a job that is not there takes no place', async (t) => {
  const { follow } = operations(1);
  const { signal } = new AbortController();
  for (let n = 0; n < 3; n += 1) {
    await t.rejects(follow({ caller, id: 'none', after: 0, signal }), { code: 'job_not_found' });
  }
  await follow({ caller, id: 'there', after: 0, signal });
});
