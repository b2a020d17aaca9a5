/**
 * More than the service can do: three times the requests it can answer, hundreds of connections that never finish their
 * headers or bodies, and one key that sends without end. What is taken is answered in time; what is not is told when to come
 * again; the quiet key notices little.
 */
import { createHash } from 'node:crypto';
import { Agent, request as httpRequest } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { photo } from '../helpers/photos.js';
import { serveModel } from '../helpers/serve-model.js';
import { withService } from '../helpers/service.js';
import { atLeast, atMost, exactly, type Figure, type RowOptions } from './figure.js';

export const name = 'Overload sheds';
export const goal = 'what is taken is answered in time, the rest is refused at once with Retry-After';

const KEYS = { load: 'graft_load', quiet: 'graft_quiet', flood: 'graft_flood' };
/** As many images wait as are done in about a third of a second. */
const ENV = {
  PREDICT_QUEUE: '64',
  MAX_PREDICT_EXAMPLES: '16',
  HEADERS_TIMEOUT_SECONDS: '5',
  STALL_TIMEOUT_SECONDS: '5',
  LOG_LEVEL: 'error',
};

interface Outcome {
  status: number;
  retryAfter: string | undefined;
  ms: number;
}

export async function run({ long, log }: RowOptions): Promise<Figure[]> {
  const sha = (key: string) => createHash('sha256').update(key).digest('hex');
  const API_KEYS = `${Object.entries(KEYS)
    .map(([who, key]) => `${who}:${sha(key)}`)
    .join()}`;
  return withService({ worker: false, env: { ...ENV, API_KEYS } }, async (service) => {
    for (const tenant of Object.keys(KEYS)) await serveModel({ dataDir: service.dataDir, tenant, model: 'm' });
    const image = await photo(0, 1, 96);
    const limited = await service.startServer({ RATE_LIMIT_PER_SECOND: long ? '20' : '1' });
    const quietMs = long ? 100 : 1000;
    const figures: Figure[] = [];

    // 1. Three times what it can do. The short form shares the cores with other tests, so that a capacity measured a moment
    // ago says little: it sends seven times the queue at once.
    const outcomes = long
      ? await openLoop(service.url, image, 3 * (await capacityOf(service.url, image, 4000)), 10_000)
      : await burst(service.url, image, 450);
    const taken = outcomes.filter(({ status }) => status === 200);
    const shed = outcomes.filter(({ status }) => status === 429);
    const silent = shed.filter(({ retryAfter }) => !(Number(retryAfter) >= 1)).length;
    log(`of ${outcomes.length} requests ${taken.length} taken, ${shed.length} shed`);
    figures.push(
      exactly('three times capacity: neither answered nor shed', outcomes.length - taken.length - shed.length, 0),
      exactly('three times capacity: shed without Retry-After', silent, 0),
      atLeast('three times capacity: shed', (100 * shed.length) / outcomes.length, 1, '%'),
      // In the short form other tests share the cores: it only shows that there is an end.
      atMost('three times capacity: p99 of the accepted', p99(taken), long ? 2000 : 20_000, 'ms'),
    );

    // 2. Connections that say a byte now and then, of headers or of a body.
    const count = long ? 500 : 40;
    const slow = await Promise.all(Array.from({ length: count }, (_, n) => slowSocket(service.url, n % 2 === 0)));
    const during = await closedLoop(service.url, KEYS.load, image, 1, long ? 8000 : 1000, long ? 0 : 50);
    const deadline = Date.now() + 20_000; // their time-out, and Node's interval of looking
    while (slow.some(({ socket }) => !socket.destroyed) && Date.now() < deadline) await sleep(100);
    const stillOpen = slow.filter(({ socket }) => !socket.destroyed).length;
    for (const { stop } of slow) stop();
    log(`${count} slow sockets: ${during.length} predictions meanwhile`);
    figures.push(
      exactly(
        `${count} slow sockets: predictions that failed`,
        during.filter(({ status }) => status !== 200).length,
        0,
      ),
      exactly(`${count} slow sockets: still open after their time`, stillOpen, 0),
      atMost(`${count} slow sockets: p99 of predictions`, p99(during), long ? 500 : 20_000, 'ms'),
    );

    // 3. One key that floods, beside one that asks now and then.
    const alone = await closedLoop(limited.url, KEYS.quiet, image, 1, long ? 3000 : 500, quietMs);
    const [quiet, flood] = await Promise.all([
      closedLoop(limited.url, KEYS.quiet, image, 1, long ? 20_000 : 2000, quietMs),
      closedLoop(limited.url, KEYS.flood, image, long ? 16 : 4, long ? 20_000 : 2000),
    ]);
    const refused = flood.filter(({ status }) => status === 429);
    log(
      `flood: ${flood.length} requests, ${refused.length} refused; quiet: ${quiet.length}, p99 ${p99(quiet)} ms, alone ${p99(alone)} ms`,
    );
    figures.push(
      atLeast('flood: share of the flooding key refused', (100 * refused.length) / flood.length, 50, '%'),
      exactly(
        'flood: refused without Retry-After',
        refused.filter(({ retryAfter }) => !(Number(retryAfter) >= 1)).length,
        0,
      ),
      exactly('flood: requests of the quiet key that failed', quiet.filter(({ status }) => status !== 200).length, 0),
      atMost('flood: p99 of the quiet key', p99(quiet), long ? 500 : 20_000, 'ms'),
    );
    return figures;
  });
}

