import { readdir } from 'node:fs/promises';
import { Agent, request as httpRequest } from 'node:http';
import { join } from 'node:path';
import type { Test } from 'tap';

export interface Answer {
  status: number;
  headers: Record<string, string | undefined>;
  body: Buffer;
  text: string;
}

export interface Send {
  method?: string;
  headers?: Record<string, string | number>;
  body?: Buffer | string | undefined;
  /** Send only this many bytes of the body, then break the connection. */
  cutAt?: number;
  timeoutMs?: number;
}

const agent = new Agent({ keepAlive: false });

/** One request by node:http, byte for byte as given. Status 0: the connection ended without an answer. */
export function send(url: string, path: string, options: Send = {}): Promise<Answer> {
  const { method = 'GET', headers = {}, cutAt, timeoutMs = 60_000 } = options;
  const body = options.body === undefined ? undefined : Buffer.from(options.body as Buffer);
  return new Promise((resolve, reject) => {
    const target = new URL(url);
    const request = httpRequest({
      host: target.hostname,
      port: target.port,
      path,
      method,
      agent,
      headers: { ...(body && { 'content-length': body.length }), ...headers },
    });
    const nothing: Answer = { status: 0, headers: {}, body: Buffer.alloc(0), text: '' };
    let answered = false;
    const timer = setTimeout(() => {
      reject(new Error(`${method} ${path}: no answer in ${timeoutMs} ms`));
      request.destroy();
    }, timeoutMs);
    request.on('response', (response) => {
      answered = true;
      const chunks: Buffer[] = [];
      const finish = () => {
        clearTimeout(timer);
        const bytes = Buffer.concat(chunks);
        resolve({
          status: response.statusCode!,
          headers: response.headers as Answer['headers'],
          body: bytes,
          text: bytes.toString('utf8'),
        });
        request.destroy();
      };
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', finish);
      response.on('error', finish);
    });
    request.on('error', () => {
      // A refused upload: the answer may be on its way although writing failed.
      setTimeout(() => {
        if (answered) return;
        clearTimeout(timer);
        resolve(nothing);
      }, 200);
    });
    if (body === undefined) return void request.end();
    if (cutAt === undefined) return void request.end(body);
    request.write(body.subarray(0, cutAt), () => setTimeout(() => request.destroy(), 50));
  });
}

/** A multipart body, written out so that every part of it can be wrong. */
export function form(
  parts: { name: string; value: Buffer | string; filename?: string; type?: string }[],
  boundary = 'graft-test-boundary',
): { body: Buffer; headers: Record<string, string> } {
  const pieces = parts.flatMap(({ name, value, filename, type }) => [
    Buffer.from(
      `--${boundary}\r\ncontent-disposition: form-data; name="${name}"${filename === undefined ? '' : `; filename="${filename}"`}\r\n${
        type ? `content-type: ${type}\r\n` : ''
      }\r\n`,
    ),
    Buffer.from(value as Buffer),
    Buffer.from('\r\n'),
  ]);
  return {
    body: Buffer.concat([...pieces, Buffer.from(`--${boundary}--\r\n`)]),
    headers: { 'content-type': `multipart/form-data; boundary=${boundary}` },
  };
}

/** That an answer is a complete problem+json with this status and, if given, this code. @returns its body */
export function isProblem(
  t: Test,
  answer: Answer,
  status: number | undefined,
  code?: string,
  what = '',
): Record<string, unknown> & { detail: string; code: string; errors?: { path: string; reason: string }[] } {
  const fault = problemFault(answer);
  if (fault) t.fail(`${what}: ${fault}`, { status: answer.status, body: answer.text.slice(0, 500) });
  const problem = fault ? {} : JSON.parse(answer.text);
  const wrong =
    (status !== undefined && answer.status !== status) || (code !== undefined && problem.code !== code)
      ? `: ${answer.status} ${answer.text.slice(0, 400)}`
      : '';
  t.notOk(wrong, `${what}: ${status ?? '4xx'} ${code ?? ''}${wrong}`);
  return problem;
}

/** What is wrong with an error answer; undefined: nothing. */
export function problemFault({ status, headers, text }: Answer): string | undefined {
  if (status < 400 || status > 499) return `status ${status}`;
  if (!headers['content-type']?.startsWith('application/problem+json')) return `type ${headers['content-type']}`;
  try {
    const problem = JSON.parse(text) as Record<string, unknown>;
    for (const name of ['type', 'title', 'code', 'detail', 'request_id']) {
      if (typeof problem[name] !== 'string' || problem[name] === '') return `${name} is missing`;
    }
    if (problem.status !== status) return `status in the body is ${problem.status}`;
    if (problem.request_id !== headers['x-request-id']) return 'request_id is not that of the header';
  } catch {
    return 'the body is not JSON';
  }
  return undefined;
}

/** Files under a folder, by their path in it; empty where it is not there. */
export async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .sort();
}

/** Wait until something holds. `what` is waited for; `state` is asked for the last state once it took too long. */
export async function until<T>(
  check: () => Promise<T | undefined | false | null> | T | undefined | false | null,
  {
    timeoutMs = 20_000,
    everyMs = 20,
    what = 'it',
    state,
  }: { timeoutMs?: number; everyMs?: number; what?: string; state?: () => unknown } = {},
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const found = await check();
    if (found) return found;
    if (Date.now() > deadline) {
      const last = state ? `; at last: ${JSON.stringify(await state())}` : '';
      throw new Error(`${what} did not happen in ${timeoutMs} ms${last}`);
    }
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
}

/** Run over items, some at a time. */
export async function inParallel<T>(items: T[], width: number, work: (item: T) => Promise<void>): Promise<void> {
  const left = [...items].reverse();
  await Promise.all(
    Array.from({ length: width }, async () => {
      for (let item = left.pop(); item !== undefined; item = left.pop()) await work(item);
    }),
  );
}
