import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { Backbones } from '../../../src/backbones/backbones.js';
import { FeatureCache } from '../../../src/backbones/feature-cache.js';
import { backbonesOptions, datasetsOptions } from '../../../src/bin/composition.js';
import { loadConfig } from '../../../src/config.js';
import { Datasets } from '../../../src/datasets/datasets.js';
import { newId } from '../../../src/ids.js';
import { onlyDense } from '../../../src/numbers/features.js';
import { Registry } from '../../../src/registry/registry.js';
import type { LabelledExample } from '../../../src/schemas/datasets.js';
import type { JobSettings } from '../../../src/schemas/jobs.js';
import type { Report } from '../../../src/schemas/report.js';
import type { VersionManifest } from '../../../src/schemas/versions.js';
import { openStorage } from '../../../src/storage/open-storage.js';
import { labelledExamples } from '../../../src/training/labelled-examples.js';
import { runTraining } from '../../../src/training/run-training.js';
import { extractFeatures } from '../../../src/training/extract/extract-features.js';
import { importInto } from '../../helpers/backbones.js';
import { SHARED } from '../../helpers/shared.js';

/** Real networks as they are imported by default, and one by its last layer alone, for comparison. */
const NETWORKS: { id: string; file: string; preset: string; levels?: number }[] = [
  { id: 'mobilenet_v2', file: 'mobilenet_v2/classifier.onnx', preset: 'tf' },
  { id: 'mobilenet_v2_last', file: 'mobilenet_v2/classifier.onnx', preset: 'tf', levels: 1 },
  { id: 'mobilenet_v1_025', file: 'mobilenet_v1_025/classifier.onnx', preset: 'tf' },
  { id: 'squeezenet1_1', file: 'squeezenet1_1/classifier.onnx', preset: 'imagenet' },
  { id: 'resnet50v2_stage3', file: 'resnet50v2_stage3/extractor.onnx', preset: 'imagenet' },
];
const TENANT = 'bench';

export interface Features {
  entries: LabelledExample[];
  /** float32 `[N, D]`, raw */
  x: Float32Array;
  dimensions: number;
}

/** The parts of Graft that train, over a folder that is thrown away. Says what is missing. */
export async function openWorkbench(
  folder: string,
  { only, files = [] }: { only?: string; files?: typeof NETWORKS } = {},
) {
  const config = loadConfig({ DATA_DIR: folder, MODELS_DIR: join(folder, 'models') });
  const opened = await openStorage(config);
  const { storage } = opened;
  const datasets = new Datasets(datasetsOptions(config, opened));
  const registry = new Registry({ storage });
  const cache = await FeatureCache.open({ folder, maxBytes: config.FEATURE_CACHE_BYTES });
  for (const id of ['rootstock_s', 'ngrams']) {
    await cp(join(loadConfig({}).MODELS_DIR, id), join(folder, 'models', id), { recursive: true });
  }
  const networks = ['rootstock_s'];
  for (const { file, ...options } of [...NETWORKS, ...files]) {
    if (only !== undefined && options.id !== only) continue;
    const path = resolve(SHARED, 'backbones', file);
    if (existsSync(path)) {
      await importInto(config.MODELS_DIR, { file: path, ...options });
      networks.push(options.id);
    } else console.log(`${path} is not here: ${options.id} is left out.`);
  }
  const backbones = new Backbones(backbonesOptions(config, storage));

  return {
    networks,
    close: () => cache.close(),

    /**
     * Upload a folder of the shared data sets; undefined where it is not here.
     * @param options photos: of its training part only so many, as many of each class; merged: without its parts
     */
    async upload(
      name: string,
      { photos, merged = false }: { photos?: number | undefined; merged?: boolean } = {},
    ): Promise<string | undefined> {
      const source = join(SHARED, 'datasets', name);
      if (!existsSync(source)) {
        console.log(`${source} is not here: left out.`);
        return undefined;
      }
      const stdio: ['pipe', 'pipe', 'inherit'] = ['pipe', 'pipe', 'inherit'];
      const parent = join(SHARED, 'datasets');
      // The part becomes the beginning of the file's name.
      const merging = ['--transform', 's,/\\(train\\|test\\|validation\\)/\\([^/]*\\)/,/\\2/\\1-,'];
      const tar = spawn('tar', ['-c', '-C', parent, ...(merged ? merging : []), '-T', '-'], { stdio });
      tar.stdin.end(photos === undefined ? name : fewOf(parent, name, photos).join('\n'));
      return (await datasets.create({ tenant: TENANT, by: 'local', source: tar.stdout, name: `${name}.tar` })).id;
    },

    /** An archive or a table as a data set. */
    async create(name: string, source: Readable): Promise<string> {
      return (await datasets.create({ tenant: TENANT, by: 'local', source, name })).id;
    },

    /** A whole job, as a worker runs it. */
    async train(dataset: string, settings: JobSettings & { backbone: string }): Promise<Report> {
      return (await this.publish(dataset, settings)).report;
    },

    /** The same, with what was published. */
    async publish(
      dataset: string,
      settings: JobSettings & { backbone: string },
    ): Promise<{ report: Report; manifest: VersionManifest }> {
      const manifest = await runTraining({
        tenant: TENANT,
        job: newId('job'),
        dataset,
        settings,
        datasets,
        registry,
        backbones,
        cache,
        onProgress: () => undefined,
        onEvent: () => undefined,
      });
      const report = JSON.parse((await registry.read(TENANT, manifest, 'report.json')).toString()) as Report;
      return { report, manifest };
    },

    /** Features of all images, from the cache after a job. */
    async features(dataset: string, id: string): Promise<Features> {
      const { examples, readForward } = await datasets.open(TENANT, dataset);
      const entries = labelledExamples(examples);
      const backbone = await backbones.load(id);
      const { features } = await extractFeatures({
        examples: entries,
        readForward,
        backbone,
        cache,
        vary: undefined,
        augmentation: undefined,
        onProgress: () => undefined,
        onCacheError: () => undefined,
      });
      return { entries, x: onlyDense(features).values, dimensions: features.columns };
    },
  };
}

/** Some files of the training part, as many of each class, and all of the test part. */
function fewOf(parent: string, name: string, photos: number): string[] {
  const classes = readdirSync(join(parent, name, 'train')).sort();
  const few = classes.flatMap((label) => {
    const folder = join(name, 'train', label);
    const files = readdirSync(join(parent, folder)).sort();
    return files.slice(0, Math.round(photos / classes.length)).map((file) => join(folder, file));
  });
  return [...few, join(name, 'test')];
}
