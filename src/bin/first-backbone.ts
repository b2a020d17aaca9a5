/**
 * Entry point that `npm start` runs before the service where the data folder is empty: fetch the backbone that most people
 * want, and write down which one jobs take that name none. Whatever goes wrong, the service starts.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pullBackbone } from '../backbones/catalog/pull-backbone.js';
import { findNetwork } from '../backbones/catalog/catalog.js';
import { EMBEDDED_BACKBONE } from '../backbones/default-backbone.js';
import { loadConfig } from '../config.js';
import { AppError } from '../errors.js';
import { openStorage } from '../storage/open-storage.js';
import { formatBytes } from '../terminal/format.js';
import { createPaint } from '../terminal/paint.js';
import { createScreen } from '../terminal/screen.js';
import { backbonesOf } from './backbones-of.js';
import { pullOptions } from './pull-options.js';

const WANTED = 'mobilenet_v2';
/** How long nothing may come, and how long all of it may take. */
const STALL_MS = 4500;
const TOTAL_MS = 120_000;
/** Connections that may be cut while bytes come. */
const CUTS = 3;

const paint = createPaint({ isTTY: process.stdout.isTTY === true, env: process.env });
const screen = createScreen({ out: process.stdout, paint });
const config = loadConfig(process.env);
const { storage } = await openStorage(config);
const owners = backbonesOf(config, storage);
const { standard } = owners;

async function fetchWanted(): Promise<void> {
  const options = await pullOptions(config, owners);
  const { name, bytes, license } = findNetwork(options.catalog, WANTED);
  screen.line(
    `Fetching ${name}, ${formatBytes(bytes)}, ${license}: it is right on more photographs than what Graft comes with.`,
  );
  // A folder of its own: another first start on this storage may be fetching, too.
  await mkdir(options.downloads, { recursive: true });
  const folder = await mkdtemp(join(options.downloads, 'first-'));
  let arrived = 0;
  const pull = () =>
    pullBackbone({
      ...options,
      id: WANTED,
      downloads: folder,
      patience: { stallMs: STALL_MS, attempts: 1 },
      onProgress(done, total) {
        arrived = done;
        screen.progress(done / total, `${formatBytes(done)} of ${formatBytes(total)}`);
      },
    });
  try {
    for (let cuts = 0; ; cuts += 1) {
      const before = arrived;
      try {
        await pull();
        return;
      } catch (error) {
        // Another first start on this storage was faster.
        if (await owners.installed.card(WANTED).catch(() => undefined)) return;
        const wasCut = error instanceof AppError && error.code === 'download_failed' && arrived > before;
        if (!wasCut || cuts >= CUTS) throw error;
      }
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The first line that says what went wrong. */
function reasonOf(error: unknown): string {
  if (!(error instanceof AppError)) return String(error);
  const [first = '', second = ''] = error.message.split('\n').map((line) => line.trim());
  return (second || first).replace(/[.:]$/, '');
}

try {
  const slow = setTimeout(() => {
    void giveUp(new AppError('download_failed', `It did not arrive within ${TOTAL_MS / 1000} s`)).then(() =>
      process.exit(0),
    );
  }, TOTAL_MS);
  await fetchWanted();
  clearTimeout(slow);
  await standard.choose(WANTED, { ifNone: true });
  screen.line(`Jobs that name no backbone use ${await standard.id()}.`);
} catch (error) {
  await giveUp(error);
}

async function giveUp(error: unknown): Promise<void> {
  // Another first start may have been luckier.
  await standard.choose(EMBEDDED_BACKBONE, { ifNone: true });
  const id = await standard.id();
  screen.line(`It could not be fetched: ${reasonOf(error)}. Jobs that name no backbone use ${id}.`);
}
process.exit(0);
