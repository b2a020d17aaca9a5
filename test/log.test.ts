import { Writable } from 'node:stream';
import { pino } from 'pino';
import t from 'tap';
import { logOptions } from '../src/log.js';

function lines(level = 'info') {
  const written: Record<string, unknown>[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      written.push(JSON.parse(chunk.toString()));
      done();
    },
  });
  return { log: pino(logOptions('test', level), stream), written };
}

t.test('a line is JSON with a time as RFC 3339, the name and the process', (t) => {
  const { log, written } = lines();
  log.info({ job: 'job_1' }, 'job started');
  t.match(written, [{ name: 'test', pid: process.pid, job: 'job_1', msg: 'job started' }]);
  t.match(written[0]!.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  t.end();
});

t.test('keys and passwords do not reach the log', (t) => {
  const { log, written } = lines();
  log.info({ req: { headers: { authorization: 'Bearer hunter2', accept: '*/*' } } });
  log.info({ headers: { authorization: 'Bearer hunter2' } });
  log.info({ redis: { password: 'hunter2' } });
  log.info({ REDIS_URL: 'redis://:hunter2@host' });
  t.equal(written.length, 4);
  t.notMatch(JSON.stringify(written), /hunter2/);
  t.match(written[0], { req: { headers: { accept: '*/*', authorization: '…' } } });
  t.end();
});

t.test('what is below the level is not written', (t) => {
  const { log, written } = lines('warn');
  log.info('hello');
  log.warn('mind');
  t.match(written, [{ msg: 'mind' }]);
  t.equal(written.length, 1);
  t.end();
});
