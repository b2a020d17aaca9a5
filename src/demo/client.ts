import { createWriteStream } from 'node:fs';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { Readable, Transform } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { AppError, ERRORS, type ErrorCode } from '../errors.js';

export interface ClientOptions {
  /** Address of the service. */
  url: string;
  /** API key, where the service wants one. */
  key?: string;
  signal: AbortSignal;
}

/** The few calls of the HTTP API that the demo makes. Errors of the service come back as the `AppError` they were. */
export interface Client {
  url: string;
  get<T>(path: string): Promise<T>;
  post<T>(path: string, body: Record<string, unknown> | FormData): Promise<T>;
  /** Stream an archive up, as fast as the service takes it. */
  upload<T>(path: string, archive: Readable, options: { name: string; onBytes: (sent: number) => void }): Promise<T>;
  /** @returns how many bytes were written. */
  download(path: string, file: string): Promise<number>;
  /** Cancel a job, also after the signal; a service that does not answer is left alone. */
  cancel(job: string): Promise<void>;
}

export function createClient({ url, key, signal }: ClientOptions): Client {
  const base = url.replace(/\/+$/, '');
  const headers: Record<string, string> = key ? { authorization: `Bearer ${key}` } : {};

  const call = async (path: string, init: RequestInit = {}): Promise<Response> => {
    const response = await fetch(base + path, {
      ...init,
      headers: { ...headers, ...(init.headers as Record<string, string>) },
      signal,
    }).catch((error: unknown) => {
      throw signal.aborted ? error : unreachable(base, error);
    });
    if (!response.ok) throw problem(response.status, await response.text());
    return response;
  };

  return {
    url: base,
    async get<T>(path: string) {
      return (await call(path)).json() as Promise<T>;
    },
    async post<T>(path: string, body: Record<string, unknown> | FormData) {
      const init =
        body instanceof FormData
          ? { body }
          : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } };
      return (await call(path, { method: 'POST', ...init })).json() as Promise<T>;
    },
    async upload<T>(
      path: string,
      archive: Readable,
      { name, onBytes }: { name: string; onBytes: (n: number) => void },
    ) {
      const response = await send(base + path, archive, {
        headers: uploadHeaders(headers, name),
        onBytes,
        signal,
      }).catch((error: unknown) => {
        throw signal.aborted || error instanceof AppError ? error : unreachable(base, error);
      });
      const answer = await text(response);
      archive.destroy(); // of an upload that was refused early the rest is not read
      if (response.statusCode! >= 300) throw problem(response.statusCode!, answer);
      return JSON.parse(answer) as T;
    },
    async download(path, file) {
      const response = await call(path);
      const out = createWriteStream(file);
      await pipeline(Readable.fromWeb(response.body as never), out);
      return out.bytesWritten;
    },
    async cancel(job) {
      const init = { method: 'POST', headers, signal: AbortSignal.timeout(2000) };
      await fetch(`${base}/v1/jobs/${job}/cancel`, init).catch(() => undefined);
    },
  };
}

interface SendOptions {
  headers: Record<string, string>;
  onBytes: (sent: number) => void;
  signal: AbortSignal;
}

/** With node:http, because `fetch` reads a stream ahead into memory, however slowly the service takes it. */
async function send(url: string, body: Readable, { headers, onBytes, signal }: SendOptions): Promise<IncomingMessage> {
  const request = (url.startsWith('https:') ? httpsRequest : httpRequest)(url, { method: 'POST', headers, signal });
  const answered = new Promise<IncomingMessage>((resolve, reject) => {
    request.once('response', resolve);
    request.once('error', reject);
  });
  let sent = 0;
  const count = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      sent += chunk.length;
      onBytes(sent);
      done(null, chunk);
    },
  });
  const sending = pipeline(body, count, request);
  // A service that refuses an upload answers before it has read all: then the answer counts, and not the broken pipe.
  const failed = new Promise<never>((_, reject) => {
    sending.catch((error: unknown) => setTimeout(() => reject(error), 500));
  });
  return Promise.race([answered, failed]);
}

function uploadHeaders(headers: Record<string, string>, name: string): Record<string, string> {
  const safe = name.replace(/[^\w .-]/g, '_');
  return {
    ...headers,
    'content-type': 'application/octet-stream',
    'content-disposition': `attachment; filename="${safe}"`,
  };
}

function problem(status: number, body: string): AppError {
  try {
    const { code, detail } = JSON.parse(body) as { code: ErrorCode; detail: string };
    if (code in ERRORS) return new AppError(code, detail);
  } catch {
    // not a problem of ours: a proxy in between, or another service
  }
  return new AppError('internal', `The service answered ${status}: ${body.slice(0, 200)}`);
}

function unreachable(url: string, cause: unknown): AppError {
  return new AppError(
    'not_found',
    `No Graft answers at ${url}. Is it running there? Without --url the demo starts its own.`,
    {
      cause,
    },
  );
}
