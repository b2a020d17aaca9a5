/**
 * Does the data doctor find what is wrong? Faults are planted in real data sets and looked for.
 *  - 5 % of the labels changed, to any other class, or to the class the image is most like: precision and recall. Errors
 *    that were in the data before count against precision.
 *  - Copies of 60 photos, each changed in six ways: the share found, and groups that nobody planted.
 *  - Photos of other things, noise and blanks: the share listed as outliers, and how many others are.
 *
 *   npm run bench:doctor [-- --json FILE] [dataset …]
 *
 * Reads real photos and weights from the shared folder beside the package (`GRAFT_SHARED`); says what is missing.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { Backbones } from '../../src/backbones/backbones.js';
import type { Backbone } from '../../src/backbones/contract.js';
import { FeatureCache } from '../../src/backbones/feature-cache.js';
import { backbonesOptions } from '../../src/bin/composition.js';
import { loadConfig } from '../../src/config.js';
import { dense, onlyDense } from '../../src/numbers/features.js';
import { seededRandom, shuffled } from '../../src/numbers/random.js';
import type { Split } from '../../src/schemas/common.js';
import type { LabelledExample } from '../../src/schemas/datasets.js';
import { FileStorage } from '../../src/storage/file-storage.js';
import { examineData } from '../../src/training/doctor/examine-data.js';
import { outOfFold } from '../../src/training/doctor/out-of-fold.js';
import { extractFeatures } from '../../src/training/extract/extract-features.js';
import { IMAGES, importInto } from '../helpers/backbones.js';
import { COPIES, foreignPictures, standardised } from '../helpers/planted.js';
import { SHARED } from '../helpers/shared.js';

interface Item {
  entry: LabelledExample;
  bytes: Buffer;
}

const { values, positionals } = parseArgs({ options: { json: { type: 'string' } }, allowPositionals: true });
const wanted = positionals.length > 0 ? positionals : ['cats-dogs', 'flowers', 'clothing'];
const COPIED_PHOTOS = 60;
const FOREIGN_PHOTOS = 10;
const SEEDS = [0, 1, 2];
const PENALTY = 0.3;

const folder = await mkdtemp(join(tmpdir(), 'graft-doctor-'));
const config = loadConfig({ DATA_DIR: folder, MODELS_DIR: join(folder, 'models') });
const cache = await FeatureCache.open({ folder, maxBytes: config.FEATURE_CACHE_BYTES });
const figures: { name: string; value: number }[] = [];
try {
  await cp(join(loadConfig({}).MODELS_DIR, 'rootstock_s'), join(folder, 'models', 'rootstock_s'), { recursive: true });
  const ids = ['rootstock_s'];
  const mobilenet = join(SHARED, 'backbones', 'mobilenet_v2', 'classifier.onnx');
  if (existsSync(mobilenet)) {
    await importInto(config.MODELS_DIR, { file: mobilenet, id: 'mobilenet_v2', preset: 'tf' });
    ids.push('mobilenet_v2');
  } else console.log(`${mobilenet} is not here: mobilenet_v2 is left out.`);
  const backbones = new Backbones(backbonesOptions(config, new FileStorage({ root: folder })));
  console.log('| data set | backbone | what was planted | found | precision | listed beside | seconds |');
  console.log('|---|---|---|---|---|---|---|');
  for (const name of wanted) {
    const path = join(SHARED, 'datasets', name);
    if (!existsSync(path)) {
      console.log(`${path} is not here: left out.`);
      continue;
    }
    for (const id of ids) {
      const backbone = await backbones.load(id);
      await wrongLabels(name, backbone);
      await copiesAndForeigners(name, backbone);
    }
  }
  if (values.json) await writeFile(values.json, JSON.stringify({ figures }, null, 2));
} finally {
  await cache.close();
  await rm(folder, { recursive: true, force: true });
}
process.exit(0);

function photosOf(name: string): Item[] {
  const root = join(SHARED, 'datasets', name);
  return readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((file) => /\.(jpe?g|png|webp)$/i.test(file))
    .sort()
    .map((file) => {
      const parts = file.split('/');
      const split = parts.length > 2 ? (parts[0] as Split) : 'train';
      return item(file, parts.at(-2)!, split, readFileSync(join(root, file)));
    });
}

function item(name: string, label: string, split: Split, bytes: Buffer): Item {
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return { entry: { name, label, split, sha256, offset: 0, bytes: bytes.length, origin: 'upload' }, bytes };
}

async function examine(items: Item[], backbone: Backbone, seed: number) {
  const bytes = new Map(items.map(({ entry, bytes }) => [entry.sha256, bytes]));
  const readContent = async (entry: LabelledExample) => bytes.get(entry.sha256)!;
  const entries = items.map(({ entry }) => entry);
  const { features } = await extractFeatures({
    examples: entries,
    async *readForward(wanted) {
      for (const entry of wanted) yield readContent(entry);
    },
    backbone,
    cache,
    vary: undefined,
    augmentation: undefined,
    onProgress: () => undefined,
    onCacheError: () => undefined,
  });
  const labels = [...new Set(entries.map(({ label }) => label))].sort();
  const request = {
    entries,
    features: dense(standardised(onlyDense(features).values, features.columns), features.columns),
    y: Int32Array.from(entries, ({ label }) => labels.indexOf(label)),
    labels,
    splits: entries.map(({ split }) => split!),
    weightDecay: PENALTY,
    seed,
    readContent,
    similarity: IMAGES.similarity,
    odd: undefined,
  };
  return { request, findings: await examineData(request) };
}

async function wrongLabels(name: string, backbone: Backbone): Promise<void> {
  const clean = photosOf(name);
  for (const kind of ['any other', 'the likeliest other'] as const) {
    let [found, listed, planted, seconds] = [0, 0, 0, 0];
    for (const seed of SEEDS) {
      const items = clean.map(({ entry, bytes }) => ({ entry: { ...entry }, bytes }));
      const random = seededRandom(seed, 'planted');
      const chosen = shuffled([...items.keys()], random).slice(0, Math.round(items.length / 20));
      const labels = [...new Set(items.map(({ entry }) => entry.label))].sort();
      const likeliest = kind === 'any other' ? undefined : await likeliestOther(clean, backbone, labels, seed);
      for (const index of chosen) {
        const { entry } = items[index]!;
        const others = labels.filter((label) => label !== entry.label);
        entry.label = likeliest ? likeliest[index]! : others[Math.floor(random() * others.length)]!;
      }
      const { findings } = await examine(items, backbone, seed);
      const bad = new Set(chosen.map((index) => items[index]!.entry.name));
      found += findings.label_errors.items.filter((row) => bad.has(row.name)).length;
      listed += findings.label_errors.items.length;
      planted += bad.size;
      seconds += findings.seconds;
    }
    row(
      name,
      backbone,
      `5 % of the labels, to ${kind}`,
      found / planted,
      found / listed,
      (listed - found) / SEEDS.length,
      seconds / SEEDS.length,
    );
  }
}

async function likeliestOther(items: Item[], backbone: Backbone, labels: string[], seed: number): Promise<string[]> {
  const { request } = await examine(items, backbone, seed);
  const K = labels.length;
  const { probabilities } = await outOfFold({ ...request, classes: K, groups: [] });
  return items.map(({ entry }, index) => {
    const p = probabilities.subarray(index * K, (index + 1) * K);
    return labels
      .map((label, k) => ({ label, p: p[k]! }))
      .filter(({ label }) => label !== entry.label)
      .sort((a, b) => b.p - a.p)[0]!.label;
  });
}

async function copiesAndForeigners(name: string, backbone: Backbone): Promise<void> {
  const items = photosOf(name);
  const photos = items.length;
  const random = seededRandom(0, 'planted');
  const copied = shuffled([...items.keys()], random).slice(0, COPIED_PHOTOS);
  for (const [kind, change] of Object.entries(COPIES)) {
    // Each copy in a data set of its own would be the usual case: six at once are neighbours of each other.
    const copies = await Promise.all(
      copied.map(async (index) => {
        const { entry, bytes } = items[index]!;
        return item(`${kind} ${entry.name}`, entry.label, 'test', await change(bytes));
      }),
    );
    const { findings } = await examine([...items, ...copies], backbone, 0);
    const groups = findings.near_duplicates.items.map(({ examples: images }) => images.map((image) => image.name));
    const found = copied.filter((index) => {
      const original = items[index]!.entry.name;
      return groups.some((names) => names.includes(original) && names.includes(`${kind} ${original}`));
    }).length;
    const foreign = groups.filter((names) => !names.some((one) => one.startsWith(kind))).length;
    row(
      name,
      backbone,
      `${copied.length} copies, ${kind}`,
      found / copied.length,
      undefined,
      foreign,
      findings.seconds,
    );
  }
  const folder = join(SHARED, 'datasets', 'imagenet-val');
  const foreigners = shuffled(
    readdirSync(folder)
      .filter((file) => /jpe?g$/i.test(file))
      .sort(),
    random,
  )
    .slice(0, FOREIGN_PHOTOS)
    .map((file) => ({ kind: 'photo', bytes: readFileSync(join(folder, file)) }));
  const pictures = [...foreigners, ...(await foreignPictures(random))];
  const planted = pictures.map(({ kind, bytes }, i) =>
    item(`planted ${kind} ${i}`, items[(i * 37) % photos]!.entry.label, 'train', bytes),
  );
  const { findings } = await examine([...items, ...planted], backbone, 0);
  const listed = findings.outliers.items.map((image) => image.name);
  for (const kind of ['photo', 'noise', 'blank']) {
    const all = planted.filter(({ entry }) => entry.name.startsWith(`planted ${kind}`));
    const found = all.filter(({ entry }) => listed.includes(entry.name)).length;
    row(
      name,
      backbone,
      `${all.length} foreign, ${kind}`,
      found / all.length,
      undefined,
      listed.filter((one) => !one.startsWith('planted')).length,
      findings.seconds,
    );
  }
}

function row(
  name: string,
  backbone: Backbone,
  what: string,
  recall: number,
  precision: number | undefined,
  beside: number,
  seconds: number,
): void {
  const percent = (value: number | undefined) => (value === undefined ? '' : `${(value * 100).toFixed(0)} %`);
  const { id } = backbone.card;
  console.log(
    `| ${name} | ${id} | ${what} | ${percent(recall)} | ${percent(precision)} | ${beside.toFixed(1)} | ${seconds.toFixed(1)} |`,
  );
  figures.push({ name: `${name} ${id}: ${what}: found`, value: recall });
  if (precision !== undefined) figures.push({ name: `${name} ${id}: ${what}: precision`, value: precision });
}
