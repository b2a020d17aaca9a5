/**
 * The whole HTTP service in this process, asked by injection: real storage contract, data sets, registry, jobs, predictor and
 * heads; the queue, live state and backbone are light stand-ins. Nothing listens, nothing is mocked.
 */
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { InjectOptions } from 'fastify';
import type { Test } from 'tap';
import { KeyRing } from '../../src/access/key-ring.js';
import { ALL_SCOPES, type Scope } from '../../src/access/scopes.js';
import { Artifacts } from '../../src/artifacts/artifacts.js';
import { catalogOf } from '../../src/bin/composition.js';
import { Backbones } from '../../src/backbones/backbones.js';
import type { Modality } from '../../src/backbones/modality.js';
import type { BackboneSource } from '../../src/backbones/source.js';
import { loadConfig } from '../../src/config.js';
import { Datasets } from '../../src/datasets/datasets.js';
import { writeTfjsLayers } from '../../src/heads/tfjs-layers.js';
import { type AppOptions, buildApp } from '../../src/http/app.js';
import { createMetrics } from '../../src/http/metrics.js';
import { native } from '../../src/http/native/dialect.js';
import { servedPage } from '../../src/http/page/served-page.js';
import { newId } from '../../src/ids.js';
import { finishJob, type JobOutcome } from '../../src/jobs/finish-job.js';
import { JobStore } from '../../src/jobs/job-store.js';
import { Jobs } from '../../src/jobs/jobs.js';
import { createLog, type Log } from '../../src/log.js';
import { createOperations } from '../../src/operations/operations.js';
import { Predictor } from '../../src/prediction/predictor.js';
import { Registry } from '../../src/registry/registry.js';
import type { VersionManifest } from '../../src/schemas/versions.js';
import type { Storage } from '../../src/storage/contract.js';
import { DefaultBackbone } from '../../src/backbones/default-backbone.js';
import { checkTraining } from '../../src/training/check-training.js';
import { zip } from './archives.js';
import type { Answer } from './http.js';
import { KINDS, LIGHT, LIGHT_CARD, LIGHT_SOURCE, lightFiles } from './light-content.js';
import { LightLive, LightQueue } from './light-jobs.js';
import { MemoryStorage } from './memory-storage.js';

export interface AppForTest {
  /** Settings by name, as in the environment. */
  env?: Record<string, string>;
  /** API keys by tenant; default: none. */
  keys?: Record<string, string>;
  /** What these may do; default: everything. */
  scopes?: Record<string, Scope[]>;
  storage?: Storage;
  modality?: Modality;
  source?: BackboneSource;
  rateLimits?: AppOptions['rateLimits'];
  log?: Log;
}

export interface SendOptions {
  method?: InjectOptions['method'];
  headers?: Record<string, string | number>;
  body?: InjectOptions['payload'];
  /** Its API key is sent along. */
  as?: string;
  signal?: AbortSignal;
}

export type TestApp = Awaited<ReturnType<typeof appForTest>>;

