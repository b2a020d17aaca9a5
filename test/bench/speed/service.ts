import { existsSync } from 'node:fs';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadConfig } from '../../../src/config.js';
import { importInto } from '../../helpers/backbones.js';
import { serviceForTest, type TestService } from '../../helpers/service.js';
import { SHARED } from '../../helpers/shared.js';

/** The backbone of all figures: MobileNetV2 at 224 px, its last level, as the peers have it. */
export const BACKBONE = 'mobilenet_v2';
export const CLASSIFIER = join(SHARED, 'backbones', 'mobilenet_v2', 'classifier.onnx');

export interface BenchService extends TestService {
  port: number;
}

/** A folder of backbones: MobileNetV2, imported, and the embedded default. Removed by `remove`. */
export async function modelsFolder(): Promise<{ path: string; remove(): Promise<void> }> {
  if (!existsSync(CLASSIFIER)) throw new Error(`${CLASSIFIER} is not here; it is what is measured.`);
  const path = await mkdtemp(join(tmpdir(), 'graft-bench-models-'));
  await cp(join(loadConfig({}).MODELS_DIR, 'rootstock_s'), join(path, 'rootstock_s'), { recursive: true });
  await importInto(path, { file: CLASSIFIER, id: BACKBONE, preset: 'tf', levels: 1 });
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

/** Graft with its default settings but for the backbone: Redis, server and worker; stopped when `use` has ended. */
export async function withService<T>(
  options: { models: string; env?: NodeJS.ProcessEnv; worker?: boolean },
  use: (service: BenchService) => Promise<T>,
): Promise<T> {
  let stop: (() => Promise<void>) | undefined;
  const service = await serviceForTest(
    {
      teardown: (fn) => {
        stop = fn;
      },
    },
    {
      env: {
        JOB_NICE: String(loadConfig({}).JOB_NICE),
        MODELS_DIR: options.models,
        DEFAULT_BACKBONE: BACKBONE,
        LOG_LEVEL: 'info',
        ...options.env,
      },
      log: 'ignore',
      ...(options.worker !== undefined && { worker: options.worker }),
    },
  ).catch(async (error: unknown) => {
    await stop?.();
    throw error;
  });
  try {
    return await use({ ...service, port: Number(new URL(service.url).port) });
  } finally {
    await stop!();
  }
}
