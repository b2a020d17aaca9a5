/**
 * All files of the public corpora of broken and hostile files, and seeded mutations of them, through the API: as archives, as
 * images to classify, as JSON and as forms.
 */
import { readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import sharp from 'sharp';
import { tar, zip } from '../helpers/archives.js';
import { type Answer, filesBelow, form, inParallel, problemFault, send } from '../helpers/http.js';
import { photo, photos, randomFrom, upload } from '../helpers/photos.js';
import { bmpOf, ppmOf } from '../helpers/pictures.js';
import { serveModel } from '../helpers/serve-model.js';
import { type TestService, withService } from '../helpers/service.js';
import { ARCHIVE_CORPORA, needs, SHARED } from '../helpers/shared.js';
import { atLeast, atMost, exactly, type Figure, type RowOptions } from './figure.js';

export const name = 'Hostile files are refused';
export const goal = 'whatever is sent, the service answers, stays inside its folder and keeps its size';

/** Two decoders, a batch and four archives being unpacked need less. */
const MAX_MEMORY_MB = 1200;
const SLOWEST_MS = 10_000;
/** Larger ones only take longer. */
const MAX_BYTES = 128 * 1024;
/** So often a picture of each format stands among the samples. */
const NEW_FORMATS_TIMES = 20;
const BOUNDARY = 'dfhjksd23f43242f43fv4b4g2g2g23vf2';

interface Sample {
  path: string;
  bytes: Buffer;
}
interface Target {
  route: string;
  headers?: Record<string, string>;
}

const DATASETS: Target = { route: '/v1/datasets' };
const PREDICT: Target = { route: '/v1/models/m/predict' };
const JSON_ROUTES: Target[] = ['/v1/jobs', '/v1/models/m/predict'].map((route) => ({
  route,
  headers: { 'content-type': 'application/json' },
}));
const FORM_ROUTES: Target[] = ['/v1/datasets', '/v1/jobs', '/v1/models/m/predict'].map((route) => ({
  route,
  headers: { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` },
}));

/** Where the files of a folder of the corpora are sent. */
function targetsOf(corpus: string): Target[] {
  if (ARCHIVE_CORPORA.includes(corpus)) return [DATASETS];
  if (corpus === 'jsontestsuite') return JSON_ROUTES;
  return corpus === 'go-fuzz-corpus/multipart' ? FORM_ROUTES : [PREDICT];
}

export async function run({ long, seed, log }: RowOptions): Promise<Figure[]> {
  const { skip } = needs('bad-inputs');
  if (skip) {
    log(String(skip));
    return [];
  }
  return withService({ worker: false, env: { LOG_LEVEL: 'error', MAX_OPEN_JOBS: '5' } }, async (service) => {
    const { url, dataDir, json } = service;
    await upload(service, await photos(['a', 'b'], 4)); // one that must stay
    await serveModel({ dataDir, model: 'm' });
    const outside = async () => [await readdir(dirname(dataDir)), (await readdir(dataDir)).sort()].flat().join();
    const before = await outside();
    const tally = { sent: 0, serverErrors: 0, unanswered: 0, slowest: 0, slowestOf: '' };
    const outcomes = new Map<string, number>();

    const attack = async ({ route, headers = {} }: Target, { path, bytes }: Sample) => {
      const began = performance.now();
      const answer = await send(url, route, { method: 'POST', body: bytes, headers }).catch(
        (error: Error): Answer => ({ status: 0, headers: {}, body: Buffer.alloc(0), text: error.message }),
      );
      const ms = performance.now() - began;
      tally.sent += 1;
      if (ms > tally.slowest) Object.assign(tally, { slowest: ms, slowestOf: `${route} ${path}` });
      const good = answer.status >= 200 && answer.status < 300;
      if (answer.status >= 500) tally.serverErrors += 1;
      else if (answer.status === 0) tally.unanswered += 1;
      const fault = good ? undefined : problemFault(answer);
      if (fault) log(`${route} ${path}: ${fault} ${answer.text.slice(0, 200)}`);
      const outcome = good || fault ? String(answer.status) : (JSON.parse(answer.text).code as string);
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      if (answer.status === 201)
        await json(`/v1/datasets/${JSON.parse(answer.text).id}`, { method: 'DELETE', status: 204 });
      if (answer.status === 202) await send(url, `/v1/jobs/${JSON.parse(answer.text).id}/cancel`, { method: 'POST' });
    };

    const samples = await corpora();
    // In the short form test/flows/bad-files.test.ts sends them.
    await inParallel(long ? samples : [], 4, async ({ corpus, ...sample }) => {
      for (const target of targetsOf(corpus)) await attack(target, sample);
    });
    log(`${tally.sent} as they are, slowest ${tally.slowest.toFixed(0)} ms (${tally.slowestOf})`);
    const small = [
      ...samples.filter(({ bytes }) => bytes.length > 0 && bytes.length <= MAX_BYTES),
      ...(await goodOnes()),
    ];
    const mutations = long ? 20_000 : 250;
    const random = randomFrom(seed);
    const pick = <T>(list: T[]): T => list[Math.floor(random() * list.length)]!;
    const attacks = Array.from({ length: mutations }, (_, n) => {
      const { corpus, path, bytes } = pick(small);
      return {
        target: pick(targetsOf(corpus)),
        path: `${path} #${n}`,
        make: mutation(bytes, pick(small).bytes, random),
      };
    });
    await inParallel(attacks, 4, async ({ target, path, make }) => attack(target, { path, bytes: make() }));
    const sound = await send(url, '/v1/models/m/predict', { method: 'POST', body: await photo(0, 12) });
    const crashed = service.server.exitCode !== null || service.server.signalCode !== null || sound.status !== 200;
    const left = await json<{ data: { id: string }[] }>('/v1/datasets');
    const memory = peakMb(service);
    log(JSON.stringify(Object.fromEntries([...outcomes].sort((a, b) => b[1] - a[1]))));
    log(`slowest: ${tally.slowestOf}`);
    return [
      atLeast('mutations', mutations, long ? 20_000 : 250),
      atLeast('requests', tally.sent, mutations),
      exactly('crashes', Number(crashed), 0),
      exactly('5xx', tally.serverErrors, 0),
      exactly('without an answer', tally.unanswered, 0),
      exactly('files outside the data folder', Number((await outside()) !== before), 0),
      exactly('data sets left behind', left.data.length - 1, 0),
      atMost('slowest', tally.slowest, SLOWEST_MS, 'ms'),
      atMost('highest memory', memory, MAX_MEMORY_MB, 'MB'),
    ];
  });
}

