import { execFileSync, spawnSync } from 'node:child_process';
import { createReadStream, readFileSync } from 'node:fs';
import { mkdtemp, open, rm } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import sharp from 'sharp';
import type { Dataset } from '../../../../src/schemas/datasets.js';
import { ratios, summary } from '../rounds.js';
import type { Section } from '../section.js';
import { type BenchService, withService } from '../service.js';
import type { Row } from '../table.js';
import { labelledPhotos } from '../train-model.js';

const BYTES = 1_000_000_000;

/** One upload of a gigabyte of photos, against `unzip -t` and `sha256sum` of the same file, which only read it. */
export const intake: Section = {
  name: 'intake',
  async run({ models, rounds, say }) {
    if (spawnSync('unzip', ['-v']).status !== 0) {
      say('Intake is left out: unzip is not installed.');
      return [];
    }
    const small = labelledPhotos('clothing', 'train');
    const large = await Promise.all(
      small.filter((_, i) => i % 16 === 0).map(async ({ name, bytes }) => ({ name, bytes: await enlarged(bytes) })),
    );
    const rows: Row[] = [];
    for (const [what, photos] of [
      ['photos of a phone, 12 megapixels', large],
      ['small photos, 400 × 533', small],
    ] as const) {
      const folder = await mkdtemp(join(tmpdir(), 'graft-bench-intake-'));
      try {
        const path = join(folder, 'photos.zip');
        const { bytes, count } = await writeZip(path, photos, BYTES);
        const [ours, theirs, memory]: [number[], number[], number[]] = [[], [], []];
        await withService({ models, worker: false }, async (service) => {
          for (let round = 0; round < rounds; round += 1) {
            const began = performance.now();
            execFileSync('unzip', ['-tqq', path], { stdio: 'ignore' });
            execFileSync('sha256sum', [path], { stdio: 'ignore' });
            theirs.push(bytes / 1e3 / (performance.now() - began));
            const start = performance.now();
            const dataset = await send(service, path, bytes);
            ours.push(bytes / 1e3 / (performance.now() - start));
            if (dataset.examples !== count) throw new Error(`${dataset.examples} of ${count} images were taken`);
            memory.push(peakMemory(service));
            say(`${what}, round ${round + 1}: ${ours.at(-1)!.toFixed(0)} against ${theirs.at(-1)!.toFixed(0)} MB/s`);
            await service.json(`/v1/datasets/${dataset.id}`, { method: 'DELETE', status: 204 });
          }
        });
        rows.push(
          {
            name: `intake of a 1 GB zip of ${what}: MB/s against \`unzip -t\` plus \`sha256sum\``,
            ...summary(ratios(ours, theirs)),
            unit: '×',
            goal: { atLeast: 0.7 },
            note: `${count} photos; ${summary(ours).value.toFixed(0)} MB/s`,
          },
          {
            name: `intake of a 1 GB zip of ${what}: peak memory of the server`,
            ...summary(memory),
            unit: 'MB',
            goal: { atMost: 600 },
            note: 'the same after every round: flat',
          },
        );
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    }
    return rows;
  },
};

function enlarged(bytes: Buffer): Promise<Buffer> {
  return sharp(bytes).resize({ width: 3000, height: 4000, fit: 'cover' }).jpeg({ quality: 92 }).toBuffer();
}

/** Photos over and over, each time with a comment of its own, until the zip has this size. */
async function writeZip(path: string, photos: { name: string; bytes: Buffer }[], size: number) {
  const file = await open(path, 'w');
  const directory: Buffer[] = [];
  let [at, count] = [0, 0];
  for (; at < size; count += 1) {
    const { name, bytes } = photos[count % photos.length]!;
    const comment = Buffer.from([0xff, 0xfe, 0, 6, 0, 0, 0, 0]);
    comment.writeUInt32BE(count, 4);
    const content = Buffer.concat([bytes.subarray(0, 2), comment, bytes.subarray(2)]);
    const entry = Buffer.from(name.replace('/', `/${count}-`));
    const header = Buffer.alloc(26);
    header.writeUInt16LE(20, 0);
    header.writeUInt16LE(0x800, 2);
    header.writeUInt32LE(crc32(content), 10);
    header.writeUInt32LE(content.length, 14);
    header.writeUInt32LE(content.length, 18);
    header.writeUInt16LE(entry.length, 22);
    await file.writev([Buffer.from('PK\x03\x04'), header, entry, content]);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(at, 10);
    directory.push(Buffer.from('PK\x01\x02'), Buffer.from([20, 0]), header, tail, entry);
    at += 30 + entry.length + content.length;
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(count, 8);
  end.writeUInt16LE(count, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(at, 16);
  await file.writev([central, end]);
  await file.close();
  return { bytes: at + central.length + end.length, count };
}

function send({ url }: BenchService, path: string, bytes: number): Promise<Dataset> {
  return new Promise((resolve, reject) => {
    const headers = { 'content-type': 'application/zip', 'content-length': bytes };
    const request = httpRequest(`${url}/v1/datasets`, { method: 'POST', headers }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => (response.statusCode === 201 ? resolve(JSON.parse(text)) : reject(new Error(text))));
    });
    request.on('error', reject);
    createReadStream(path, { highWaterMark: 1024 * 1024 }).pipe(request);
  });
}

/** MB; not known where there is no /proc. */
function peakMemory({ server }: BenchService): number {
  try {
    return Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${server.pid}/status`, 'utf8'))![1]) / 1024;
  } catch {
    return Number.NaN;
  }
}
