import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import pLimit from 'p-limit';
import { AppError } from '../errors.js';
import { newId } from '../ids.js';
import { DatasetId } from '../schemas/common.js';
import type { Dataset, DatasetEntry, DatasetSummary } from '../schemas/datasets.js';
import { readJson, type Storage, writeJson } from '../storage/contract.js';
import { recogniseFormat } from './archives/archive-format.js';
import { readArchive } from './archives/read-archive.js';
import { describe } from './describe.js';
import type { InspectImage } from './examine-entry.js';
import { noFindings, packImages } from './pack-content.js';
import { clientLeft, receiveUpload } from './receive-upload.js';

export interface DatasetsOptions {
  storage: Storage;
  /** Folder for uploads while they are read; made if it is missing, and empty when nothing is under way. */
  temporaryFolder: string;
  limits: {
    maxUploadBytes: number;
    maxEntries: number;
    /** Most times an archive may grow when unpacked, beyond 64 MiB. */
    maxRatio: number;
    maxImageBytes: number;
    /** Most classes of one data set; undefined: no limit. */
    maxClasses?: number;
    /** Most data sets of one tenant; undefined: no limit. */
    maxDatasets?: number;
  };
  inspectImage: InspectImage;
  /** Images read and inspected at once, per upload. */
  concurrency: number;
  /** Archives unpacked at once, for each needs memory of its own; more wait. Default: 4. */
  archivesAtOnce?: number;
}

export interface CreateDataset {
  tenant: string;
  /** The archive: zip, tar or tar.gz, known by its bytes. */
  source: Readable;
  /** Name of the uploaded file, if it has one; shown, never used. */
  name: string | null;
  /** SHA-256 (hex) that the upload must have. */
  expectedSha256?: string;
  /** Aborted when the client leaves. */
  signal?: AbortSignal;
}

/** A data set for reading its images. */
export interface OpenDataset {
  manifest: Dataset;
  entries: DatasetEntry[];
  /** The bytes of one image, as uploaded. */
  readImage(entry: DatasetEntry): Promise<Buffer>;
}

const DATASET_ID = new RegExp(DatasetId.pattern!);

/** The data sets of all tenants. A data set exists exactly when its manifest exists. */
export class Datasets {
  readonly #options: DatasetsOptions;
  readonly #unpacking: ReturnType<typeof pLimit>;

  constructor(options: DatasetsOptions) {
    this.#options = options;
    this.#unpacking = pLimit(options.archivesAtOnce ?? 4);
  }

