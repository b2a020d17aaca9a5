import { mkdir, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, extname, join, relative } from 'node:path';
import type { Dataset, Graft, Job } from '../client/index.js';
import { AppError } from '../errors.js';
import { formatBytes, formatSeconds, plural } from '../terminal/format.js';
import type { Screen } from '../terminal/screen.js';
import { type Choice, choosePhotos } from './choose-photos.js';
import { drawDataSet } from './draw-data-set.js';
import { followJob } from './follow-job.js';
import { photoSource } from './photo-source.js';
import { showDataset } from './show-dataset.js';
import { showPredictions } from './show-predictions.js';
import { showMistakes, showReport } from './show-report.js';
import { tryTexts } from './show-texts.js';
import { TEXTS, wordsOf } from './words.js';

const PHOTOS_TO_TRY = 6;
const LABELS_TO_SHOW = 3;

export interface RunDemoOptions {
  graft: Graft;
  screen: Screen;
  /** Folder or archive of photos, or a table of texts; undefined: draw some photos. */
  path: string | undefined;
  /** Whether `path` holds texts. */
  texts: boolean;
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
  /** A photo on disk, or a text, to try by hand, where there is one. */
  photo?: string | undefined;
  text?: string | undefined;
}

/** From photos or texts to predictions through the API of a running service, step by step. */
export async function runDemo(options: RunDemoOptions): Promise<DemoResult> {
  const { graft, screen, folder, signal } = options;
  const shown = (file: string) => relative(dirname(folder), file);
  const heading = (title: string) => screen.line(`\n${screen.paint.bold(title)}\n`);
  await graft.backbones.list({ signal }); // whether it is there at all, and the key is right, before anything is done
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
  const source = options.texts ? await textSource(path) : await photoSource(path, options);

  heading('Upload');
  const dataset = await upload(graft, screen, { path, name: source.name, signal });
  showDataset(screen, dataset);
  const words = wordsOf(dataset);

  heading('Train');
  const model = options.model ?? (drawn ? 'demo' : modelName(path));
  const settings = { model, ...(options.backbone && { backbone: options.backbone }) };
  const { id } = await graft.jobs.create({ dataset: dataset.id, ...settings }, { signal });
  const job = await followJob({ graft, screen, job: id, words, signal }).catch(async (error: unknown) => {
    if (signal.aborted) await cancel(graft, id); // who stops the demo does not want the job either
    throw error;
  });
  const version = job.version!;
  screen.line(`  Published version ${version} of \`${model}\`, ${formatSeconds(secondsOf(job))} after the job began`);

  heading('Result');
  showReport(screen, await graft.models.report(model, { version, signal }), words);
  showMistakes(screen, (await graft.models.heldOut(model, version, { wrong: true, limit: 1000, signal }).page()).data);

  heading('Predict');
  const tried: Pick<DemoResult, 'photo' | 'text'> = source.photos
    ? await tryPhotos(
        { graft, screen, model, folder, signal },
        drawn ?? (await choosePhotos(source, dataset, PHOTOS_TO_TRY)),
      )
    : { text: await tryTexts(graft, screen, { model, version, dataset, signal }) };

  heading('Artifact');
  const file = join(folder, `${model}-v${version}.zip`);
  const artifact = await graft.models.artifact(model, { version, format: 'bundle', signal });
  await writeFile(file, Buffer.from(await artifact.arrayBuffer()));
  const holds =
    words === TEXTS
      ? 'labels, head, report, model card, programs in Python and JavaScript'
      : 'labels, TensorFlow.js head, report, model card';
  screen.line(`  ${shown(file)}, ${formatBytes(artifact.size)}: ${holds}`);
  return { model, version, path, ...tried };
}

/** A table, or an archive of texts. @throws AppError `not_found` */
async function textSource(path: string): Promise<{ name: string; photos?: undefined }> {
  if ((await stat(path).catch(() => undefined))?.isFile()) return { name: basename(path) };
  throw new AppError('not_found', `There is no file ${path}. Name a table of texts and labels, or an archive.`);
}

async function upload(
  graft: Graft,
  screen: Screen,
  { path, name, signal }: { path: string; name: string; signal: AbortSignal },
): Promise<Dataset> {
  const started = Date.now();
  let bytes = 0;
  const rate = () => `${formatBytes(Math.round(bytes / Math.max(0.05, (Date.now() - started) / 1000)))}/s`;
  const dataset = await graft.datasets.create(path, {
    signal,
    onProgress(sent, total) {
      bytes = sent;
      screen.progress(sent / total, `${formatBytes(sent)}  ${rate()}`);
    },
  });
  const seconds = formatSeconds((Date.now() - started) / 1000);
  screen.line(`  Sent ${basename(name)}, ${formatBytes(bytes)}; checked and stored in ${seconds}`);
  return dataset;
}

/** Also after the signal; a service that does not answer is left alone. */
async function cancel(graft: Graft, job: string): Promise<void> {
  await graft.jobs.cancel(job, { signal: AbortSignal.timeout(2000) }).catch(() => undefined);
}

async function tryPhotos(
  options: Pick<RunDemoOptions, 'graft' | 'screen' | 'folder' | 'signal'> & { model: string },
  choice: Choice,
): Promise<Pick<DemoResult, 'photo'>> {
  const { graft, screen, folder, signal, model } = options;
  const { photos, unseen } = choice;
  if (photos.length === 0) {
    screen.line('  No photo of the set is at hand to try it on.');
    return {};
  }
  const files = photos.map(({ name, bytes }) => new File([new Uint8Array(bytes)], name));
  const answer = await graft.models.predict(model, files, { topK: LABELS_TO_SHOW, signal });
  showPredictions(screen, photos, answer);
  const source = unseen ? 'none of them was in the training' : 'most of them were in the training';
  screen.line();
  screen.line(`  ${plural(photos.length, 'photo')}, ${source}; answered in ${answer.timings.total_ms!.toFixed(0)} ms`);
  return { photo: await keepPhoto(folder, choice) };
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
    .replace(/\.(zip|tar|tgz|tar\.gz|csv|tsv|txt|jsonl|ndjson|json)(\.gz)?$/, '')
    .replace(/[^a-z0-9._-]+/g, '-')
    .replace(/^[^a-z0-9]+/, '')
    .slice(0, 64);
  return name === '' ? 'demo' : name;
}

function secondsOf({ started_at, finished_at }: Job): number {
  return (Date.parse(finished_at!) - Date.parse(started_at!)) / 1000;
}
