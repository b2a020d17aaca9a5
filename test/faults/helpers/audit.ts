import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Dataset, Example } from '../../../src/schemas/datasets.js';
import type { VersionManifest } from '../../../src/schemas/versions.js';
import { until } from '../../helpers/http.js';

/** What a data folder holds, every byte hashed again. */
export interface Audit {
  /** What is visible and not whole, in words. */
  torn: string[];
  /** Files that nothing visible names, and nothing pending will. */
  garbage: string[];
  /** Files in `.tmp/`. */
  temporary: string[];
  versions: number;
  datasets: number;
  /** Jobs that have not ended. */
  pending: number;
}

export async function audit(dataDir: string): Promise<Audit> {
  const found: Audit = { torn: [], garbage: [], temporary: [], versions: 0, datasets: 0, pending: 0 };
  found.temporary = await names(join(dataDir, '.tmp'));
  found.pending = (await names(join(dataDir, 'pending'))).length;
  for (const tenant of await names(join(dataDir, 'tenants'))) {
    const home = join(dataDir, 'tenants', tenant);
    for (const id of await names(join(home, 'datasets'))) await auditDataset(join(home, 'datasets', id), found);
    for (const model of await names(join(home, 'models'))) {
      for (const number of await names(join(home, 'models', model, 'versions'))) {
        await auditVersion(join(home, 'models', model), number, found);
      }
      for (const revision of await names(join(home, 'models', model, 'aliases'))) {
        await json(join(home, 'models', model, 'aliases', revision), found);
      }
    }
    for (const id of await names(join(home, 'jobs'))) {
      const folder = join(home, 'jobs', id);
      for (const file of await names(folder)) if (file.endsWith('.json')) await json(join(folder, file), found);
    }
  }
  return found;
}

/** The same once workers have put away what jobs that ended had under way; as it is where that takes longer than 5 s. */
export async function auditAtRest(dataDir: string): Promise<Audit> {
  const look = async () => {
    const now = await audit(dataDir);
    return now.pending === 0 && now.temporary.length === 0 && now;
  };
  return until(look, { timeoutMs: 5000 }).catch(() => audit(dataDir));
}

async function auditVersion(model: string, number: string, found: Audit): Promise<void> {
  const folder = join(model, 'versions', number);
  const present = await names(join(model, 'published'));
  const files = await names(join(folder, 'files'));
  if (!present.includes(`${number}.json`)) {
    found.garbage.push(...files.map((file) => join(folder, 'files', file)));
    return;
  }
  found.versions += 1;
  const manifest = await json<VersionManifest>(join(model, 'published', `${number}.json`), found);
  if (!manifest) return;
  for (const { path, bytes, sha256 } of manifest.files) {
    const content = await readFile(join(folder, 'files', sha256)).catch(() => undefined);
    if (!content) found.torn.push(`${folder}: ${path} is missing`);
    else if (content.length !== bytes || digest(content) !== sha256) found.torn.push(`${folder}: ${path} is not whole`);
  }
  const named = new Set(manifest.files.map(({ sha256 }) => sha256));
  found.garbage.push(...files.filter((file) => !named.has(file)).map((file) => join(folder, 'files', file)));
}

async function auditDataset(folder: string, found: Audit): Promise<void> {
  const present = await names(folder);
  if (!present.includes('manifest.json')) {
    found.garbage.push(...present.map((file) => join(folder, file)));
    return;
  }
  found.datasets += 1;
  const manifest = await json<Dataset>(join(folder, 'manifest.json'), found);
  const [pack, index] = await Promise.all([
    readFile(join(folder, 'pack')).catch(() => undefined),
    readFile(join(folder, 'index.ndjson'), 'utf8').catch(() => undefined),
  ]);
  if (!manifest || pack === undefined || index === undefined) {
    found.torn.push(`${folder} lacks a file`);
    return;
  }
  const examples = index
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Example);
  if (examples.length !== manifest.examples)
    found.torn.push(`${folder}: ${examples.length} of ${manifest.examples} examples`);
  for (const { name, offset, bytes, sha256 } of examples) {
    if (digest(pack.subarray(offset, offset + bytes)) !== sha256) found.torn.push(`${folder}: ${name} is not whole`);
  }
}

async function json<T>(path: string, found: Audit): Promise<T | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as T;
  } catch (error) {
    // Removed while we look, as aliases' old revisions are.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') found.torn.push(`${path}: ${(error as Error).message}`);
    return undefined;
  }
}

async function names(folder: string): Promise<string[]> {
  return readdir(folder).catch(() => []);
}

function digest(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
