/**
 * The client of the load, a process of its own so that its work is not the server's. Connections stay open, requests are
 * made beforehand, answers are parsed as little as checking them needs: about 0.1 ms of a core per request, which is told.
 */
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';

export interface Request {
  path: string;
  /** Of a photo; absent: GET. */
  photo?: string;
  /** What the answer must be, see `read`; absent: not checked. */
  expected?: string;
}

export interface Load {
  /** Of one server, or of several between which connections are dealt out. */
  port: number | number[];
  /** Sent in turn, over and over. */
  requests: Request[];
  concurrency: number;
  /** How long, or `once`: every request one time. */
  seconds: number | 'once';
}

export interface LoadResult {
  /** Of requests answered within the time, ms. */
  latencies: number[];
  seconds: number;
  perSecond: number;
  /** In the order of the requests; with `once` only. */
  answers: string[];
  /** Answers that were not 200 or not what was expected, the first few. */
  wrong: string[];
  /** Cores that this process used. */
  cores: number;
  /** Times that the server itself told, ms; ours only. */
  timings: { decode: number[]; queue: number[]; inference: number[] };
}

const WARM_MS = 300;
const WARM_MS_EACH = 12;
const TIMINGS = ['decode', 'queue', 'inference'] as const;

const photos = new Map<string, Buffer>();
const messages = new WeakMap<Request, Buffer>();

process.on('message', (load: Load) => {
  run(load).then(
    (result) => process.send!(result),
    (error: Error) => process.send!({ error: error.stack }),
  );
});

async function run({ port, requests, concurrency, seconds }: Load): Promise<LoadResult> {
  for (const request of requests) messages.set(request, messageOf(request));
  const result: LoadResult = {
    latencies: [],
    seconds: 0,
    perSecond: 0,
    answers: [],
    wrong: [],
    cores: 0,
    timings: { decode: [], queue: [], inference: [] },
  };
  let next = 0;
  const cpu = process.cpuUsage();
  const start = performance.now();
  // Answers count once all connections are under way: else what is begun before the end, and not counted, would be missing.
  const began = start + (seconds === 'once' ? 0 : WARM_MS + WARM_MS_EACH * concurrency);
  const end = seconds === 'once' ? Number.POSITIVE_INFINITY : began + seconds * 1000;
  const isOver = () => performance.now() >= end || (seconds === 'once' && next >= requests.length);
  const ports = [port].flat();
  const worker = async (_: unknown, place: number) => {
    const connection = await open(ports[place % ports.length]!);
    while (!isOver()) {
      const turn = next++;
      const request = requests[turn % requests.length]!;
      const sent = performance.now();
      const { status, body } = await connection.ask(messages.get(request)!);
      const now = performance.now();
      const { answer, timings } = status === 200 && request.photo ? read(body) : { answer: body };
      if (seconds === 'once') result.answers[turn] = answer;
      if (status !== 200 || (request.expected !== undefined && answer !== request.expected)) {
        if (result.wrong.length < 5) result.wrong.push(`${request.path} ${request.photo ?? ''}: ${status} ${answer}`);
      }
      if (now < began || now > end) continue;
      result.latencies.push(now - sent);
      if (timings) for (const name of TIMINGS) result.timings[name].push(timings[`${name}_ms`]!);
    }
    connection.close();
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  result.seconds = (Math.min(performance.now(), end) - began) / 1000;
  result.perSecond = result.latencies.length / result.seconds;
  const { user, system } = process.cpuUsage(cpu);
  result.cores = (user + system) / 1e3 / (performance.now() - start);
  return result;
}

function messageOf({ path, photo }: Request): Buffer {
  if (photo === undefined) return Buffer.from(`GET ${path} HTTP/1.1\r\nhost: bench\r\n\r\n`);
  const bytes = photos.get(photo) ?? readFileSync(photo);
  photos.set(photo, bytes);
  const head = `POST ${path} HTTP/1.1\r\nhost: bench\r\ncontent-type: image/jpeg\r\ncontent-length: ${bytes.length}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head), bytes]);
}

/** Ours: labels and scores, with the times it tells. Of a peer: the best label. */
function read(body: string): { answer: string; timings?: Record<string, number> } {
  const value = JSON.parse(body);
  if (!value.results) return { answer: String(value[0].label) };
  return { answer: JSON.stringify(value.results[0].predictions), timings: value.timings };
}

interface Connection {
  ask(message: Buffer): Promise<{ status: number; body: string }>;
  close(): void;
}

/** HTTP/1.1 with Content-Length, kept alive: all that the servers here answer with. */
function open(port: number): Promise<Connection> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    let received = '';
    let answer: ((value: { status: number; body: string }) => void) | undefined;
    let fail: ((error: Error) => void) | undefined;
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => {
      received += text;
      const head = received.indexOf('\r\n\r\n');
      if (head < 0) return;
      const length = Number(/\r\ncontent-length: *(\d+)/i.exec(received.slice(0, head))?.[1] ?? Number.NaN);
      if (received.length < head + 4 + length) return;
      const body = Buffer.from(received.slice(head + 4), 'latin1').toString('utf8');
      const status = Number(received.slice(9, 12));
      received = '';
      answer?.({ status, body });
    });
    socket.on('error', (error) => (fail ?? reject)(error));
    socket.on('close', () => fail?.(new Error('The server closed the connection.')));
    socket.on('connect', () =>
      resolve({
        ask: (message) =>
          new Promise((done, refuse) => {
            [answer, fail] = [done, refuse];
            socket.write(message);
          }),
        close: () => {
          fail = undefined;
          socket.destroy();
        },
      }),
    );
  });
}
