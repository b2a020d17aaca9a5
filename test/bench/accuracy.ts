/**
 * How good are models? For each backbone and data set of the shared folder beside the package (`GRAFT_SHARED`; says what is
 * missing):
 *   times     how long one job takes from nothing: features and head; the only part that wants the machine for itself
 *   heads     accuracy of each kind of head with default settings, beside tuned logistic regression (scikit-learn) on the
 *             same features: on the given test part, and as a mean over random splits, since 120 photos tell no half points
 *   few       1, 2, 5 and 10 training images per class, and one class with a hundredth of the images of the others
 *   augment   what varied copies of the training images bring
 *
 *   npm run bench:accuracy [-- --json FILE] [--only times,heads,few,augment] [--splits 5] [--backbone ID]… [data set]…
 */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { splitDataset } from '../../src/training/stages/split.js';
import { openWorkbench } from './accuracy/features.js';
import { atMost, mean, randomSplit, standardError, trial } from './accuracy/trial.js';
import { hasYardstick, yardstick } from './accuracy/yardstick.js';

const { values, positionals } = parseArgs({
  options: {
    json: { type: 'string' },
    only: { type: 'string', default: 'times,heads,few,augment' },
    splits: { type: 'string', default: '5' },
    backbone: { type: 'string', multiple: true },
  },
  allowPositionals: true,
});
const sections = values.only.split(',');
const DRAWS = 10;
const names = positionals.length > 0 ? positionals : ['clothing', 'cats-dogs', 'flowers'];
const percent = (share: number) => (100 * share).toFixed(1);
const signed = (points: number) => `${points >= 0 ? '+' : ''}${points.toFixed(1)}`;
const row = (cells: (string | number)[]) => console.log(`| ${cells.join(' | ')} |`);
const header = (cells: string[]) => {
  console.log();
  row(cells);
  row(cells.map(() => '---'));
};

const folder = await mkdtemp(join(tmpdir(), 'graft-accuracy-'));
const workbench = await openWorkbench(folder);
const backbones = workbench.networks.filter((id) => !values.backbone || values.backbone.includes(id));
const figures: { name: string; value: number; goal: number; reached: boolean }[] = [];
const figure = (name: string, value: number, goal: number) => {
  figures.push({ name, value, goal, reached: value >= goal });
};
try {
  const sets: { name: string; id: string }[] = [];
  for (const name of names) {
    const id = await workbench.upload(name);
    if (id) sets.push({ name, id });
  }
  if (sections.includes('times')) await times(sets); // first: what comes after finds its features in the cache
  if (sections.includes('heads')) await heads(sets);
  if (sections.includes('few')) {
    await fewImages(sets);
    await unevenClasses(sets);
  }
  if (sections.includes('augment')) await augmentation(sets);
  if (values.json) await writeFile(values.json, JSON.stringify({ figures }, null, 2));
} finally {
  await workbench.close();
  await rm(folder, { recursive: true, force: true });
}

async function times(sets: { name: string; id: string }[]): Promise<void> {
  console.log('\nOne job with default settings, from nothing.');
  header(['data set', 'images', 'backbone', 'features, s', 'images/s', 'head, s', 'all, s']);
  for (const { name, id } of sets) {
    for (const backbone of backbones) {
      const { timings, dataset } = await workbench.train(id, { model: `${name}-${backbone}`, backbone });
      row([
        name,
        dataset.examples,
        backbone,
        timings.features_seconds.toFixed(1),
        timings.examples_per_second?.toFixed(0) ?? '',
        timings.head_seconds.toFixed(1),
        timings.total_seconds.toFixed(1),
      ]);
    }
  }
}

