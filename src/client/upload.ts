import { errorOf, GraftConnectionError } from './errors.js';
import type { Transport } from './transport.js';

/** Bytes that were sent, of how many. */
export type OnProgress = (sent: number, total: number) => void;

export interface Upload {
  path: string;
  query?: object | undefined;
  headers: Record<string, string>;
  body: Blob;
  onProgress: OnProgress;
  signal?: AbortSignal | undefined;
}

/** A POST that tells how far it is. `fetch` cannot: in a browser XMLHttpRequest does, in Node its own client. */
export function uploadWithProgress<T>(transport: Transport, upload: Upload): Promise<T> {
  const headers = { ...transport.headers, 'idempotency-key': crypto.randomUUID(), ...upload.headers };
  const Browsers = (globalThis as { XMLHttpRequest?: new () => BrowserRequest }).XMLHttpRequest;
  const send = Browsers ? (address: string, sent: Upload) => sendByBrowser(new Browsers(), address, sent) : sendByNode;
  return transport.again(upload.signal, async () => {
    const { status, text } = await send(transport.address(upload.path, upload.query), { ...upload, headers }).catch(
      (error: unknown) => {
        throw upload.signal?.aborted ? upload.signal.reason : new GraftConnectionError(transport.url, error);
      },
    );
    if (status >= 200 && status < 300) return JSON.parse(text) as T;
    throw errorOf(status, text);
  });
}

/** What is used of XMLHttpRequest; this code compiles without the types of browsers. */
interface BrowserRequest {
  upload: { onprogress: ((event: { loaded: number }) => void) | null };
  status: number;
  responseText: string;
  onload: (() => void) | null;
  onerror: (() => void) | null;
  onabort: (() => void) | null;
  onloadend: (() => void) | null;
  open(method: string, address: string): void;
  setRequestHeader(name: string, value: string): void;
  send(body: Blob): void;
  abort(): void;
}

interface Answer {
  status: number;
  text: string;
}

function sendByBrowser(
  request: BrowserRequest,
  address: string,
  { headers, body, onProgress, signal }: Upload,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const abort = () => request.abort();
    request.open('POST', address);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.onprogress = ({ loaded }) => onProgress(Math.min(loaded, body.size), body.size);
    request.onload = () => resolve({ status: request.status, text: request.responseText });
    request.onerror = () => reject(new Error('The connection broke off.'));
    request.onabort = () => reject(new Error('The upload was broken off.'));
    request.onloadend = () => signal?.removeEventListener('abort', abort);
    if (signal?.aborted) return reject(signal.reason);
    signal?.addEventListener('abort', abort, { once: true });
    request.send(body);
  });
}

/** Waits for the service, so that no more lies in memory than it has not taken yet. */
async function sendByNode(address: string, { headers, body, onProgress, signal }: Upload): Promise<Answer> {
  const [http, https, streams, consumers] = await Promise.all([
    import('node:http'),
    import('node:https'),
    import('node:stream'),
    import('node:stream/consumers'),
  ]);
  const options = {
    method: 'POST',
    headers: { ...headers, 'content-length': String(body.size) },
    ...(signal && { signal }),
  };
  const request = address.startsWith('https:') ? https.request(address, options) : http.request(address, options);
  const answered = new Promise<Answer>((resolve, reject) => {
    request.once('response', (response) => {
      consumers.text(response).then((text) => resolve({ status: response.statusCode!, text }), reject);
    });
    request.once('error', reject);
  });
  let sent = 0;
  const counted = async function* () {
    for await (const chunk of body.stream() as unknown as AsyncIterable<Uint8Array>) {
      yield chunk;
      sent += chunk.length;
      onProgress(sent, body.size);
    }
  };
  const sending = streams.promises.pipeline(streams.Readable.from(counted()), request);
  // A service that refuses an upload answers before it has read all: then the answer counts, and not the broken pipe.
  const failed = new Promise<never>((_, reject) => {
    sending.catch((error: unknown) => setTimeout(() => reject(error), 500));
  });
  return Promise.race([answered, failed]);
}
