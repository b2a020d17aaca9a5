import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, rm, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { AppError, isErrno } from '../../errors.js';
import { type Addresses, isAddress, parseAddress } from '../../outbound/addresses.js';
import { type DownloadOptions, type DownloadOutcome, download } from '../../outbound/download.js';
import { importBackbone } from '../image/import/import-backbone.js';
import type { ImportedBackbone } from '../image/import/imported-backbone.js';
import { type BackboneSource, isNotFound } from '../source.js';
import { type Catalog, type CatalogNetwork, findNetwork, nextBest } from './catalog.js';
import { networkAddresses } from './network-addresses.js';

export interface PullOptions {
  catalog: Catalog;
  id: string;
  /** The backbones that are there. */
  source: BackboneSource;
  /** Called with what the import made. */
  install: (imported: ImportedBackbone) => Promise<void>;
  /** Folder where an interrupted download waits for the next call. */
  downloads: string;
  /** The file itself, or another address of it. */
  from?: string;
  /** Replaces the catalog's base address. */
  mirror?: string;
  /** Depths of the network whose pooled maps are the features. */
  levels?: number;
  onProgress?: (done: number, total: number) => void;
  /** Told what happens, in words. */
  onNote?: (note: string) => void;
  /** How long to wait for a server; for tests. */
  patience?: Partial<Pick<DownloadOptions, 'stallMs' | 'attempts' | 'backoffMs'>>;
}

/** Longest time without a byte; 1 + 2 + 4 + 8 s are waited before the fifth attempt in a row that brings nothing. */
const PATIENCE = { stallMs: 30_000, attempts: 5, backoffMs: 1000 };

/**
 * Fetch a network of the catalog, check it and make a backbone of it.
 *   1. Find out whether it is here already.
 *   2. Fetch its file to `downloads`.
 *   3. Compare size and SHA-256 with the catalog's.
 *   4. Import it, install what that made, and delete the download.
 * @returns undefined when it was here already
 * @throws AppError `not_found`: no such network; `download_failed`: how to come by the file otherwise; `digest_mismatch`;
 *   `storage_full`; and what an import throws
 */
export async function pullBackbone(options: PullOptions): Promise<ImportedBackbone | undefined> {
  const { catalog, id, source, downloads, from, onNote } = options;
  const network = findNetwork(catalog, id);
  if (await isInstalled(network, source)) return undefined;
  if (from !== undefined && !isAddress(from)) {
    await checkFile(from, network);
    return await importNetwork(network, { ...options, file: from, origin: basename(from) });
  }
  const file = join(downloads, `${id}-${network.sha256.slice(0, 12)}.part`);
  await mkdir(downloads, { recursive: true });
  const origin = await fetchNetwork(network, { ...options, file });
  onNote?.('Comparing the checksum …');
  try {
    await checkFile(file, network, `What ${origin} sent was deleted: it`);
  } catch (error) {
    await rm(file, { force: true });
    throw error;
  }
  onNote?.('Importing …');
  const imported = await importNetwork(network, { ...options, file, origin });
  await rm(file, { force: true });
  return imported;
}

/**
 * Whether this network was imported before.
 * @throws AppError `invalid_request` when the id is another backbone's
 */
export async function isInstalled({ id, sha256 }: CatalogNetwork, source: BackboneSource): Promise<boolean> {
  const card = await source.card(id).catch((error: unknown) => {
    if (isNotFound(error)) return undefined;
    throw error;
  });
  if (card === undefined) return false;
  // The card's own digest is that of the imported file; where it came from is part of the source.
  if (card.source.includes(sha256)) return true;
  throw new AppError(
    'invalid_request',
    `There is another backbone ${id}: remove it first (npm run backbones -- remove ${id}).`,
  );
}

