/**
 * datasets/ turns an uploaded archive into a data set (contents one after another in a pack, an index, a manifest) and
 * reads it again. What an archive is lies in archives/, where labels come from in labels/. What an example means to a
 * backbone is the modality's; what is learnt from it is training's.
 */
import { createHash } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { LRUCache } from 'lru-cache';
import pLimit from 'p-limit';
import { AppError } from '../errors.js';
import { newId } from '../ids.js';
import { DatasetId } from '../schemas/common.js';
import type { Dataset, DatasetSummary, Example, LayoutWanted } from '../schemas/datasets.js';
import { readJson, type Storage, writeJson } from '../storage/contract.js';
import { firstOf } from '../storage/first-of.js';
import { readForward } from '../storage/read-forward.js';
import type { ArchiveFormat } from './archives/archive.js';
import { recogniseFormat } from './archives/archive-format.js';
import { readArchives } from './archives/read-archive.js';
import { describeDataset } from './describe-dataset.js';
import type { DatasetModality } from './examine-entry.js';
import { type KeptUpload, KeptUploads } from './kept-uploads.js';
import { type ArchiveFindings, noFindings, packContent } from './pack-content.js';
import { type ReceivedUpload, receiveUpload, uploadBrokenOff } from './receive-upload.js';

export interface DatasetsOptions {
  storage: Storage;
  /** Folder for uploads while they are read; made if it is missing, and empty when nothing is under way. */
  temporaryFolder: string;
  limits: {
    maxUploadBytes: number;
    maxEntries: number;
    /** Most times an archive may grow when unpacked, beyond 64 MiB. */
    maxRatio: number;
    /** Most classes of one data set; undefined: no limit. */
    maxClasses?: number;
    /** Most data sets of one tenant; undefined: no limit. */
    maxDatasets?: number;
  };
  /** Kinds of content, the preferred ones first: a data set holds one kind. */
  modalities: DatasetModality[];
  /** Files read and inspected at once, per upload. */
  concurrency: number;
  /** Archives unpacked at once, for each needs memory of its own; more wait. Default: 4. */
  archivesAtOnce?: number;
}

export interface ReceiveUpload {
  tenant: string;
  /** The archive: zip, tar, tar.gz or tar.zst, known by its bytes. */
  source: Readable;
  /** Name of the uploaded file, if it has one; shown, and a folder where several archives have none. */
  name: string | null;
  /** SHA-256 (hex) that the upload must have. */
  expectedSha256?: string;
  /** Bytes that were received before, where several archives become one data set. */
  receivedBytes?: number;
  /** Aborted when the client leaves. */
  signal?: AbortSignal;
}

export interface CreateOptions {
  tenant: string;
  /** Who sends it: the mark of an API key, `local` without keys. */
  by: string;
  /** How the archive is to be understood; absent: as it looks. */
  layout?: LayoutWanted;
  /** Say how it would be understood, and keep nothing. */
  dryRun?: boolean;
  /** What it is called; absent: as its file. */
  name?: string | null;
  /**
   * The id that it gets; absent: a new one. Several attempts may work on one id, and equal archives give equal bytes: the
   * first that is done counts, and what a failed one leaves is for `settleIntake`.
   */
  id?: string;
  /** Told which share of the archives was read. */
  onProgress?: (share: number) => void;
  /** Aborted when the client leaves. */
  signal?: AbortSignal;
}

export type CreateDataset = ReceiveUpload & Omit<CreateOptions, 'name'>;

/** A data set for reading its examples. */
export interface OpenDataset {
  manifest: Dataset;
  /** In the order of the pack; conflicts, too. */
  examples: Example[];
  /** The content of one example, as uploaded. */
  readContent(example: Pick<Example, 'offset' | 'bytes'>): Promise<Buffer>;
  /**
   * The contents of many examples, in the order in which they are named. In the order of the pack (that of `examples`) it is
   * one read for many of them; at most two reads of 8 MiB are in memory. The buffers share memory: do not transfer them.
   */
  readForward(examples: Pick<Example, 'offset' | 'bytes'>[]): AsyncGenerator<Buffer, void>;
}

