/** The service in this process with the backbone that it comes with, and training in it, too: no queue, no worker. */
import { join } from 'node:path';
import type { Test } from 'tap';
import { EmbeddedBackbones } from '../../src/backbones/embedded.js';
import { FeatureCache } from '../../src/backbones/feature-cache.js';
import { imageModality } from '../../src/backbones/image/modality.js';
import { PACKAGE_ROOT } from '../../src/config.js';
import type { Dataset } from '../../src/schemas/datasets.js';
import type { Job, JobSettings } from '../../src/schemas/jobs.js';
import type { VersionManifest } from '../../src/schemas/versions.js';
import { runTraining } from '../../src/training/run-training.js';
import { type AppForTest, appForTest } from './app.js';
import { zip } from './archives.js';

export async function imageAppForTest(t: Pick<Test, 'teardown'>, options: AppForTest = {}) {
  const app = await appForTest(t, {
    modality: imageModality({ maxPixels: 50_000_000, maxBytes: 32 * 2 ** 20 }),
    source: new EmbeddedBackbones({ folder: join(PACKAGE_ROOT, 'models') }),
    ...options,
    env: { DEFAULT_BACKBONE: 'rootstock_s', ...options.env },
  });
  const cache = await FeatureCache.open({ folder: join(app.folder, 'cache'), maxBytes: 2 ** 30 });
  t.teardown(() => cache.close());
  return {
    ...app,
    upload: (files: { name: string; bytes: Buffer }[]) =>
      app.json<Dataset>('/v1/datasets', {
        method: 'POST',
        body: zip(files.map((file) => ({ ...file, stored: true }))),
        status: 201,
      }),
    /** Submit a job and do what its worker would do. */
    train: async (settings: JobSettings & { dataset: string }): Promise<VersionManifest> => {
      const answer = await app.post('/v1/jobs', settings);
      if (answer.status !== 202) throw new Error(answer.text);
      const { id, backbone } = JSON.parse(answer.text) as Job;
      const { dataset, ...rest } = settings;
      await app.start({ id });
      const manifest = await runTraining({
        tenant: 'default',
        job: id,
        dataset,
        settings: { ...rest, backbone: backbone! },
        datasets: app.datasets,
        registry: app.registry,
        backbones: app.backbones,
        cache,
        onProgress: () => undefined,
        onEvent: () => undefined,
      });
      const { version, accuracy } = manifest;
      await app.end({ id }, { output: { version, accuracy } });
      return manifest;
    },
  };
}