async function corpora(): Promise<(Sample & { corpus: string })[]> {
  const root = join(SHARED, 'bad-inputs');
  const paths = (await filesBelow(root)).filter((path) => path.includes('/') && !path.endsWith('SOURCE.txt'));
  return Promise.all(
    paths.map(async (path) => {
      const [first, second] = path.split('/') as [string, string];
      const corpus = first === 'go-fuzz-corpus' ? `${first}/${second}` : first;
      return { corpus, path, bytes: await readFile(join(root, path)) };
    }),
  );
}

/** Sound ones, so that mutations also reach what lies behind the first checks. */
async function goodOnes(): Promise<(Sample & { corpus: string })[]> {
  const files = await photos(['a', 'b'], 3);
  const { body } = form([{ name: 'file', value: files[0]!.bytes, filename: 'x.jpg' }], BOUNDARY);
  const settings = { dataset: `ds_${'0'.repeat(26)}`, model: 'm', hyperparameters: { class_weights: { a: 1 } } };
  return [
    { corpus: 'yauzl-success', path: 'good.zip', bytes: zip(files) },
    { corpus: 'node-tar-fixtures', path: 'good.tar', bytes: tar(files) },
    { corpus: 'image-rs', path: 'good.jpg', bytes: files[0]!.bytes },
    ...(await goodPictures(files[0]!.bytes)),
    { corpus: 'jsontestsuite', path: 'good.json', bytes: Buffer.from(JSON.stringify(settings)) },
    { corpus: 'go-fuzz-corpus/multipart', path: 'good.form', bytes: body },
  ];
}

/** One picture in every format that is taken. */
async function goodPictures(jpeg: Buffer): Promise<(Sample & { corpus: string })[]> {
  const { data, info } = await sharp(jpeg).raw().toBuffer({ resolveWithObject: true });
  const pictures: Record<string, Buffer> = {
    'good.png': await sharp(jpeg).png().toBuffer(),
    'good.webp': await sharp(jpeg).webp().toBuffer(),
    'good.gif': await sharp(jpeg).gif().toBuffer(),
    'good.tiff': await sharp(jpeg).tiff({ compression: 'lzw' }).toBuffer(),
    'good-jpeg.tiff': await sharp(jpeg).tiff({ compression: 'jpeg', tile: true }).toBuffer(),
    'good.avif': await sharp(jpeg).avif().toBuffer(),
    'good.bmp': bmpOf(data, info.width),
    'good-8.bmp': bmpOf(data, info.width, { bits: 8 }),
    'good.ppm': ppmOf(data, info.width),
    'good-16.ppm': ppmOf(data, info.width, { most: 65_535 }),
  };
  // Each several times: they are few among many, and what is new is to be tried most.
  return Object.entries(pictures).flatMap(([path, bytes]) =>
    Array.from({ length: NEW_FORMATS_TIMES }, () => ({ corpus: 'image-rs', path, bytes })),
  );
}

/** One of the usual ways to spoil a file, decided now and done when its turn comes. */
function mutation(bytes: Buffer, other: Buffer, random: () => number): () => Buffer {
  const at = (length: number) => Math.floor(random() * Math.max(1, length));
  const kind = at(7);
  const [start, size, from] = [at(bytes.length), 1 + at(Math.min(64, bytes.length)), at(other.length)];
  const values = Array.from({ length: 16 }, () => at(256));
  const places = values.map(() => at(bytes.length));
  const numbers = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fffffff, 0xffffffff];
  const number = numbers[at(numbers.length)]!;
  return () => {
    const copy = Buffer.from(bytes);
    switch (kind) {
      case 0: // single bits
        for (const [i, place] of places.entries()) copy[place]! ^= 1 << (values[i]! % 8);
        return copy;
      case 1: // single bytes
        for (const [i, place] of places.slice(0, 4).entries()) copy[place] = values[i]!;
        return copy;
      case 2:
        return copy.subarray(0, start); // cut off
      case 3:
        return Buffer.concat([copy.subarray(0, start), copy.subarray(start + size)]); // a piece is missing
      case 4:
        return Buffer.concat([copy.subarray(0, start + size), copy.subarray(start)]); // a piece comes twice
      case 5:
        return Buffer.concat([copy.subarray(0, start), other.subarray(from, from + 4096), copy.subarray(start)]);
      default: // a length or an offset that lies
        if (copy.length >= 4) copy.writeUInt32LE(number, at4(start, copy.length));
        return copy;
    }
  };
}

function at4(start: number, length: number): number {
  return Math.min(start, length - 4);
}

/** Highest memory of the server so far; 0 where there is no /proc. */
function peakMb({ server }: TestService): number {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))![1]) / 1024;
  } catch {
    return 0;
  }
}