function predict(url: string, key: string, image: Buffer, agent: Agent): Promise<Outcome> {
  const began = performance.now();
  const { hostname, port } = new URL(url);
  return new Promise((resolve) => {
    const request = httpRequest({
      hostname,
      port,
      path: '/v1/models/m/predict',
      method: 'POST',
      agent,
      headers: { authorization: `Bearer ${key}`, 'content-length': image.length, 'content-type': 'image/jpeg' },
    });
    const end = (status: number, retryAfter?: string) => resolve({ status, retryAfter, ms: performance.now() - began });
    request.on('response', (response) => {
      response.resume();
      response.on('end', () => end(response.statusCode!, response.headers['retry-after']));
    });
    request.on('error', () => end(0));
    request.end(image);
  });
}

/** Requests a second with enough under way to keep the service busy. */
async function capacityOf(url: string, image: Buffer, ms: number): Promise<number> {
  await closedLoop(url, KEYS.load, image, 8, ms / 4);
  const outcomes = await closedLoop(url, KEYS.load, image, 8, ms);
  return (1000 * outcomes.filter(({ status }) => status === 200).length) / ms;
}

/** `width` clients that each send the next request when they have the answer, and after a pause. */
async function closedLoop(
  url: string,
  key: string,
  image: Buffer,
  width: number,
  ms: number,
  pauseMs = 0,
): Promise<Outcome[]> {
  const agent = new Agent({ keepAlive: true });
  const end = Date.now() + ms;
  const outcomes: Outcome[] = [];
  await Promise.all(
    Array.from({ length: width }, async () => {
      while (Date.now() < end) {
        outcomes.push(await predict(url, key, image, agent));
        if (pauseMs > 0) await sleep(pauseMs);
      }
    }),
  );
  agent.destroy();
  return outcomes;
}

/** Requests at a rate, whether or not the ones before are answered. */
async function openLoop(url: string, image: Buffer, perSecond: number, ms: number): Promise<Outcome[]> {
  const agent = new Agent({ keepAlive: true });
  const began = performance.now();
  const sent: Promise<Outcome>[] = [];
  while (performance.now() - began < ms) {
    const due = Math.floor(((performance.now() - began) / 1000) * perSecond);
    while (sent.length < due) sent.push(predict(url, KEYS.load, image, agent));
    await sleep(5);
  }
  const outcomes = await Promise.all(sent);
  agent.destroy();
  return outcomes;
}

/** All at once. */
async function burst(url: string, image: Buffer, count: number): Promise<Outcome[]> {
  const agent = new Agent({ keepAlive: true });
  const outcomes = await Promise.all(Array.from({ length: count }, () => predict(url, KEYS.load, image, agent)));
  agent.destroy();
  return outcomes;
}

/** A connection that sends one byte a second and never ends: of its headers, or of its body. */
async function slowSocket(url: string, inHeaders: boolean): Promise<{ socket: Socket; stop: () => void }> {
  const { hostname, port } = new URL(url);
  const socket = connect(Number(port), hostname);
  socket.on('error', () => undefined).resume();
  await new Promise((resolve) => socket.once('connect', resolve).once('close', resolve));
  const start = `POST /v1/models/m/predict HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${KEYS.flood}\r\n`;
  socket.write(inHeaders ? start : `${start}content-length: 1000\r\n\r\nx`);
  // A body that stands still is given up; headers may trickle and are given up all the same.
  const timer = inHeaders ? setInterval(() => socket.writable && socket.write('x'), 1000) : undefined;
  const stop = () => {
    clearInterval(timer);
    socket.destroy();
  };
  return { socket, stop };
}

function p99(outcomes: Outcome[]): number {
  const sorted = outcomes.map(({ ms }) => ms).sort((a, b) => a - b);
  return Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * 0.99))] ?? 0);
}