/** @returns where the file came from */
async function fetchNetwork(network: CatalogNetwork, options: PullOptions & { file: string }): Promise<string> {
  const { catalog, from, mirror, file, onProgress, onNote } = options;
  const { bytes } = network;
  const { urls, trustedHost } = addressesOf(network, { base: catalog.base, from, mirror });
  const outcomes: { url: URL; kind: DownloadOutcome['kind']; reason: string }[] = [];
  for (const url of urls) {
    onNote?.(`Asking ${url}`);
    const outcome: DownloadOutcome = await download({
      ...PATIENCE,
      ...options.patience,
      url,
      file,
      bytes,
      trustedHost,
      onProgress: (done) => onProgress?.(done, bytes),
      onRetry: (reason) => onNote?.(`${capital(reason)}; trying again.`),
    });
    if (outcome.kind === 'complete') return url.href;
    outcomes.push({ url, kind: outcome.kind, reason: outcome.reason });
    // All addresses are on one host: who does not answer to the first does not answer to the others.
    if (outcome.kind === 'unreachable') break;
  }
  const next = outcomes.some(({ kind }) => kind === 'unreachable') ? undefined : nextBest(catalog, network);
  throw notFetched(network, { outcomes, urls, next });
}

function addressesOf(network: CatalogNetwork, options: { base: string; from?: string; mirror?: string }): Addresses {
  if (options.from === undefined) return networkAddresses(network, options);
  const url = parseAddress(options.from);
  return { urls: [url], trustedHost: url.host };
}

function notFetched(
  { id, name, file, bytes, sha256, tried = true }: CatalogNetwork,
  { outcomes, urls, next }: { outcomes: { url: URL; reason: string }[]; urls: URL[]; next: CatalogNetwork | undefined },
): AppError {
  const lines = [
    `${name} could not be fetched:`,
    ...outcomes.map(({ url, reason }) => `  ${url}: ${reason}`),
    'Fetch the file by other means and hand it over:',
    ...urls.map((url, i) => `  ${(i === 0 ? 'address' : 'or').padEnd(8)}${url}`),
    `  size    ${bytes} bytes`,
    `  sha256  ${sha256}`,
    `  then    npm run backbones -- pull ${id} --from ${file}`,
    ...(tried ? [] : ['We know size and checksum from where it is published, and never tried the address ourselves.']),
    ...(next ? [`The next best network of its speed: npm run backbones -- pull ${next.id}  (${next.name})`] : []),
    'Or name a mirror with --mirror or BACKBONE_MIRROR. What has arrived is kept for the next time.',
  ];
  return new AppError('download_failed', lines.join('\n'), { details: { urls: urls.map(String), bytes, sha256 } });
}

/**
 * @param what names the file in the sentence
 * @throws AppError `missing_file`, `digest_mismatch`
 */
async function checkFile(file: string, { name, bytes, sha256 }: CatalogNetwork, what = file): Promise<void> {
  const hash = createHash('sha256');
  try {
    const { size } = await stat(file);
    if (size !== bytes) {
      throw new AppError('digest_mismatch', `${what} is not ${name}: its size is ${size} bytes instead of ${bytes}.`);
    }
    await pipeline(createReadStream(file), hash);
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'EISDIR', 'EACCES')) throw error;
    throw new AppError('missing_file', `The file ${file} cannot be read.`, { cause: error });
  }
  const found = hash.digest('hex');
  if (found === sha256) return;
  throw new AppError('digest_mismatch', `${what} is not ${name}: its sha256 is ${found} instead of ${sha256}.`, {
    details: { expected: sha256, found },
  });
}

async function importNetwork(
  network: CatalogNetwork,
  { file, origin, levels, install }: PullOptions & { file: string; origin: string },
): Promise<ImportedBackbone> {
  const { id, name, license, preset, sha256, imagenet_top1, input_px } = network;
  const imported = await importBackbone({
    file,
    id,
    preset,
    levels,
    size: input_px,
    name,
    license,
    source: `${origin}, sha256 ${sha256}`,
    imagenetTop1: imagenet_top1,
  });
  await install(imported);
  return imported;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
