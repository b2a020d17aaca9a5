import { STATUS_CODES } from 'node:http';
import t from 'tap';
import { AppError, ERRORS, type ErrorCode, isErrno } from '../src/errors.js';

const rows = Object.entries(ERRORS) as [ErrorCode, (typeof ERRORS)[ErrorCode]][];

t.test('every code is snake_case and has a status of HTTP for an error, and a title', (t) => {
  for (const [code, { status, title }] of rows) {
    t.match(code, /^[a-z]+(_[a-z]+)*$/);
    t.ok(status >= 400 && status < 600 && (status in STATUS_CODES || status === 499), `${code}: ${status}`);
    t.match(title, /^[A-Z].*[^.]$/, code);
  }
  t.end();
});

t.test('titles tell the codes apart', (t) => {
  t.equal(new Set(rows.map(([, { title }]) => title)).size, rows.length);
  t.end();
});

t.test('what says "try again" may be tried again', (t) => {
  for (const code of ['overloaded', 'queue_unavailable', 'shutting_down', 'request_timeout', 'job_crashed'] as const) {
    t.equal(ERRORS[code].retryable, true, code);
  }
  for (const code of [
    'invalid_request',
    'unauthorized',
    'content_invalid',
    'too_few_classes',
    'job_timeout',
  ] as const) {
    t.equal(ERRORS[code].retryable, false, code);
  }
  t.end();
});

t.test('an AppError carries its row, its details and its cause', (t) => {
  const cause = new Error('disk');
  const error = new AppError('storage_full', 'The disk is full.', { details: { free: 0 }, cause });
  t.match(error, { name: 'AppError', code: 'storage_full', status: 507, retryable: true, details: { free: 0 }, cause });
  t.notOk('cause' in new AppError('internal', 'Something.'));
  t.end();
});

t.test('system errors are told by their code', (t) => {
  const error = Object.assign(new Error('gone'), { code: 'ENOENT' });
  t.equal(isErrno(error, 'EEXIST', 'ENOENT'), true);
  t.equal(isErrno(error, 'EEXIST'), false);
  t.equal(isErrno({ code: 'ENOENT' }, 'ENOENT'), false);
  t.end();
});
