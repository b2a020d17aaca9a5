import { mkdir, writeFile } from 'node:fs/promises';
import { basename, dirname, extname, join, relative } from 'node:path';
import type { Dataset } from '../schemas/datasets.js';
import type { Job } from '../schemas/jobs.js';
import type { HeldOutPrediction } from '../schemas/predictions.js';
import type { Report } from '../schemas/report.js';
import { formatBytes, formatSeconds, plural } from '../terminal/format.js';
import type { Screen } from '../terminal/screen.js';
import { type Choice, choosePhotos } from './choose-photos.js';
import type { Client } from './client.js';
import { drawDataSet } from './draw-data-set.js';
import { followJob } from './follow-job.js';
import { type PhotoSource, photoSource } from './photo-source.js';
import { showDataset } from './show-dataset.js';
import { type Predictions, showPredictions } from './show-predictions.js';
import { showMistakes, showReport } from './show-report.js';

const PHOTOS_TO_TRY = 6;
const LABELS_TO_SHOW = 3;

export interface RunDemoOptions {
  client: Client;
  screen: Screen;
  /** Folder or archive of photos; undefined: draw some. */
  path: string | undefined;
  /** Whether a file of this name is tried as a photo. */
  mayBePhoto: (name: string) => boolean;
  model: string | undefined;
  backbone: string | undefined;
  /** Folder for the artifact and for photos that are drawn. */
  folder: string;
  signal: AbortSignal;
}

/** What is there at the end. */
export interface DemoResult {
  model: string;
  version: number;
  /** Folder or archive that was uploaded. */
  path: string;
  /** A photo on disk to try by hand, where there is one. */
  photo: string | undefined;
}

/** From photos to predictions through the API of a running service, step by step. */
export async function runDemo(options: RunDemoOptions): Promise<DemoResult> {
  const { client, screen, folder, signal } = options;
  const shown = (file: string) => relative(dirname(folder), file);
  const heading = (title: string) => screen.line(`\n${screen.paint.bold(title)}\n`);
  await client.get('/v1/backbones'); // whether it is there at all, and the key is right, before anything is done
  await mkdir(folder, { recursive: true });

  let path = options.path;
  let drawn: Choice | undefined;
  if (path === undefined) {
    heading('Photos');
    const made = await drawDataSet({
      folder,
      signal,
      onProgress: (done, total) => screen.progress(done / total, `drawing ${done}/${total}`),
    });
    path = made.photos;
    drawn = { photos: made.unseen, unseen: true };
    screen.line(`  Drew photos of four kinds of things into ${shown(path)}`);
  }
  const source = await photoSource(path, options);

  heading('Upload');
  const dataset = await upload(client, screen, source);
  showDataset(screen, dataset);

  heading('Train');
  const model = options.model ?? (drawn ? 'demo' : modelName(path));
  const settings = { model, ...(options.backbone && { backbone: options.backbone }) };
  const { id } = await client.post<Job>('/v1/jobs', { dataset: dataset.id, ...settings });
  const job = await followJob({ client, screen, job: id, signal }).catch(async (error: unknown) => {
    if (signal.aborted) await client.cancel(id); // who stops the demo does not want the job either
    throw error;
  });
  const version = job.version!;
  screen.line(`  Published version ${version} of \`${model}\`, ${formatSeconds(secondsOf(job))} after the job began`);

  heading('Result');
  const report = await client.get<Report>(`/v1/models/${model}/versions/${version}/report`);
  showReport(screen, report);
  const wrong = `/v1/models/${model}/versions/${version}/predictions?wrong=true&limit=1000`;
  showMistakes(screen, (await client.get<{ data: HeldOutPrediction[] }>(wrong)).data);

  heading('Predict');
  const choice = drawn ?? (await choosePhotos(source, dataset, PHOTOS_TO_TRY));
  await predict(client, screen, { model, choice });

  heading('Artifact');
  const file = join(folder, `${model}-v${version}.zip`);
  const bytes = await client.download(`/v1/models/${model}/versions/${version}/artifact?format=bundle`, file);
  screen.line(`  ${shown(file)}, ${formatBytes(bytes)}: labels, TensorFlow.js head, report, model card`);
  return { model, version, path, photo: await keepPhoto(folder, choice) };
}

async function upload(client: Client, screen: Screen, source: PhotoSource): Promise<Dataset> {
  const started = Date.now();
  let sent = 0;
  const rate = () => `${formatBytes(Math.round(sent / Math.max(0.05, (Date.now() - started) / 1000)))}/s`;
  const dataset = await client.upload<Dataset>('/v1/datasets', source.open(), {
    name: source.name,
    onBytes(bytes) {
      sent = bytes;
      // an archive's own headers come on top of the files
      screen.progress(Math.min(1, bytes / source.bytes), `${formatBytes(bytes)}  ${rate()}`);
    },
  });
  const seconds = formatSeconds((Date.now() - started) / 1000);
  screen.line(`  Sent ${basename(source.name)}, ${formatBytes(sent)}; checked and stored in ${seconds}`);
  return dataset;
}

async function predict(client: Client, screen: Screen, { model, choice }: { model: string; choice: Choice }) {
  const { photos, unseen } = choice;
  if (photos.length === 0) return screen.line('  No photo of the set is at hand to try it on.');
  const form = new FormData();
  for (const { name, bytes } of photos) form.append('file', new Blob([new Uint8Array(bytes)]), name);
  const answer = await client.post<Predictions>(`/v1/models/${model}/predict?top_k=${LABELS_TO_SHOW}`, form);
  showPredictions(screen, photos, answer);
  const source = unseen ? 'none of them was in the training' : 'most of them were in the training';
  screen.line();
  screen.line(`  ${plural(photos.length, 'photo')}, ${source}; answered in ${answer.timings.total_ms.toFixed(0)} ms`);
}

async function keepPhoto(folder: string, { photos }: Choice): Promise<string | undefined> {
  const [photo] = photos;
  if (!photo) return undefined;
  const path = join(folder, `photo${extname(photo.name).toLowerCase()}`);
  await writeFile(path, photo.bytes);
  return path;
}

/** A name as the service takes it, from that of a folder or an archive. */
export function modelName(path: string): string {
  const name = basename(path)
    .toLowerCase()
    .replace(/\.(zip|tar|tgz|tar\.gz)$/, '')
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^[^a-z0-9]+/, '')
    .slice(0, 64);
  return name === '' ? 'demo' : name;
}

function secondsOf({ started_at, finished_at }: Job): number {
  return (Date.parse(finished_at!) - Date.parse(started_at!)) / 1000;
}