/** The content of one example. */
export interface StoredContent {
  sha256: string;
  bytes: number;
  /** Media type. */
  type: string;
  /** @param range both ends inclusive. @throws AppError `dataset_not_found` where it was deleted meanwhile */
  open(range: { start: number; end: number } | undefined): Promise<Readable>;
}

/** Where contents lie in a pack, by their digests. */
type Places = Map<string, Pick<Example, 'offset' | 'bytes'>>;

/** Archives on their way into a pack. */
interface Unpacking {
  archives: { path: string; name: string | null; bytes: number; format: ArchiveFormat }[];
  /** Where their contents go. */
  packKey: string;
  /** What the sender says of them. */
  layout: LayoutWanted | undefined;
  onProgress: ((share: number) => void) | undefined;
  signal: AbortSignal | undefined;
}

/** Sizes of data sets that are remembered. */
const MAX_REMEMBERED = 100_000;
/** Examples whose places are remembered, of all data sets together. */
const MAX_PLACES = 500_000;
/** A modality knows its formats by so many bytes. */
const START_BYTES = 160;
const DATASET_ID = new RegExp(DatasetId.pattern!);

/** The data sets of all tenants. A data set exists exactly when its manifest exists. */
export class Datasets {
  readonly #options: DatasetsOptions;
  readonly #unpacking: ReturnType<typeof pLimit>;
  readonly #kept: KeptUploads;
  /** What lies in the packs of data sets, by tenant and id. */
  readonly #bytes = new LRUCache<string, number>({ max: MAX_REMEMBERED });

  /** By tenant and id. */
  readonly #places = new LRUCache<string, Promise<Places>>({ maxSize: MAX_PLACES });

  constructor(options: DatasetsOptions) {
    this.#options = options;
    this.#unpacking = pLimit(options.archivesAtOnce ?? 4);
    this.#kept = new KeptUploads(options);
  }

  /** Take one archive in: `receive` and `createFrom` in one. @throws AppError as these do */
  async create(options: CreateDataset): Promise<Dataset> {
    const upload = await this.receive(options);
    try {
      return await this.createFrom([upload], options);
    } finally {
      await this.discard([upload]);
    }
  }

  /**
   * Stream an archive into a temporary file, for a zip can only be read from its end. It is the caller's to discard.
   * @throws AppError `archive_too_large`, `client_closed_request`, `storage_full`, `quota_exceeded`, `digest_mismatch`
   */
  async receive({
    tenant,
    source,
    name,
    expectedSha256,
    receivedBytes = 0,
    signal,
  }: ReceiveUpload): Promise<ReceivedUpload> {
    const { temporaryFolder, limits } = this.#options;
    await this.#refuseMore(tenant);
    const path = join(temporaryFolder, `${newId('ds')}.upload`);
    try {
      await mkdir(temporaryFolder, { recursive: true });
      const upload = await receiveUpload({ source, path, maxBytes: limits.maxUploadBytes - receivedBytes, signal });
      refuseOtherDigest(upload.sha256, expectedSha256);
      return { path, name, ...upload };
    } catch (error) {
      await rm(path, { force: true });
      throw error;
    }
  }

  /** Remove what was received. */
  async discard(uploads: ReceivedUpload[]): Promise<void> {
    for (const { path } of uploads) await rm(path, { force: true });
  }

  /**
   * Make one data set of archives that were received:
   *  1. read, check and inspect their files in one pass, writing each content into the pack;
   *  2. find labels and equal contents, write the index, and the manifest last.
   * The cost is writing the bytes twice. After any failure, and after a dry run, nothing is left of it, unless the id was given.
   * @throws AppError of the groups `archive_*`, `no_*`, and `not_an_archive`, `ambiguous_layout`, `too_large`,
   * `client_closed_request`, `storage_full`.
   */
  async createFrom(uploads: ReceivedUpload[], options: CreateOptions): Promise<Dataset> {
    const { tenant, by, layout, dryRun, onProgress, signal } = options;
    const { storage, limits } = this.#options;
    const id = options.id ?? newId('ds');
    const keys = keysOf(tenant, id);
    try {
      const archives = [];
      for (const { path, name, bytes } of uploads) {
        archives.push({ path, name, bytes, format: await recogniseFormat(path) });
      }
      const unpacking = { archives, packKey: keys.pack, layout, onProgress, signal };
      const { modality, findings } = await this.#unpacking(() => this.#unpack(unpacking));
      const { examples, description } = await describeDataset(findings, modality, layout);
      refuseMoreClasses(description.class_count, limits.maxClasses);
      const { name, bytes, sha256 } = together(uploads);
      const about = { id, name: options.name ?? name, created_at: new Date().toISOString(), by, modality: modality.id };
      const archive_format = archives[0]!.format;
      const dataset: Dataset = { format: 1, ...about, archive_format, bytes, sha256, ...description };
      if (dryRun) {
        await this.#remove(tenant, id);
        return dataset;
      }
      await storage.put(keys.index, Readable.from(lines(examples)));
      const { created } = await writeJson(storage, keys.manifest, dataset, { ifAbsent: true });
      if (!created && options.id === undefined) throw new Error(`The id ${id} was given twice.`);
      return created ? dataset : this.get(tenant, id);
    } catch (error) {
      // The first error is the one to tell; what could not be removed is garbage without a manifest, and never seen.
      if (options.id === undefined) await this.#remove(tenant, id).catch(() => undefined);
      throw error;
    }
  }

