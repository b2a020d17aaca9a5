/**
 * client/ is how programs in JavaScript use Graft, in Node and in browsers: calls with types, retries, uploads, lists, events.
 * It needs no package and knows the service by its HTTP API alone. Graft serves it as `/client.mjs`.
 *
 *   const graft = new Graft({ url: 'http://localhost:8080', key });
 *   const data = await graft.datasets.create('photos.zip');
 *   const job = await graft.jobs.wait((await graft.jobs.create({ dataset: data.id, model: 'pets' })).id);
 *   const [{ predictions }] = (await graft.models.predict('pets', 'whiskers.jpg')).results;
 */
import type { components, operations } from './api.js';
import { GraftError } from './errors.js';
import { List, type Page } from './pages.js';
import { readMessages } from './server-sent-events.js';
import { contentOf, type Source } from './sources.js';
import { backOff, type CallOptions, sleep, Transport } from './transport.js';
import { type OnProgress, uploadWithProgress } from './upload.js';

export type { components, operations } from './api.js';
export { GraftConnectionError, GraftError } from './errors.js';
export { List, type Page } from './pages.js';
export type { Source } from './sources.js';
export { type TarFile, tarOf } from './tar.js';
export type { CallOptions } from './transport.js';
export type { OnProgress } from './upload.js';

type Schemas = components['schemas'];
export type Dataset = Schemas['Dataset'];
export type DatasetSummary = Schemas['DatasetSummary'];
export type Layout = Schemas['LayoutWanted'];
export type Job = Schemas['Job'];
export type JobEvent = Schemas['JobEvent'];
export type CreateJob = Schemas['CreateJob'];
export type Model = Schemas['Model'];
export type ModelSummary = Schemas['ModelSummary'];
export type Version = Schemas['VersionManifest'];
export type Report = Schemas['Report'];
export type Prediction = Schemas['Prediction'];
export type HeldOutPrediction = Schemas['HeldOutPrediction'];
export type Alias = Schemas['Alias'];
export type SetAlias = Schemas['SetAlias'];
export type ServedBackbone = Schemas['ServedBackbone'];
export type BackboneCatalog = Schemas['BackboneCatalog'];
export type CatalogRow = Schemas['CatalogRow'];

/** The query of an operation, without what the client does itself. */
type Query<Operation extends keyof operations, Own extends string = never> = Omit<
  NonNullable<operations[Operation]['parameters']['query']>,
  'after' | Own
> &
  CallOptions;

export interface GraftOptions {
  /** Address of the service, with the path below which it lies; default: where this page or module came from. */
  url?: string | undefined;
  /** API key, where the service wants one. */
  key?: string | undefined;
  /** Most tries of one call. Default: 4. */
  tries?: number;
  /** Default: the one of the platform. */
  fetch?: typeof fetch;
}

/** How an archive is to be taken in. */
export interface UploadOptions extends CallOptions {
  /** What the data set is called; default: as the file. */
  name?: string | undefined;
  /** How the archive is to be understood; default: as it looks. */
  layout?: Layout | Layout['kind'] | undefined;
  onProgress?: OnProgress | undefined;
  /** The same key and request again answer with the same data set or job; default: one for each call. */
  idempotencyKey?: string | undefined;
}

/** Which version of a model is meant; default: the latest. */
export type Which = { version?: number | undefined; alias?: string | undefined };

export interface PredictOptions extends Which, CallOptions {
  /** Predictions per example, best first. */
  topK?: number | undefined;
  /** Say why, too. */
  explain?: boolean | undefined;
  /** Label to explain; default: the predicted one. */
  class?: string | undefined;
  /** Most similar training examples to name in an explanation. */
  nearest?: number | undefined;
  /** Answer the other examples where one cannot be read. */
  partial?: boolean | undefined;
}

export interface FollowOptions extends CallOptions {
  /** Only events with a higher number. */
  after?: number | undefined;
}

export interface WaitOptions extends FollowOptions {
  onEvent?: ((event: JobEvent) => void) | undefined;
}

/** Events after which nothing comes. */
const ENDS = new Set<JobEvent['type']>(['succeeded', 'failed', 'cancelled']);

/** A Graft service. All methods throw `GraftError` where the service refuses, and take an `AbortSignal`. */
export class Graft {
  readonly url: string;
  readonly datasets: Datasets;
  readonly jobs: Jobs;
  readonly models: Models;
  readonly backbones: Backbones;
  readonly service: Service;

  constructor(options: GraftOptions = {}) {
    const transport = new Transport({
      url: options.url ?? home(),
      key: options.key,
      tries: options.tries ?? 4,
      fetch: options.fetch ?? ((...request) => fetch(...request)),
    });
    this.url = transport.url;
    this.datasets = new Datasets(transport);
    this.jobs = new Jobs(transport);
    this.models = new Models(transport);
    this.backbones = new Backbones(transport);
    this.service = new Service(transport);
  }
}

