import t, { type Test } from 'tap';
import type { Dataset } from '../../../src/schemas/datasets.js';
import type { Job, JobEvent } from '../../../src/schemas/jobs.js';
import { appForTest } from '../../helpers/app.js';
import { zip } from '../../helpers/archives.js';
import { isProblem, until } from '../../helpers/http.js';
import { lightFiles } from '../../helpers/light-content.js';

const STREAM = { accept: 'text/event-stream' };
const ZEROS = '0'.repeat(26);

async function withJob(t: Test, env: Record<string, string> = {}) {
  const app = await appForTest(t, { env });
  const body = zip(lightFiles(['a', 'b'], 5));
  const { id: dataset } = await app.json<Dataset>('/v1/datasets', { method: 'POST', body, status: 201 });
  const { id } = JSON.parse((await app.post('/v1/jobs', { dataset, model: 'm' })).text) as Job;
  return { ...app, id, path: `/v1/jobs/${id}/events` };
}

function eventsOf(text: string): { id: string; event: string; data: JobEvent }[] {
  return text
    .split('\n\n')
    .filter((block) => block.startsWith('id:'))
    .map((block) => {
      const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)![1]!;
      return { id: field('id'), event: field('event'), data: JSON.parse(field('data')) as JobEvent };
    });
}

/** So many turns of the event loop. */
async function turns(count: number): Promise<undefined> {
  for (let n = 0; n < count; n += 1) await new Promise((resolve) => setImmediate(resolve));
  return undefined;
}

t.test('a stream brings events as they come and ends with the job; a list holds the same', async (t) => {
  const { send, json, live, id, path, end } = await withJob(t);
  const following = send(path, { headers: STREAM });
  await live.addEvent(id, { type: 'started', message: 'It runs', data: {} });
  await live.addEvent(id, { type: 'warning', message: 'Careful', data: {} });
  await end({ id });
  const stream = await following;
  t.match(stream.headers, {
    'content-type': 'text/event-stream',
    'x-accel-buffering': 'no',
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store',
  });
  t.match(stream.text, /^retry: 1000\n\n/);
  const events = eventsOf(stream.text);
  t.same(
    events.map(({ id, event }) => [id, event]),
    [
      ['1', 'created'],
      ['2', 'started'],
      ['3', 'warning'],
      ['4', 'succeeded'],
    ],
  );
  const list = await json<{ data: JobEvent[]; has_more: boolean }>(path);
  t.same(list, { data: events.map(({ data }) => data), has_more: false });
  const resumed = await send(path, { headers: { ...STREAM, 'last-event-id': '2' } });
  t.same(eventsOf(resumed.text), events.slice(2), 'Last-Event-ID resumes');
  t.same(eventsOf((await send(`${path}?after=2`, { headers: STREAM })).text), events.slice(2), 'and so does the query');
  t.same((await json<{ data: JobEvent[] }>(`${path}?after=2`)).data, list.data.slice(2));
  const nonsense = await send(path, { headers: { ...STREAM, 'last-event-id': 'x' } });
  t.same(eventsOf(nonsense.text), events, 'what is no number is nothing');
});

t.test('events of what is not there, and wrong queries, are refused', async (t) => {
  const { send, path } = await withJob(t);
  isProblem(t, await send(`/v1/jobs/job_${ZEROS}/events`), 404, 'job_not_found');
  isProblem(t, await send(`/v1/jobs/job_${ZEROS}/events`, { headers: STREAM }), 404, 'job_not_found', 'as a stream');
  for (const query of ['after=-1', 'after=x', 'limit=1']) {
    isProblem(t, await send(`${path}?${query}`), 400, 'invalid_request', query);
  }
});

t.test('streams are counted per tenant, and given back when they end', async (t) => {
  const { send, id, path, end } = await withJob(t, { MAX_EVENT_STREAMS: '2' });
  const open = [send(path, { headers: STREAM }), send(path, { headers: STREAM })];
  const refused = await until(
    async () => {
      const answer = await Promise.race([send(path, { headers: STREAM }), turns(50)]);
      return answer?.status === 429 ? answer : undefined;
    },
    { what: 'the refusal of a third stream' },
  );
  t.match(isProblem(t, refused, 429, 'overloaded').detail, /MAX_EVENT_STREAMS/);
  t.equal(refused.headers['retry-after'], '1');
  await end({ id });
  for (const stream of await Promise.all(open)) t.equal(eventsOf(stream.text).at(-1)!.event, 'succeeded');
  t.equal((await send(path, { headers: STREAM })).status, 200);
});

t.test('a stream ends when the service does', async (t) => {
  const { send, app, path } = await withJob(t);
  const following = send(path, { headers: STREAM });
  await turns(50);
  await app.close();
  t.same(
    eventsOf((await following).text).map(({ event }) => event),
    ['created'],
  );
});
