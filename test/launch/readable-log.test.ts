import t from 'tap';
import { parseLog, readableLog } from '../../src/launch/readable-log.js';
import { createPaint } from '../../src/terminal/paint.js';

const paint = createPaint({ isTTY: false, env: {} });
const readable = (fields: Record<string, unknown>) =>
  readableLog(parseLog(JSON.stringify({ level: 30, time: '2026-01-02T03:04:05.678Z', ...fields }))!, 'worker', paint);

t.test('a line of JSON becomes a line for people', (t) => {
  t.equal(
    readable({ pid: 7, name: 'worker', job: 'job_1', attempt: 1, msg: 'job started' }),
    '03:04:05 info  worker job started  job=job_1 attempt=1',
  );
  t.equal(
    readable({ level: 50, err: { message: 'no space left', stack: '…' }, msg: 'cannot publish', nested: { a: 1 } }),
    '03:04:05 error worker cannot publish: no space left',
  );
  t.end();
});

t.test('what is no line of a log is left as it is', (t) => {
  for (const line of ['PORT="x": expected a number', '{"broken', '{"no":"level"}', ''])
    t.equal(parseLog(line), undefined);
  t.end();
});