  /** An id for a data set to come, and its archives in storage until a job has read them. @throws AppError `storage_full` */
  async keepUploads(tenant: string, uploads: ReceivedUpload[]): Promise<{ id: string; uploads: KeptUpload[] }> {
    const id = newId('ds');
    return { id, uploads: await this.#kept.keep(tenant, id, uploads) };
  }

  async dropUploads(tenant: string, id: string): Promise<void> {
    await this.#kept.drop(tenant, id);
  }

  /** Make the data set of archives that were kept; one that is there already is the answer. @throws AppError as `createFrom` */
  async createFromKept(uploads: KeptUpload[], options: CreateOptions & { id: string }): Promise<Dataset> {
    const { tenant, id } = options;
    const before = await this.find(tenant, id);
    if (before) return before;
    const fetched = await this.#kept.fetch(tenant, id, uploads);
    try {
      return await this.createFrom(fetched, options);
    } finally {
      await this.discard(fetched);
    }
  }

  /** Take away what attempts at a data set left behind, once it is decided whether there is one. */
  async settleIntake(tenant: string, id: string, { succeeded }: { succeeded: boolean }): Promise<void> {
    await this.dropUploads(tenant, id);
    if (!succeeded && !(await this.find(tenant, id))) await this.#remove(tenant, id);
  }

  /** undefined where there is none. */
  async find(tenant: string, id: string): Promise<Dataset | undefined> {
    // Ids come from outside: what is no id is not there, and never becomes a key.
    return DATASET_ID.test(id) ? readJson<Dataset>(this.#options.storage, keysOf(tenant, id).manifest) : undefined;
  }

  /** @throws AppError `dataset_not_found`. */
  async get(tenant: string, id: string): Promise<Dataset> {
    const dataset = await this.find(tenant, id);
    if (dataset === undefined) throw new AppError('dataset_not_found', `There is no data set ${id}.`);
    return dataset;
  }

  /** What the data sets of a tenant take on disk. Each manifest is read once. */
  async storedBytes(tenant: string): Promise<number> {
    let sum = 0;
    for (const id of await this.#options.storage.list(`tenants/${tenant}/datasets`)) {
      const key = `${tenant}/${id}`;
      const bytes = this.#bytes.get(key) ?? (await this.find(tenant, id))?.stored_bytes;
      if (bytes === undefined) continue;
      this.#bytes.set(key, bytes);
      sum += bytes;
    }
    return sum;
  }

  /** Data sets, newest first; those after (older than) the id `after`, which need not exist. */
  async list(
    tenant: string,
    { limit, after, keep }: { limit: number; after?: string; keep?: (dataset: Dataset) => boolean },
  ): Promise<{ data: DatasetSummary[]; has_more: boolean }> {
    const ids = (await this.#options.storage.list(`tenants/${tenant}/datasets`)).reverse();
    const found = await firstOf(after === undefined ? ids : ids.filter((id) => id < after), limit + 1, async (id) => {
      const dataset = await this.find(tenant, id);
      return dataset && (keep?.(dataset) ?? true) ? summarise(dataset) : undefined;
    });
    return { data: found.slice(0, limit), has_more: found.length > limit };
  }

  /** @throws AppError `dataset_not_found`. */
  async delete(tenant: string, id: string): Promise<void> {
    await this.get(tenant, id);
    await this.#remove(tenant, id);
  }

  /** The content of an example, by its SHA-256. @throws AppError `dataset_not_found`, `example_not_found` */
  async content(tenant: string, id: string, sha256: string): Promise<StoredContent> {
    const { storage, modalities } = this.#options;
    const dataset = await this.get(tenant, id);
    const gone = () => new AppError('dataset_not_found', `The data set ${id} was deleted.`);
    const place = (await this.#placesOf(tenant, id, dataset.examples)).get(sha256);
    if (!place) throw new AppError('example_not_found', `The data set ${id} has no example ${sha256}.`);
    const { offset, bytes } = place;
    const open = async ({ start, end } = { start: 0, end: bytes - 1 }) => {
      const found = await storage.get(keysOf(tenant, id).pack, { start: offset + start, end: offset + end });
      if (found === undefined) throw gone();
      return found.stream;
    };
    const start = await buffer(await open({ start: 0, end: Math.min(bytes, START_BYTES) - 1 }));
    const modality = modalities.find((one) => one.id === dataset.modality);
    return { sha256, bytes, type: modality?.mediaType(start) ?? 'application/octet-stream', open };
  }

  /** A data set does not change: its index is read once, and not for each photo of a page. */
  async #placesOf(tenant: string, id: string, examples: number): Promise<Places> {
    const key = `${tenant}/${id}`;
    const known = this.#places.get(key);
    if (known) return known;
    const reading = this.open(tenant, id).then(
      (dataset) => new Map(dataset.examples.map(({ sha256, offset, bytes }) => [sha256, { offset, bytes }])),
    );
    this.#places.set(key, reading, { size: Math.max(1, examples) });
    reading.catch(() => this.#places.delete(key));
    return reading;
  }

  /** @throws AppError `dataset_not_found`, also while it is read once the bytes of a deleted data set are gone. */
  async open(tenant: string, id: string): Promise<OpenDataset> {
    const { storage } = this.#options;
    const manifest = await this.get(tenant, id);
    const keys = keysOf(tenant, id);
    const gone = () => new AppError('dataset_not_found', `The data set ${id} was deleted.`);
    const index = await storage.get(keys.index);
    if (index === undefined) throw gone();
    // Not by readline, which also breaks lines at U+2028, and a label may hold one.
    const examples = (await text(index.stream)).split('\n').filter(Boolean).map(parseExample);
    return {
      manifest,
      examples,
      readContent: async ({ offset, bytes }) => {
        const content = await storage.get(keys.pack, { start: offset, end: offset + bytes - 1 });
        if (content === undefined) throw gone();
        return buffer(content.stream);
      },
      async *readForward(wanted) {
        for (const run of forwardRuns(wanted)) {
          const ranges = run.map(({ offset, bytes }) => ({ start: offset, end: offset + bytes - 1 }));
          yield* readForward({ storage, key: keys.pack, ranges, missing: gone });
        }
      },
    };
  }

  /**
   * Write the pack. The archive is read once for each modality until one takes a file of it.
   * @returns what that pass found, or, where nothing was taken, the first pass
   */
  async #unpack(unpacking: Unpacking): Promise<{ modality: DatasetModality; findings: ArchiveFindings }> {
    const { storage, modalities, limits, concurrency } = this.#options;
    const { archives, packKey, signal, layout, onProgress } = unpacking;
    const codePage = layout?.code_page;
    const archiveLimits = { ...limits, ...(codePage !== undefined && { codePage }) };
    let nothing: { modality: DatasetModality; findings: ArchiveFindings } | undefined;
    for (const modality of modalities) {
      if (signal?.aborted) throw uploadBrokenOff(signal.reason);
      const findings = noFindings();
      const others = modalities.filter((other) => other !== modality);
      const options = { modality, others, concurrency, wanted: layout, ...(signal && { signal }) };
      const pack = packContent(readArchives(archives, archiveLimits), options, findings);
      try {
        const first = await pack.next();
        if (!first.done) {
          await storage.put(packKey, Readable.from(counted(continued(first.value, pack), archives, onProgress)));
          return { modality, findings };
        }
        nothing ??= { modality, findings };
        // Photos that are all damaged are no reason to take the description beside them for a text.
        if (findings.refused.some(({ code }) => ['content_invalid', 'content_too_large'].includes(code))) break;
      } finally {
        // After a failed put the pass may still be under way: wait until it has closed the archive.
        await pack.return(undefined);
      }
    }
    if (!nothing) throw new Error('Data sets were given no modality.');
    return nothing;
  }

  /** The manifest goes first: without it the data set does not exist, however long the rest takes. */
  async #remove(tenant: string, id: string): Promise<void> {
    const { storage } = this.#options;
    const { manifest, prefix } = keysOf(tenant, id);
    await storage.delete(manifest);
    await storage.delete(prefix);
  }

  async #refuseMore(tenant: string): Promise<void> {
    const most = this.#options.limits.maxDatasets;
    if (most === undefined) return;
    const { length } = await this.#options.storage.list(`tenants/${tenant}/datasets`);
    if (length < most) return;
    throw new AppError(
      'quota_exceeded',
      `There are ${length} data sets; at most ${most} (MAX_DATASETS). Delete some.`,
      {
        details: { datasets: length, most },
      },
    );
  }
}

function keysOf(tenant: string, id: string) {
  const prefix = `tenants/${tenant}/datasets/${id}`;
  return { prefix, pack: `${prefix}/pack`, index: `${prefix}/index.ndjson`, manifest: `${prefix}/manifest.json` };
}

/** What several archives are as one. */
function together(uploads: ReceivedUpload[]): Pick<ReceivedUpload, 'name' | 'bytes' | 'sha256'> {
  const [first] = uploads;
  if (first && uploads.length === 1) return first;
  const names = uploads.flatMap(({ name }) => name ?? []);
  return {
    name: names.length === 0 ? null : names.join(', ').slice(0, 255),
    bytes: uploads.reduce((sum, { bytes }) => sum + bytes, 0),
    sha256: createHash('sha256')
      .update(uploads.map(({ sha256 }) => sha256).join(''))
      .digest('hex'),
  };
}

/** Every class is a row of the head, of the report and of each answer that lists labels. */
function refuseMoreClasses(classes: number, most = Number.POSITIVE_INFINITY): void {
  if (classes <= most) return;
  throw new AppError('too_large', `The archive has ${classes} classes; at most ${most} are taken (MAX_CLASSES).`, {
    details: { classes, most },
  });
}

function refuseOtherDigest(sha256: string, expected: string | undefined): void {
  if (expected === undefined || expected.toLowerCase() === sha256) return;
  throw new AppError('digest_mismatch', 'The upload does not have the SHA-256 that was announced. Send it again.', {
    details: { expected, found: sha256 },
  });
}

async function* continued(first: Buffer, rest: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  yield first;
  yield* rest;
}

/** Says how much of the archives has passed: their photos are hardly smaller packed. */
async function* counted(
  chunks: AsyncIterable<Buffer>,
  archives: { bytes: number }[],
  onProgress?: (share: number) => void,
): AsyncGenerator<Buffer> {
  const total = archives.reduce((sum, { bytes }) => sum + bytes, 0);
  let passed = 0;
  for await (const chunk of chunks) {
    passed += chunk.length;
    onProgress?.(Math.min(1, passed / total));
    yield chunk;
  }
}

function* lines(examples: Example[]): Generator<string> {
  // In pieces of a thousand: a write per line would cost more than the lines.
  for (let start = 0; start < examples.length; start += 1000) {
    yield examples
      .slice(start, start + 1000)
      .map((example) => `${JSON.stringify(example)}\n`)
      .join('');
  }
}

/** Cut where the order goes back, as it does where examples are read again. */
function forwardRuns<T extends Pick<Example, 'offset'>>(examples: T[]): T[][] {
  const runs: T[][] = [];
  let last = Number.POSITIVE_INFINITY;
  for (const example of examples) {
    if (example.offset < last) runs.push([example]);
    else runs.at(-1)!.push(example);
    last = example.offset;
  }
  return runs;
}

function parseExample(line: string): Example {
  return JSON.parse(line);
}

function summarise({ format, classes, refused, duplicates, ignored, warnings, ...summary }: Dataset): DatasetSummary {
  return summary;
}
