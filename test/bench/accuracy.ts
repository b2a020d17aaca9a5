/**
 * How good are models with default settings? For each backbone and data set: accuracy on the test part, beside multinomial
 * logistic regression (scikit-learn) on the same features, standardised, its penalty tuned by 3-fold cross-validation on
 * the training part.
 *
 *   npm run bench:accuracy [-- --json FILE] [dataset …]
 *
 * Reads real photos and weights from the shared folder beside the package (`GRAFT_SHARED`); says what is missing.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { backbonesOptions, datasetsOptions } from '../../src/composition.js';
import { loadConfig } from '../../src/config.js';
import { Datasets } from '../../src/datasets/datasets.js';
import { newId } from '../../src/ids.js';
import { Registry } from '../../src/registry/registry.js';
import type { Report } from '../../src/schemas.js';
import { FileStorage } from '../../src/storage/file-storage.js';
import { extractFeatures } from '../../src/training/extract-features.js';
import { runTraining } from '../../src/training/run-training.js';
import { splitDataset } from '../../src/training/split.js';
import { Backbones } from '../../src/vision/backbone.js';
import { FeatureCache } from '../../src/vision/feature-cache.js';
import { importBackbone } from '../../src/vision/onnx/import-backbone.js';
import { SHARED } from '../helpers/shared.js';

const { values, positionals } = parseArgs({ options: { json: { type: 'string' } }, allowPositionals: true });
const wanted = positionals.length > 0 ? positionals : ['clothing', 'cats-dogs', 'flowers'];

/** stdin: JSON {x: path of float32, y, part, d}; stdout: accuracy on the test rows. */
const YARDSTICK = `
import json, sys, warnings
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import StandardScaler
warnings.filterwarnings('ignore')
q = json.load(sys.stdin)
x, y, part = np.fromfile(q['x'], np.float32).reshape(-1, q['d']), np.array(q['y']), np.array(q['part'])
train, test = part == 'train', part == 'test'
scale = StandardScaler().fit(x[train])
search = GridSearchCV(LogisticRegression(max_iter=2000), {'C': [1e-4, 1e-3, 1e-2, 1e-1, 1]}, cv=3)
search.fit(scale.transform(x[train]), y[train])
print(search.score(scale.transform(x[test]), y[test]))
`;

const python = ['/usr/bin/python3', 'python3'].find((path) => spawnSync(path, ['-c', 'import sklearn']).status === 0);
if (!python) console.log('scikit-learn is not installed (Debian: python3-sklearn): no yardstick beside ours.');

const folder = await mkdtemp(join(tmpdir(), 'graft-accuracy-'));
const config = loadConfig({ DATA_DIR: folder, MODELS_DIR: join(folder, 'models') });
const storage = new FileStorage({ root: folder });
const datasets = new Datasets(datasetsOptions(config, storage));
const registry = new Registry({ storage });
const cache = await FeatureCache.open({ folder, maxBytes: config.FEATURE_CACHE_BYTES });
const limits = { maxPixels: config.MAX_IMAGE_PIXELS };
const figures: { name: string; value: number; goal: number; reached: boolean }[] = [];
try {
  await cp(join(loadConfig({}).MODELS_DIR, 'rootstock_s'), join(folder, 'models', 'rootstock_s'), { recursive: true });
  const ids = ['rootstock_s'];
  const mobilenet = join(SHARED, 'backbones', 'mobilenet_v2', 'classifier.onnx');
  if (existsSync(mobilenet)) {
    for (const [id, levels] of [
      ['mobilenet_v2_last', 1],
      ['mobilenet_v2', undefined],
    ] as const) {
      const preset = 'tf';
      await importBackbone({ file: mobilenet, id, preset, modelsDir: config.MODELS_DIR, ...(levels && { levels }) });
      ids.push(id);
    }
  } else console.log(`${mobilenet} is not here: mobilenet_v2 is left out.`);
  const backbones = new Backbones(backbonesOptions(config));

  console.log(
    '| data set | backbone | features | head | Graft | logistic regression | difference, points | features, s | head, s |',
  );
  console.log('|---|---|---|---|---|---|---|---|---|');
  for (const name of wanted) {
    const path = join(SHARED, 'datasets', name);
    if (!existsSync(path)) {
      console.log(`${path} is not here: left out.`);
      continue;
    }
    const tar = spawn('tar', ['-c', '-C', join(SHARED, 'datasets'), name], { stdio: ['ignore', 'pipe', 'inherit'] });
    const { id: dataset } = await datasets.create({ tenant: 'bench', source: tar.stdout, name: `${name}.tar` });
    for (const backbone of ids) {
      const manifest = await runTraining({
        tenant: 'bench',
        job: newId('job'),
        dataset,
        settings: { model: `${name}-${backbone}`, backbone },
        datasets,
        registry,
        backbones,
        cache,
        limits,
        onProgress: () => undefined,
        onEvent: () => undefined,
      });
      const report: Report = JSON.parse((await registry.read('bench', manifest, 'report.json')).toString());
      const ours = report.evaluation!.accuracy * 100;
      const theirs = python ? (await yardstick(dataset, backbones, backbone)) * 100 : Number.NaN;
      const points = ours - theirs;
      const { features_seconds: features, head_seconds: head } = report.timings;
      console.log(
        `| ${name} | ${backbone} | ${report.backbone.dimensions} | ${manifest.head} λ ${report.settings.weight_decay} | ${ours.toFixed(1)} % | ${theirs.toFixed(1)} % | ${points >= 0 ? '+' : ''}${points.toFixed(1)} | ${features.toFixed(1)} | ${head.toFixed(1)} |`,
      );
      figures.push({
        name: `${name} ${backbone}: accuracy against tuned logistic regression, points`,
        value: points,
        goal: -1,
        reached: points >= -1,
      });
    }
  }
  if (values.json) await writeFile(values.json, JSON.stringify({ figures }, null, 2));
} finally {
  await cache.close();
  await rm(folder, { recursive: true, force: true });
}

/** Accuracy of tuned logistic regression on the same features and parts. */
async function yardstick(dataset: string, backbones: Backbones, id: string): Promise<number> {
  const { entries, readImage } = await datasets.open('bench', dataset);
  const backbone = await backbones.load(id);
  const { x } = await extractFeatures({
    entries,
    readImage,
    backbone,
    cache,
    limits,
    augmentation: undefined,
    onProgress: () => undefined,
    onCacheError: () => undefined,
  });
  const parts = splitDataset(entries, { seed: 0, testFraction: 0.2, validationFraction: undefined });
  const part = entries.map(() => 'validation');
  for (const index of parts.train) part[index] = 'train';
  for (const index of parts.test) part[index] = 'test';
  const file = join(folder, 'features.f32');
  await writeFile(file, new Uint8Array(x.buffer));
  const input = JSON.stringify({
    x: file,
    y: entries.map(({ label }) => label),
    part,
    d: backbone.card.features.dimensions,
  });
  return Number(execFileSync(python!, ['-c', YARDSTICK], { input, encoding: 'utf8' }));
}
