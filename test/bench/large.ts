/**
 * A large data set whose features are cached: seconds from the request to the published version, and the job's memory.
 *
 *   npm run bench:large [-- --images 100000,50000]
 *
 * Its images are small crops of real photos of ten kinds of clothing. A first job computes the features of the largest set,
 * which takes minutes; then one job of each size is measured. Memory is what the job's process holds beside files that it maps.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { loadConfig } from '../../src/config.js';
import type { Report } from '../../src/schemas/report.js';
import { randomFrom, submit, upload } from '../helpers/photos.js';
import type { TestService } from '../helpers/service.js';
import { withService } from './speed/service.js';
import { labelledPhotos } from './speed/train-model.js';

/** Squares of real photos, each of another place; `label/number.jpg`. */
async function crops(count: number): Promise<{ name: string; bytes: Buffer }[]> {
  const photos = await Promise.all(
    labelledPhotos('clothing', 'train').map(async ({ name, bytes }) => {
      const { data, info } = await sharp(bytes).resize(160).removeAlpha().raw().toBuffer({ resolveWithObject: true });
      return {
        label: name.split('/')[0]!,
        data,
        raw: { width: info.width, height: info.height, channels: 3 as const },
      };
    }),
  );
  const random = randomFrom(11);
  const files: { name: string; bytes: Buffer }[] = [];
  for (let number = 0; number < count; number += 1) {
    const { label, data, raw } = photos[number % photos.length]!;
    const [left, top] = [raw.width, raw.height].map((length) => Math.floor(random() * (length - SIDE)));
    const bytes = await sharp(data, { raw })
      .extract({ left: left!, top: top!, width: SIDE, height: SIDE })
      .jpeg()
      .toBuffer();
    files.push({ name: `${label}/${number}.jpg`, bytes });
  }
  return files;
}

/** Anonymous memory of processes that run jobs, looked at ten times a second. @returns the most, in MB, once stopped */
function watchJobs(): { stop(): number } {
  let most = 0;
  const timer = setInterval(() => {
    for (const id of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      try {
        if (!readFileSync(`/proc/${id}/cmdline`, 'utf8').includes('job-process')) continue;
        const [, kilobytes] = /^RssAnon:\s+(\d+)/m.exec(readFileSync(`/proc/${id}/status`, 'utf8'))!;
        most = Math.max(most, Number(kilobytes) / 1000);
      } catch {
        // It has ended meanwhile.
      }
    }
  }, 100);
  return {
    stop: () => {
      clearInterval(timer);
      return most;
    },
  };
}

const { values } = parseArgs({ options: { images: { type: 'string', default: '100000,50000' } } });
const sizes = values.images.split(',').map(Number);
const BACKBONE = 'rootstock_s';
const SIDE = 48;
const JOB_MS = 3_600_000;

await withService({ models: loadConfig({}).MODELS_DIR, env: { DEFAULT_BACKBONE: BACKBONE } }, measure);

async function measure(service: TestService): Promise<void> {
  const files = await crops(Math.max(...sizes));
  const { features } = JSON.parse(readFileSync(join(loadConfig({}).MODELS_DIR, BACKBONE, 'backbone.json'), 'utf8'));
  for (const images of [Math.max(...sizes), ...sizes]) {
    const dataset = await upload(service, files.slice(0, images), { as: 'tar' }); // a plain zip has at most 65,535
    const memory = watchJobs();
    const began = performance.now();
    const { id } = await submit(service, { dataset: dataset.id, model: 'large' });
    const job = await service.ended(id, JOB_MS);
    const seconds = (performance.now() - began) / 1000;
    const most = memory.stop();
    if (job.status !== 'succeeded') throw new Error(JSON.stringify(job.error));
    const report = await service.json<Report>(`/v1/models/large/versions/${job.version}/report`);
    const matrix = (images * features.dimensions * 4) / 1e6;
    console.log(
      `${images} images, ${report.timings.examples_cached} cached: ${seconds.toFixed(1)} s; memory ${most.toFixed(0)} MB, ` +
        `${(most / matrix).toFixed(2)} × the matrix of ${matrix.toFixed(0)} MB; ${(100 * report.evaluation!.accuracy).toFixed(1)} % right`,
    );
  }
}