class Datasets {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Upload an archive, or files that become one, and wait until it is understood. */
  create(source: Source, options: UploadOptions = {}): Promise<Dataset> {
    return this.#upload<Dataset>(source, options);
  }

  /** Upload an archive, and leave reading it to a job of kind `intake`, as soon as it has arrived. */
  createInBackground(source: Source, options: UploadOptions = {}): Promise<Job> {
    return this.#upload<Job>(source, options, { prefer: 'respond-async' });
  }

  /** How an archive would be understood; nothing is kept. */
  tryOut(source: Source, options: UploadOptions = {}): Promise<Dataset> {
    return this.#upload<Dataset>(source, options, {}, { dry_run: true });
  }

  list({ signal, ...query }: Query<'listDatasets'> = {}): List<DatasetSummary> {
    return listOf(this.#transport, '/v1/datasets', query, ({ id }) => id, signal);
  }

  get(id: string, options: CallOptions = {}): Promise<Dataset> {
    return this.#transport.json(`/v1/datasets/${part(id)}`, options);
  }

  /** The content of an example, by its SHA-256, as it was uploaded. */
  async example(id: string, sha256: string, options: CallOptions = {}): Promise<Blob> {
    return (await this.#transport.call(`/v1/datasets/${part(id)}/examples/${part(sha256)}`, options)).blob();
  }

  /** A data set of photos that the service draws: for whoever has none at hand. */
  draw(options: CallOptions = {}): Promise<Dataset> {
    return this.#transport.json('/v1/datasets/drawn', { ...options, method: 'POST' });
  }

  /** Models trained on it stay. */
  delete(id: string, options: CallOptions = {}): Promise<void> {
    return this.#transport.json(`/v1/datasets/${part(id)}`, { ...options, method: 'DELETE' });
  }

  async #upload<T>(
    source: Source,
    { name, layout, onProgress, idempotencyKey, signal }: UploadOptions,
    more: Record<string, string> = {},
    how: object = {},
  ): Promise<T> {
    const { body, name: fileName } = await contentOf(source);
    const query = { ...how, name, layout: typeof layout === 'object' ? JSON.stringify(layout) : layout };
    const headers = {
      'content-type': 'application/octet-stream',
      ...(fileName !== undefined && { 'content-disposition': `attachment; filename*=UTF-8''${part(fileName)}` }),
      ...(idempotencyKey !== undefined && { 'idempotency-key': idempotencyKey }),
      ...more,
    };
    const path = '/v1/datasets';
    if (onProgress) return uploadWithProgress<T>(this.#transport, { path, query, headers, body, onProgress, signal });
    return this.#transport.json<T>(path, { method: 'POST', query, headers, body, signal });
  }
}

class Jobs {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Train a model. */
  create(
    settings: CreateJob,
    { idempotencyKey, ...options }: CallOptions & { idempotencyKey?: string } = {},
  ): Promise<Job> {
    const headers = idempotencyKey === undefined ? undefined : { 'idempotency-key': idempotencyKey };
    return this.#transport.json('/v1/jobs', { ...options, method: 'POST', json: settings, headers });
  }

  list({ signal, ...query }: Query<'listJobs'> = {}): List<Job> {
    return listOf(this.#transport, '/v1/jobs', query, ({ id }) => id, signal);
  }

  get(id: string, options: CallOptions = {}): Promise<Job> {
    return this.#transport.json(`/v1/jobs/${part(id)}`, options);
  }

  cancel(id: string, options: CallOptions = {}): Promise<Job> {
    return this.#transport.json(`/v1/jobs/${part(id)}/cancel`, { ...options, method: 'POST' });
  }

  /** Events as they happen, until the job has ended. A connection that breaks off is made anew, and nothing is missed. */
  async *events(id: string, { after = 0, signal }: FollowOptions = {}): AsyncGenerator<JobEvent> {
    const path = `/v1/jobs/${part(id)}/events`;
    let last = after;
    for (let silent = 1; ; silent += 1) {
      const headers = { accept: 'text/event-stream', ...(last > 0 && { 'last-event-id': String(last) }) };
      const answer = await this.#transport.call(path, { headers, signal });
      if (answer.status === 204 || answer.body === null) return;
      try {
        for await (const { data } of readMessages(answer.body)) {
          const event = JSON.parse(data) as JobEvent;
          if (event.seq <= last) continue;
          last = event.seq;
          silent = 1;
          yield event;
          if (ENDS.has(event.type)) return;
        }
      } catch (error) {
        // A stream that breaks off is read on from where it was.
        if (signal?.aborted || error instanceof SyntaxError) throw error;
      }
      await sleep(backOff(silent), signal);
    }
  }

  /**
   * Wait until a job has ended.
   * @throws GraftError with the code of the job where it failed or was cancelled
   */
  async wait(id: string, { onEvent, ...options }: WaitOptions = {}): Promise<Job> {
    for await (const event of this.events(id, options)) onEvent?.(event);
    const job = await this.get(id, { signal: options.signal });
    if (job.status === 'succeeded') return job;
    const { code, message, details } = job.error ?? { code: 'job_cancelled', message: 'The job was cancelled.' };
    throw new GraftError(message, { status: 0, code, details: { ...details, job: id } });
  }
}

/** What is asked of the examples, by its public names. */
function askedOf({ topK, explain, class: label, nearest, partial }: PredictOptions) {
  return { top_k: topK, explain, class: label, nearest, partial };
}

class Models {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  list({ signal, ...query }: Query<'listModels'> = {}): List<ModelSummary> {
    return listOf(this.#transport, '/v1/models', query, ({ name }) => name, signal);
  }

  get(model: string, options: CallOptions = {}): Promise<Model> {
    return this.#transport.json(`/v1/models/${part(model)}`, options);
  }

  /** @param options force: also where aliases name it */
  delete(model: string, { force, ...options }: CallOptions & { force?: boolean } = {}): Promise<void> {
    const query = { force: force === true ? true : undefined };
    return this.#transport.json(`/v1/models/${part(model)}`, { ...options, method: 'DELETE', query });
  }

  /** Classify images, best first: one, or several with a result for each. */
  async predict(model: string, images: Source | Source[], options: PredictOptions = {}): Promise<Prediction> {
    const { signal } = options;
    const query = askedOf(options);
    const path = `${pathOf(model, options)}/predict`;
    const several = Array.isArray(images) && !images.every((image) => typeof image === 'object' && 'content' in image);
    if (!several) {
      const { body } = await contentOf(images as Source);
      const headers = { 'content-type': 'application/octet-stream' };
      return this.#transport.json(path, { method: 'POST', query, headers, body, signal });
    }
    const form = new FormData();
    for (const [i, image] of (images as Source[]).entries()) {
      const { body, name } = await contentOf(image);
      form.append('file', body, name ?? String(i));
    }
    return this.#transport.json(path, { method: 'POST', query, body: form, signal });
  }

  /** Classify texts, with a result for each. */
  predictTexts(model: string, texts: string[], options: PredictOptions = {}): Promise<Prediction> {
    const json = { texts, ...askedOf(options) };
    return this.#transport.json(`${pathOf(model, options)}/predict`, { method: 'POST', json, signal: options.signal });
  }

  /** Where in an image the score comes from, as a PNG. */
  async explainAsPicture(
    model: string,
    image: Source,
    options: Which & CallOptions & { class?: string } = {},
  ): Promise<Blob> {
    const { body } = await contentOf(image);
    const headers = { accept: 'image/png', 'content-type': 'application/octet-stream' };
    const query = { explain: true, class: options.class };
    const request = { method: 'POST', query, headers, body, signal: options.signal };
    return (await this.#transport.call(`${pathOf(model, options)}/predict`, request)).blob();
  }

  versions(model: string, { signal, ...query }: Query<'listVersions'> = {}): List<Version> {
    return listOf(
      this.#transport,
      `/v1/models/${part(model)}/versions`,
      query,
      ({ version }) => String(version),
      signal,
    );
  }

  version(model: string, version: number, options: CallOptions = {}): Promise<Version> {
    return this.#transport.json(`/v1/models/${part(model)}/versions/${version}`, options);
  }

  deleteVersion(model: string, version: number, options: CallOptions = {}): Promise<void> {
    return this.#transport.json(`/v1/models/${part(model)}/versions/${version}`, { ...options, method: 'DELETE' });
  }

  report(model: string, which: Which & CallOptions = {}): Promise<Report> {
    return this.#transport.json(`${moving(model, which)}/report`, { signal: which.signal });
  }

  /** The model card: Markdown, or a page. */
  async card(
    model: string,
    { as = 'markdown', ...which }: Which & CallOptions & { as?: 'markdown' | 'html' } = {},
  ): Promise<string> {
    const headers = { accept: `text/${as}` };
    return (await this.#transport.call(`${moving(model, which)}/card`, { headers, signal: which.signal })).text();
  }

  /** A chart of the report, as SVG. */
  async chart(
    model: string,
    version: number,
    chart: 'curves' | 'confusion',
    options: CallOptions = {},
  ): Promise<string> {
    return (
      await this.#transport.call(`/v1/models/${part(model)}/versions/${version}/report/${chart}.svg`, options)
    ).text();
  }

  /** What a version said of examples that it had not seen. */
  heldOut(
    model: string,
    version: number,
    { signal, ...query }: Query<'listHeldOutPredictions'> = {},
  ): List<HeldOutPrediction> {
    const path = `/v1/models/${part(model)}/versions/${version}/predictions`;
    return listOf(this.#transport, path, query, ({ sha256 }) => sha256, signal);
  }

  /** One file of a version, such as `labels.json`. */
  async file(model: string, version: number, path: string, options: CallOptions = {}): Promise<Blob> {
    const inside = path.split('/').map(part).join('/');
    return (
      await this.#transport.call(`/v1/models/${part(model)}/versions/${version}/files/${inside}`, options)
    ).blob();
  }

  /** The model as a file: a bundle, one ONNX file, or TensorFlow.js layers. */
  async artifact(
    model: string,
    { format, ...which }: Which & CallOptions & { format?: 'bundle' | 'onnx' | 'tfjs' } = {},
  ): Promise<Blob> {
    const request = { query: { format }, signal: which.signal };
    return (await this.#transport.call(`${moving(model, which)}/artifact`, request)).blob();
  }

  /** Point an alias at a version; `expected` guards against somebody else's change. */
  setAlias(model: string, alias: string, to: SetAlias, options: CallOptions = {}): Promise<Alias> {
    return this.#transport.json(`/v1/models/${part(model)}/aliases/${part(alias)}`, {
      ...options,
      method: 'PUT',
      json: to,
    });
  }

  deleteAlias(model: string, alias: string, options: CallOptions = {}): Promise<void> {
    return this.#transport.json(`/v1/models/${part(model)}/aliases/${part(alias)}`, { ...options, method: 'DELETE' });
  }
}

class Backbones {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  async list(options: CallOptions = {}): Promise<ServedBackbone[]> {
    return (await this.#transport.json<Page<ServedBackbone>>('/v1/backbones', options)).data;
  }

  /** Public networks that can be pulled; needs the scope `operator`, as `pull` does. */
  catalog(options: CallOptions = {}): Promise<BackboneCatalog> {
    return this.#transport.json('/v1/backbones/catalog', options);
  }

  /** Which installed backbone suits a data set: a job of kind `recommend`, whose `output` says. */
  recommend(dataset: string, options: CallOptions = {}): Promise<Job> {
    return this.#transport.json('/v1/backbones/recommend', { ...options, method: 'POST', json: { dataset } });
  }

  /** Fetch a network of the catalog, as a job of kind `pull`. `byDefault`: jobs that name none use it from then on. */
  pull(id: string, { byDefault, ...options }: CallOptions & { byDefault?: boolean } = {}): Promise<Job> {
    const json = { id, ...(byDefault && { default: true }) };
    return this.#transport.json('/v1/backbones/pull', { ...options, method: 'POST', json });
  }
}

/** The service itself. */
class Service {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  async isAlive(options: CallOptions = {}): Promise<boolean> {
    return (await this.#transport.json<{ alive: boolean }>('/livez', options)).alive;
  }

  /** Whether requests may be sent there, and what is wrong; also where it is not ready. */
  async readiness(options: CallOptions = {}): Promise<{ ready: boolean; checks: Record<string, string> }> {
    const answer = await fetch(this.#transport.address('/readyz'), { signal: options.signal ?? null });
    return (await answer.json()) as { ready: boolean; checks: Record<string, string> };
  }

  /** For Prometheus; needs the scope `operator`. */
  async metrics(options: CallOptions = {}): Promise<string> {
    return (await this.#transport.call('/metrics', options)).text();
  }

  /** Jobs of all tenants; needs the scope `operator`. */
  jobs({ signal, ...query }: Query<'listAllJobs'> = {}): List<Schemas['Job'] & { tenant: string }> {
    return listOf(this.#transport, '/v1/service/jobs', query, ({ id }) => id, signal);
  }
}

/** Where this module came from; for a copy on disk the address that `npm start` prints. */
function home(): string {
  return import.meta.url.startsWith('http') ? new URL('.', import.meta.url).href : 'http://localhost:8080';
}

function listOf<T>(
  transport: Transport,
  path: string,
  query: object,
  cursorOf: (row: T) => string,
  signal: AbortSignal | undefined,
): List<T> {
  return new List<T>((after) => transport.json<Page<T>>(path, { query: { ...query, after }, signal }), cursorOf);
}

/** A part of a path. */
function part(text: string): string {
  return encodeURIComponent(text);
}

/** Of the latest version there is a path for predictions alone. */
function pathOf(model: string, which: Which): string {
  return which.version === undefined && which.alias === undefined ? `/v1/models/${part(model)}` : moving(model, which);
}

/** `latest` reads like an alias. */
function moving(model: string, { version, alias = 'latest' }: Which): string {
  const home = `/v1/models/${part(model)}`;
  return version === undefined ? `${home}/aliases/${part(alias)}` : `${home}/versions/${version}`;
}