export async function appForTest(t: Pick<Test, 'teardown'>, options: AppForTest = {}) {
  const { keys = {}, storage = new MemoryStorage(), modality = LIGHT, source = LIGHT_SOURCE } = options;
  const folder = await mkdtemp(join(tmpdir(), 'graft-app-'));
  const config = loadConfig({
    DEFAULT_BACKBONE: LIGHT_CARD.id,
    API_KEYS: Object.entries(keys)
      .map(([tenant, key]) => `${tenant}:${sha256(key)}:${(options.scopes?.[tenant] ?? ALL_SCOPES).join('+')}`)
      .join(','),
    ...options.env,
  });
  const access = new KeyRing({ keys: config.API_KEYS.length > 0 ? config.API_KEYS : undefined });
  const log = options.log ?? createLog('test', 'silent');
  const registry = new Registry({ storage });
  const backbones = new Backbones({ source, modalities: [modality], threads: 2 });
  const store = new JobStore({ storage });
  const [queue, live] = [new LightQueue(), new LightLive()];
  const jobs = new Jobs({ store, queue: queue.asQueue, live: live.asLive, log, maxOpen: config.MAX_OPEN_JOBS });
  const predictor = new Predictor({
    backbones,
    registry,
    maxBatch: 0,
    maxWaiting: config.PREDICT_QUEUE,
    headCacheBytes: config.HEAD_CACHE_BYTES,
    decoders: 2,
  });
  const datasets = new Datasets({
    storage,
    temporaryFolder: folder,
    limits: {
      maxUploadBytes: config.MAX_UPLOAD_BYTES,
      maxEntries: config.MAX_ARCHIVE_ENTRIES,
      maxRatio: config.MAX_ARCHIVE_RATIO,
      maxClasses: config.MAX_CLASSES,
      maxDatasets: config.MAX_DATASETS,
    },
    modalities: [modality],
    concurrency: 2,
  });
  const app = await buildApp({
    config,
    operations: createOperations({
      datasets,
      jobs,
      queue,
      registry,
      backbones,
      predictor,
      artifacts: new Artifacts({ registry, backbones }),
      checkTraining,
      defaultBackbone: new DefaultBackbone({ storage, setting: config.DEFAULT_BACKBONE }),
      lowDisks: async () => [],
      catalog: () => catalogOf(config),
      drawnPhotos: async () => zip(lightFiles(['a', 'b'], 5)),
      limits: config,
    }),
    dialects: [native],
    page: servedPage(config),
    access,
    metrics: createMetrics(),
    rateLimits: options.rateLimits,
    log,
  });
  t.teardown(async () => {
    await app.close();
    await rm(folder, { recursive: true, force: true });
  });

  const send = async (path: string, { as, body, headers, method, signal }: SendOptions = {}): Promise<Answer> => {
    const answer = await app.inject({
      method: method ?? 'GET',
      url: path,
      ...(body !== undefined && { payload: body }),
      headers: { ...(as !== undefined && { authorization: `Bearer ${keys[as] ?? as}` }), ...headers },
      ...(signal && { signal }),
    });
    return {
      status: answer.statusCode,
      headers: Object.fromEntries(Object.entries(answer.headers).map(([name, value]) => [name, String(value)])),
      body: answer.rawPayload,
      text: answer.body,
    };
  };
  const json = async <T>(path: string, { status = 200, ...rest }: SendOptions & { status?: number } = {}) => {
    const answer = await send(path, rest);
    if (answer.status !== status) {
      throw new Error(`${path}: ${answer.status} instead of ${status}: ${answer.text.slice(0, 1000)}`);
    }
    return (answer.text === '' ? undefined : JSON.parse(answer.text)) as T;
  };

  return {
    app,
    config,
    storage,
    registry,
    backbones,
    datasets,
    queue,
    live,
    keyRing: {
      /** The key has a name, as those of the key file do. */
      name: (tenant: string, key: string, name: string) =>
        access.replace([{ tenant, sha256: sha256(key), scopes: ALL_SCOPES, name }]),
      /** One more key, for some models only. */
      limit: (tenant: string, key: string, models: string[]) =>
        access.replace([...config.API_KEYS, { tenant, sha256: sha256(key), scopes: ALL_SCOPES, models }]),
    },
    send,
    json,
    /** A JSON body. */
    put: (path: string, value: unknown, rest: SendOptions = {}) =>
      send(path, {
        method: 'PUT',
        body: JSON.stringify(value),
        ...rest,
        headers: { 'content-type': 'application/json', ...rest.headers },
      }),
    post: (path: string, value: unknown, rest: SendOptions = {}) =>
      send(path, {
        method: 'POST',
        body: JSON.stringify(value),
        ...rest,
        headers: { 'content-type': 'application/json', ...rest.headers },
      }),
    /** Publish a version with a head that knows light content: kind 0 is the first label, and so on. */
    publish: (version: Partial<Published> = {}) => publishLight(registry, version),
    /** What a worker does at the end of a job. */
    end: (job: { id: string; tenant?: string }, outcome: Partial<JobOutcome> = {}) => {
      queue.take(job.id);
      return finishJob({
        store,
        live: live.asLive,
        job: { tenant: 'default', ...job },
        outcome: { status: 'succeeded', output: null, error: null, attempt: 1, progress: 1, ...outcome },
      });
    },
    /** What a worker does at the beginning of a job. */
    start: (job: { id: string; tenant?: string }) => {
      queue.take(job.id);
      return store.markStarted({ tenant: 'default', ...job });
    },
    /** Names of what was begun and not ended: uploads. */
    folder,
  };
}

interface Published {
  tenant: string;
  model: string;
  labels: string[];
  backbone: VersionManifest['backbone'];
  files: Record<string, Uint8Array | string>;
}

async function publishLight(registry: Registry, version: Partial<Published>): Promise<VersionManifest> {
  const { tenant = 'default', model = 'm', labels = ['a', 'b'], files = {} } = version;
  const { id, sha256: digest, features } = LIGHT_CARD;
  const units = labels.length;
  const kernel = new Float32Array(KINDS * units);
  for (let kind = 0; kind < Math.min(KINDS, units); kind += 1) kernel[kind * units + kind] = 10;
  const head = await writeTfjsLayers({
    layers: [{ inputs: KINDS, units, kernel, bias: new Float32Array(units), activation: 'softmax' }],
  });
  const job = newId('job');
  return registry.publish({
    tenant,
    job,
    model,
    manifest: {
      model,
      job,
      dataset: newId('ds'),
      backbone: version.backbone ?? { id, sha256: digest, dimensions: features.dimensions },
      head: 'linear',
      labels,
      accuracy: 1,
      description: null,
      digest: sha256(JSON.stringify(labels)),
    } as Parameters<Registry['publish']>[0]['manifest'],
    files: new Map<string, Uint8Array | string>([
      ['labels.json', JSON.stringify(labels)],
      ['head/model.json', head.model],
      ['head/weights.bin', head.weights],
      ...Object.entries(files),
    ]),
  });
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
