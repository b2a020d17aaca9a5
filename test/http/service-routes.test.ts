/** Health and metrics: what machines ask. */
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { AppError } from '../../src/errors.js';
import { appForTest } from '../helpers/app.js';
import { isProblem } from '../helpers/http.js';
import { LIGHT } from '../helpers/light-content.js';

t.test('health is told without a key', async (t) => {
  const { json, queue } = await appForTest(t, { keys: { alice: 'key' } });
  t.same(await json('/livez'), { alive: true });
  t.same(await json('/readyz'), { ready: true, checks: { backbone: 'ok', redis: 'ok', disk: 'ok' } });
  queue.away = true;
  t.match(await json('/readyz'), { ready: true, checks: { redis: /no new jobs/ } }, 'predictions go on without Redis');
  queue.away = false;
  queue.policy = 'allkeys-lru';
  const lossy = await json('/readyz', { status: 503 });
  t.match(lossy, { ready: false, checks: { redis: /allkeys-lru; it must be noeviction/ } });
});

t.test('a server whose default backbone does not load is not ready, and does not say more than that', async (t) => {
  const open = () => Promise.reject(new AppError('backbone_invalid', 'a path of this machine'));
  const { json, send } = await appForTest(t, { modality: { ...LIGHT, open } });
  t.match(await json('/readyz', { status: 503 }), { ready: false, checks: { backbone: /the log says why/ } });
  t.notMatch((await send('/readyz')).text, 'path');
});

t.test('/metrics needs a key, and is text that Prometheus reads', async (t) => {
  const { send } = await appForTest(t, { keys: { alice: 'key' } });
  isProblem(t, await send('/metrics'), 401, 'unauthorized');
  const read = async () => {
    const { text, headers } = await send('/metrics', { as: 'alice' });
    t.match(headers['content-type'], /^text\/plain/);
    const values = new Map<string, number>();
    const typed = new Set<string>();
    for (const line of text.split('\n')) {
      if (line === '' || line.startsWith('# HELP ')) continue;
      const type = /^# TYPE ([a-zA-Z_:][\w:]*) (counter|gauge|histogram|summary|untyped)$/.exec(line);
      if (type) {
        typed.add(type[1]!);
        continue;
      }
      const sample = /^([a-zA-Z_:][\w:]*)(\{(?:[a-zA-Z_]\w*="(?:[^"\\]|\\.)*",?)*\})? (\S+)$/.exec(line);
      if (!sample) throw new Error(`no sample: ${line}`);
      const value = sample[3] === '+Inf' ? Number.POSITIVE_INFINITY : Number(sample[3]);
      if (Number.isNaN(value) && !/^nan$/i.test(sample[3]!)) throw new Error(`no number: ${line}`);
      if (!typed.has(sample[1]!) && !typed.has(sample[1]!.replace(/_(bucket|sum|count)$/, ''))) {
        throw new Error(`no type: ${line}`);
      }
      values.set(`${sample[1]}${sample[2] ?? ''}`, value);
    }
    return values;
  };
  await read();
  for (let n = 0; n < 5; n += 1) await send('/v1/models/none', { as: 'alice' });
  const values = await read();
  const counted = 'graft_http_request_seconds_count{method="GET",route="/v1/models/:model",status="404"}';
  t.equal(values.get(counted), 5, 'requests are counted by route, not by URL');
});

t.test('QUERY, which no route takes, is answered like any other method', async (t) => {
  const { send } = await appForTest(t);
  const query = 'QUERY' as 'GET';
  const answer = await send('/livez', { method: query });
  isProblem(t, answer, 405, 'method_not_allowed');
  t.equal(answer.headers.allow, 'GET, HEAD');
  isProblem(t, await send('/nowhere', { method: query }), 404, 'not_found');
});

t.test(
  'the client for JavaScript is served as one file that runs, with its types, and is asked for again cheaply',
  async (t) => {
    const { app, send } = await appForTest(t, { keys: { alice: 'key' } });
    const client = await send('/client.mjs');
    t.equal(client.status, 200, client.text.slice(0, 200));
    t.match(client.headers['content-type'], 'text/javascript');
    t.ok(gzipSync(client.body).length <= 12 * 1024, `${gzipSync(client.body).length} bytes compressed`);
    t.match((await send('/client.d.mts')).text, /declare class Graft /);
    const again = await send('/client.mjs', { headers: { 'if-none-match': client.headers.etag! } });
    t.same([again.status, again.body.length], [304, 0]);
    // As a page or a script would use it, without installing anything.
    const url = await app.listen({ host: '127.0.0.1', port: 0 });
    const { Graft } = (await import(
      `data:text/javascript;base64,${client.body.toString('base64')}`
    )) as typeof import('../../src/client/index.js');
    t.same(await new Graft({ url, key: 'key' }).models.list().all(), []);
    t.match(
      await new Graft({ url, key: 'wrong' }).models
        .list()
        .all()
        .catch((error: unknown) => error),
      { code: 'unauthorized' },
    );
  },
);