async function heads(sets: { name: string; id: string }[]): Promise<void> {
  if (!hasYardstick) console.log('scikit-learn is not installed (Debian: python3-sklearn): no logistic regression.');
  console.log(
    '\nAccuracy in percent. 5-shot: prototypes of 5 images per class, mean of ten draws. Means: over random 80 : 20 splits.',
  );
  header([
    'data set',
    'backbone',
    'features',
    'auto',
    'linear',
    'mlp',
    '5-shot prototype',
    'logistic regression',
    'auto, mean',
    'logistic regression, mean',
    'difference, points',
  ]);
  const lastLayer = new Map<string, number>();
  const several = new Map<string, number>();
  for (const { name, id } of sets) {
    for (const backbone of backbones) {
      const report = await workbench.train(id, { model: `${name}-${backbone}`, backbone });
      const features = await workbench.features(id, backbone);
      const { entries, x, dimensions } = features;
      const given = splitDataset(entries, { seed: 0, testFraction: 0.2, validationFraction: undefined });
      const known = [...given.train, ...given.validation];
      const own = async (head: 'linear' | 'mlp') =>
        (await workbench.train(id, { model: `${name}-${backbone}-${head}`, backbone, head })).evaluation!.accuracy;
      const shots: number[] = [];
      for (let draw = 0; draw < DRAWS; draw += 1) {
        const rows = atMost(features, { train: known, test: given.test }, draw, () => 5);
        shots.push((await trial(features, rows, 'prototype')).accuracy);
      }
      const splits = Array.from({ length: Number(values.splits) }, (_, seed) => randomSplit(features, seed));
      const ours: number[] = [];
      for (const rows of splits) ours.push((await trial(features, rows, 'auto')).accuracy);
      const theirs = hasYardstick
        ? await yardstick({
            x,
            dimensions,
            labels: entries.map(({ label }) => label),
            splits: [{ train: given.train, test: given.test }, ...splits],
            file: join(folder, 'features.f32'),
          })
        : [];
      const [once, ...repeated] = theirs;
      const gaps = ours.map((value, i) => 100 * (value - (repeated[i] ?? Number.NaN)));
      const auto = report.evaluation!.accuracy;
      row([
        name,
        backbone,
        dimensions,
        percent(auto),
        percent(await own('linear')),
        percent(await own('mlp')),
        percent(mean(shots)),
        once === undefined ? '' : percent(once),
        ours.length ? percent(mean(ours)) : '',
        repeated.length ? percent(mean(repeated)) : '',
        repeated.length ? `${signed(mean(gaps))} ± ${standardError(gaps).toFixed(1)}` : '',
      ]);
      if (once !== undefined) {
        if (backbone === 'mobilenet_v2_last') lastLayer.set(name, once);
        if (backbone === 'mobilenet_v2') several.set(name, auto);
        figure(`${name}, ${backbone}: auto over logistic regression, points`, 100 * (auto - once), -0.5);
      }
      if (repeated.length) {
        figure(`${name}, ${backbone}: auto over logistic regression, mean of splits, points`, mean(gaps), -0.5);
      }
    }
  }
  const [five, last] = [several.get('clothing'), lastLayer.get('clothing')];
  if (five !== undefined && last !== undefined) {
    const points = 100 * (five - last);
    console.log(
      `\nclothing: auto on several depths of mobilenet_v2 over logistic regression on the last: ${signed(points)} points`,
    );
    figure('clothing: mobilenet_v2 at several depths over logistic regression on its last layer, points', points, 1.5);
  }
}

async function fewImages(sets: { name: string; id: string }[]): Promise<void> {
  console.log('\nFew images per class: accuracy in percent, mean of ten draws.');
  header(['data set', 'backbone', 'head', '1', '2', '5', '10']);
  for (const { name, id } of sets) {
    for (const backbone of backbones.filter((b) => b === 'rootstock_s' || b === 'mobilenet_v2')) {
      const features = await workbench.features(id, backbone);
      for (const head of ['auto', 'prototype'] as const) {
        const cells: string[] = [];
        for (const images of [1, 2, 5, 10]) {
          const found: number[] = [];
          for (let draw = 0; draw < DRAWS; draw += 1) {
            const rows = atMost(features, randomSplit(features, draw), draw, () => images);
            found.push((await trial(features, rows, head)).accuracy);
          }
          cells.push(percent(mean(found)));
        }
        row([name, backbone, head, ...cells]);
      }
    }
  }
}

async function unevenClasses(sets: { name: string; id: string }[]): Promise<void> {
  console.log(
    '\nOne class with a hundredth of the training images of the others (100 and 1): mean recall in percent, ten draws.',
  );
  header(['data set', 'backbone', 'linear', 'linear, balanced', 'prototype']);
  for (const { name, id } of sets) {
    for (const backbone of backbones.filter((b) => b === 'rootstock_s' || b === 'mobilenet_v2')) {
      const features = await workbench.features(id, backbone);
      const rare = [...new Set(features.entries.map(({ label }) => label))].sort()[0]!;
      const cells: string[] = [];
      for (const [head, balanced] of [
        ['linear', false],
        ['linear', true],
        ['prototype', false],
      ] as const) {
        const found: number[] = [];
        for (let draw = 0; draw < DRAWS; draw += 1) {
          const rows = atMost(features, randomSplit(features, draw), draw, (label) => (label === rare ? 1 : 100));
          found.push((await trial(features, rows, head, balanced)).recall);
        }
        cells.push(percent(mean(found)));
      }
      row([name, backbone, ...cells]);
    }
  }
}

async function augmentation(sets: { name: string; id: string }[]): Promise<void> {
  console.log(
    '\nAugmentation: two copies of each training image, flipped and cropped; accuracy in percent on the test part.',
  );
  header(['data set', 'backbone', 'without', 'with', 'gain, points', 'log-loss without', 'with', 'features, s']);
  for (const { name, id } of sets) {
    for (const backbone of backbones.filter((b) => b === 'rootstock_s' || b === 'mobilenet_v2')) {
      const hyperparameters = { augmentation: { copies: 2 } };
      const settings = { model: `${name}-${backbone}-augmented`, backbone, hyperparameters };
      const { augmentation: gained, timings } = await workbench.train(id, settings);
      row([
        name,
        backbone,
        percent(gained!.accuracy_without),
        percent(gained!.accuracy),
        signed(gained!.gain_points),
        gained!.log_loss_without.toFixed(3),
        gained!.log_loss.toFixed(3),
        timings.features_seconds.toFixed(1),
      ]);
    }
  }
}
