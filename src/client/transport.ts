import { errorOf, GraftConnectionError, type GraftError } from './errors.js';

export interface TransportOptions {
  /** Address of the service, with the path below which it lies. */
  url: string;
  key?: string | undefined;
  /** Most tries of one call. */
  tries: number;
  fetch: typeof fetch;
}

/** What every call may be given. */
export interface CallOptions {
  signal?: AbortSignal | undefined;
}

export interface Request extends CallOptions {
  method?: string;
  query?: object | undefined;
  headers?: Record<string, string> | undefined;
  /** Sent as JSON. */
  json?: unknown;
  /** Sent as it is; it can be sent again. */
  body?: Blob | FormData | Uint8Array | undefined;
}

/** Longest wait between two tries, and between an event stream's connections. */
const MAX_WAIT_MS = 8000;
const FIRST_WAIT_MS = 250;
/** Longest wait that a service may ask for. */
const MAX_RETRY_AFTER_MS = 60_000;
/** Trying the same call again may help. */
const AGAIN = new Set([408, 425, 429, 500, 502, 503, 504]);

/** Calls of one service: with its key, again where that may help, and with its errors as `GraftError`. */
export class Transport {
  readonly url: string;
  readonly #options: TransportOptions;

  constructor(options: TransportOptions) {
    this.url = options.url.replace(/\/+$/, '');
    this.#options = options;
  }

  get headers(): Record<string, string> {
    const { key } = this.#options;
    return key ? { authorization: `Bearer ${key}` } : {};
  }

  /** The whole address of a path, with its query. */
  address(path: string, query: object = {}): string {
    const set = Object.entries(query).filter(([, value]) => value !== undefined && value !== null);
    const text = new URLSearchParams(set.map(([name, value]): [string, string] => [name, String(value)])).toString();
    return `${this.url}${path}${text === '' ? '' : `?${text}`}`;
  }

  /** @throws GraftError; the signal's reason */
  async json<T>(path: string, request: Request = {}): Promise<T> {
    const answer = await this.call(path, request);
    return (answer.status === 204 ? undefined : await answer.json()) as T;
  }

  /**
   * Every call can be made twice: those that make something have an Idempotency-Key, the same for every try.
   * @throws GraftError; the signal's reason
   */
  async call(path: string, request: Request = {}): Promise<Response> {
    const { method = 'GET', query, json, body, signal } = request;
    const headers = {
      ...this.headers,
      ...(json !== undefined && { 'content-type': 'application/json' }),
      ...(method === 'POST' && { 'idempotency-key': crypto.randomUUID() }),
      ...request.headers,
    };
    const init: RequestInit = { method, headers };
    if (json !== undefined) init.body = JSON.stringify(json);
    else if (body !== undefined) init.body = body as Blob;
    if (signal) init.signal = signal;
    return this.again(signal, () => this.once(this.address(path, query), init));
  }

  /** One try. @throws GraftError */
  async once(address: string, init: RequestInit): Promise<Response> {
    let answer: Response;
    try {
      answer = await this.#options.fetch(address, init);
    } catch (error) {
      throw init.signal?.aborted ? error : new GraftConnectionError(this.url, error);
    }
    if (answer.ok) return answer;
    throw withWait(
      errorOf(answer.status, await answer.text(), answer.headers.get('x-request-id') ?? undefined),
      answer,
    );
  }

  /** Try until it works, cannot, or was tried often enough; wait as long as the service says, else longer each time. */
  async again<T>(signal: AbortSignal | undefined, attempt: () => Promise<T>): Promise<T> {
    for (let tried = 1; ; tried += 1) {
      try {
        return await attempt();
      } catch (error) {
        const may = error instanceof GraftConnectionError || AGAIN.has((error as GraftError).status);
        if (!may || tried >= this.#options.tries || signal?.aborted) throw error;
        await sleep(waits.get(error as GraftError) ?? backOff(tried), signal);
      }
    }
  }
}

/** What a service asked to wait, by error. */
const waits = new WeakMap<GraftError, number>();

function withWait(error: GraftError, { headers }: Response): GraftError {
  const asked = headers.get('retry-after');
  if (asked === null) return error;
  const ms = /^\d+$/.test(asked) ? Number(asked) * 1000 : Date.parse(asked) - Date.now();
  if (Number.isFinite(ms)) waits.set(error, Math.min(MAX_RETRY_AFTER_MS, Math.max(0, ms)));
  return error;
}

/** Twice as long each time, and not the same for all clients. */
export function backOff(tried: number): number {
  return Math.min(MAX_WAIT_MS, FIRST_WAIT_MS * 2 ** (tried - 1)) * (0.5 + Math.random() / 2);
}

/** @throws the signal's reason */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const abort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', abort);
      resolve();
    }, ms);
    if (signal?.aborted) abort();
    else signal?.addEventListener('abort', abort, { once: true });
  });
}
