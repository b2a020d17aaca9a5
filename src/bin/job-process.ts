/** Entry point of the process that runs one job: reads the record from its parent, trains, publishes, ends. */

import { Backbones } from '../backbones/backbones.js';
import { FeatureCache } from '../backbones/feature-cache.js';
import { loadConfig } from '../config.js';
import { Datasets } from '../datasets/datasets.js';
import { AppError } from '../errors.js';
import type { JobMessage, RunMessage } from '../jobs/job-messages.js';
import { standBack } from '../jobs/stand-back.js';
import { Registry } from '../registry/registry.js';
import { openStorage } from '../storage/open-storage.js';
import { backbonesOptions, datasetsOptions } from './composition.js';

const tell = (message: JobMessage, then: () => void = () => undefined) => {
  if (process.connected) process.send!(message, then);
};
/** The last word: this process ends when its parent has it. */
const tellAndExit = (message: JobMessage) => tell(message, () => process.exit(0));

// SIGTERM has no handler: an orderly exit while the backbone's thread computes ends in an abort of the native library.
// Without a worker nobody would know of the end, so its going away ends this process in the same way.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
process.once('message', (message: unknown) => void run((message as RunMessage).record));

async function run({ tenant, id, dataset, settings }: RunMessage['record']): Promise<void> {
  try {
    const config = loadConfig(process.env);
    standBack(config.JOB_NICE);
    const opened = await openStorage(config);
    const backbones = new Backbones(backbonesOptions(config, opened.storage));
    // In its own thread, while this one loads its modules; if it fails, training says so.
    backbones.load(settings.backbone).catch(() => undefined);
    const { runTraining } = await import('../training/run-training.js');
    const cache = await FeatureCache.open({ folder: config.CACHE_DIR, maxBytes: config.FEATURE_CACHE_BYTES });
    const { version, accuracy } = await runTraining({
      tenant,
      job: id,
      dataset,
      settings,
      datasets: new Datasets(datasetsOptions(config, opened)),
      registry: new Registry(opened),
      backbones,
      cache,
      onProgress: (progress) => tell({ type: 'progress', progress }),
      onEvent: (event) => tell({ type: 'event', event }),
    });
    await cache.close();
    tellAndExit({ type: 'done', version, accuracy });
  } catch (error) {
    const known = error instanceof AppError;
    if (!known) process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
    const message = known ? error.message : 'An unexpected error ended the job; the worker logged it.';
    tellAndExit({ type: 'failed', code: known ? error.code : 'internal', message });
  }
}