  /**
   * Take an archive in:
   *  1. stream it into a temporary file, for a zip can only be read from its end;
   *  2. read, check and inspect its files in one pass, writing each image's bytes into the pack;
   *  3. find labels and duplicates, write the index, and the manifest last.
   * The cost is writing the bytes twice. After any failure nothing is left of it.
   * @throws AppError of the groups `archive_*`, `no_*`, and `not_an_archive`, `ambiguous_layout`, `digest_mismatch`,
   * `too_large`, `client_closed_request`, `storage_full`, `quota_exceeded`.
   */
  async create({ tenant, source, name, expectedSha256, signal }: CreateDataset): Promise<Dataset> {
    const { storage, temporaryFolder, limits, inspectImage, concurrency } = this.#options;
    await this.#refuseMore(tenant);
    const id = newId('ds');
    const keys = keysOf(tenant, id);
    const path = join(temporaryFolder, `${id}.upload`);
    try {
      await mkdir(temporaryFolder, { recursive: true });
      const upload = await receiveUpload({ source, path, maxBytes: limits.maxUploadBytes, signal });
      refuseOtherDigest(upload.sha256, expectedSha256);
      const format = await recogniseFormat(path);
      const findings = noFindings();
      const packOptions = { inspectImage, maxImageBytes: limits.maxImageBytes, concurrency, signal };
      await this.#unpacking(async () => {
        if (signal?.aborted) throw clientLeft(signal.reason);
        const pack = packImages(readArchive(path, format, limits), packOptions, findings);
        try {
          await storage.put(keys.pack, Readable.from(pack));
        } finally {
          // After a failed put the pass may still be under way: wait until it has closed the archive.
          await pack.return(undefined);
        }
      });
      const { entries, description } = await describe(findings);
      refuseMoreClasses(description.class_count, limits.maxClasses);
      await storage.put(keys.index, Readable.from(lines(entries)));
      const about = { id, name, created_at: new Date().toISOString(), format, ...upload };
      const dataset: Dataset = { ...about, ...description };
      const { created } = await writeJson(storage, keys.manifest, dataset, { ifAbsent: true });
      if (!created) throw new Error(`The id ${id} was given twice.`);
      return dataset;
    } catch (error) {
      // The first error is the one to tell; what could not be removed is garbage without a manifest, and never seen.
      await storage.delete(keys.prefix).catch(() => undefined);
      throw error;
    } finally {
      await rm(path, { force: true });
    }
  }

  /** @throws AppError `dataset_not_found`. */
  async get(tenant: string, id: string): Promise<Dataset> {
    const dataset = await this.#find(tenant, id);
    if (dataset === undefined) throw new AppError('dataset_not_found', `There is no data set ${id}.`);
    return dataset;
  }

  /** Data sets, newest first; those after (older than) the id `after`, which need not exist. */
  async list(
    tenant: string,
    { limit, after }: { limit: number; after?: string },
  ): Promise<{ data: DatasetSummary[]; has_more: boolean }> {
    const ids = (await this.#options.storage.list(`tenants/${tenant}/datasets`)).reverse();
    const data: DatasetSummary[] = [];
    for (const id of ids) {
      if (after !== undefined && id >= after) continue;
      const dataset = await this.#find(tenant, id);
      if (dataset === undefined) continue;
      if (data.length === limit) return { data, has_more: true };
      data.push(summarise(dataset));
    }
    return { data, has_more: false };
  }

  /** @throws AppError `dataset_not_found`. */
  async delete(tenant: string, id: string): Promise<void> {
    await this.get(tenant, id);
    await this.#options.storage.delete(keysOf(tenant, id).prefix);
  }

  /** @throws AppError `dataset_not_found`, also from `readImage` once the data set is deleted. */
  async open(tenant: string, id: string): Promise<OpenDataset> {
    const { storage } = this.#options;
    const manifest = await this.get(tenant, id);
    const keys = keysOf(tenant, id);
    const gone = () => new AppError('dataset_not_found', `The data set ${id} was deleted.`);
    const index = await storage.get(keys.index);
    if (index === undefined) throw gone();
    // Not by readline, which also breaks lines at U+2028, and a label may hold one.
    const entries = (await text(index.stream)).split('\n').filter(Boolean).map(parseEntry);
    return {
      manifest,
      entries,
      readImage: async ({ offset, bytes }) => {
        const image = await storage.get(keys.pack, { start: offset, end: offset + bytes - 1 });
        if (image === undefined) throw gone();
        return buffer(image.stream);
      },
    };
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

  async #find(tenant: string, id: string): Promise<Dataset | undefined> {
    // Ids come from outside: what is no id is not there, and never becomes a key.
    return DATASET_ID.test(id) ? readJson<Dataset>(this.#options.storage, keysOf(tenant, id).manifest) : undefined;
  }
}

function keysOf(tenant: string, id: string) {
  const prefix = `tenants/${tenant}/datasets/${id}`;
  return { prefix, pack: `${prefix}/pack`, index: `${prefix}/index.ndjson`, manifest: `${prefix}/manifest.json` };
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

function* lines(entries: DatasetEntry[]): Generator<string> {
  // In pieces of a thousand: a write per line would cost more than the lines.
  for (let start = 0; start < entries.length; start += 1000) {
    yield entries
      .slice(start, start + 1000)
      .map((entry) => `${JSON.stringify(entry)}\n`)
      .join('');
  }
}

function parseEntry(line: string): DatasetEntry {
  return JSON.parse(line);
}

function summarise({ classes, refused, duplicates, ignored, warnings, ...summary }: Dataset): DatasetSummary {
  return summary;
}
