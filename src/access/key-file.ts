import { randomUUID } from 'node:crypto';
import { link, mkdir, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { AppError, isErrno } from '../errors.js';
import { type ApiKey, newKey, TENANT_PATTERN } from './api-key.js';
import { ALL_SCOPES, SCOPES } from './scopes.js';

/** A key of the file; each has a name there. */
export type NamedKey = ApiKey & { name: string; created_at: string };

const FORMAT = 1;
/** Name of the key that a service makes for whoever starts it. */
export const FIRST_KEY = 'first';
/** Nobody needs longer to write it; what is older was left by a process that died. */
const LOCK_MS = 10_000;
const WATCH_MS = 1000;

/**
 * The keys of a key file: `{"format": 1, "keys": [{"name", "tenant", "sha256", "scopes", "models"?, "created_at"}]}`.
 * @returns undefined where there is no such file
 * @throws AppError `config_invalid` where it cannot be read
 */
export async function readKeyFile(path: string): Promise<NamedKey[] | undefined> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw unusable(path, (error as NodeJS.ErrnoException).code ?? String(error));
  }
  let value: { format?: unknown; keys?: unknown };
  try {
    value = JSON.parse(text) as typeof value;
  } catch {
    throw unusable(path, 'it is not JSON');
  }
  if (value?.format !== FORMAT || !Array.isArray(value.keys)) throw unusable(path, `it has no "format": ${FORMAT}`);
  const fault = value.keys.map(faultOf).find((other) => other !== undefined);
  if (fault !== undefined) throw unusable(path, fault);
  return value.keys as NamedKey[];
}

/**
 * Make the file with one key that may do everything, unless there is a file.
 * @returns the key; undefined: there is one, perhaps because another process came first
 */
export async function makeFirstKey(path: string): Promise<string | undefined> {
  const { key, sha256 } = newKey();
  const created_at = new Date().toISOString();
  const temporary = await writeAside(path, [
    { name: FIRST_KEY, tenant: 'default', sha256, scopes: ALL_SCOPES, created_at },
  ]);
  try {
    await link(temporary, path);
    return key;
  } catch (error) {
    if (isErrno(error, 'EEXIST')) return undefined;
    throw unusable(path, (error as NodeJS.ErrnoException).code ?? String(error));
  } finally {
    await rm(temporary, { force: true });
  }
}

/**
 * Change the keys of a file, which is made where there is none. Two that change it at once go one after the other.
 * @param change gives the keys that are to be in it
 */
export async function changeKeyFile(path: string, change: (keys: NamedKey[]) => NamedKey[]): Promise<void> {
  const unlock = await lock(path);
  try {
    const changed = change((await readKeyFile(path)) ?? []);
    await rename(await writeAside(path, changed), path);
  } finally {
    await unlock();
  }
}

/**
 * Look at a key file again and again.
 * @param onChange told of its keys at the first look and whenever they may be others; undefined: the file is gone
 * @param onFault told why it cannot be read; the keys that held go on to hold
 * @returns stops it
 */
export function watchKeyFile(
  path: string,
  onChange: (keys: NamedKey[] | undefined) => void,
  onFault: (error: Error) => void,
): () => void {
  let known: string | undefined;
  const look = async () => {
    const seen = await stat(path, { bigint: true }).then(
      ({ ino, mtimeNs, size }) => `${ino} ${mtimeNs} ${size}`,
      () => 'none',
    );
    if (seen === known) return;
    known = seen;
    onChange(await readKeyFile(path));
  };
  const timer = setInterval(() => void look().catch(onFault), WATCH_MS).unref();
  void look().catch(onFault);
  return () => clearInterval(timer);
}

async function writeAside(path: string, keys: NamedKey[]): Promise<string> {
  const temporary = `${path}.${randomUUID()}`;
  try {
    await mkdir(dirname(path), { recursive: true });
    await writeFile(temporary, `${JSON.stringify({ format: FORMAT, keys }, null, 2)}\n`, { mode: 0o600, flush: true });
  } catch (error) {
    throw unusable(path, (error as NodeJS.ErrnoException).code ?? String(error));
  }
  return temporary;
}

async function lock(path: string): Promise<() => Promise<void>> {
  const name = `${path}.lock`;
  await mkdir(dirname(path), { recursive: true }).catch(() => undefined);
  for (const since = Date.now(); ; await sleep(20)) {
    try {
      await (await open(name, 'wx', 0o600)).close();
      return () => rm(name, { force: true });
    } catch (error) {
      if (!isErrno(error, 'EEXIST')) throw unusable(path, (error as NodeJS.ErrnoException).code ?? String(error));
    }
    if (Date.now() - since > LOCK_MS) await rm(name, { force: true });
  }
}

function faultOf(key: Partial<NamedKey> | null, index: number): string | undefined {
  const place = `key ${index + 1}`;
  if (typeof key?.name !== 'string') return `${place} has no name`;
  if (typeof key.tenant !== 'string' || !new RegExp(TENANT_PATTERN).test(key.tenant)) return `${place} has no tenant`;
  if (typeof key.sha256 !== 'string' || !/^[0-9a-f]{64}$/.test(key.sha256)) return `${place} has no sha256`;
  if (!Array.isArray(key.scopes) || key.scopes.some((scope) => !Object.hasOwn(SCOPES, scope))) {
    return `${place} has scopes other than ${ALL_SCOPES.join(', ')}`;
  }
  if (key.models !== undefined && !(Array.isArray(key.models) && key.models.every((one) => typeof one === 'string'))) {
    return `${place} has models that are no names`;
  }
  return undefined;
}

function unusable(path: string, why: string): AppError {
  return new AppError('config_invalid', `The key file ${path} cannot be used: ${why}. Mend it, or set KEYS_FILE.`);
}
