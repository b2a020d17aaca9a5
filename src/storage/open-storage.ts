import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { AppError } from '../errors.js';
import type { Storage } from './contract.js';
import { prepareDataFolder } from './data-folder.js';
import { FileStorage, TEMPORARY } from './file-storage.js';

/** What looks after a storage needs of its driver beyond reading and writing. */
export interface StorageMaintenance {
  /** What processes that died left half-written, and is older than this: names for people, not keys. */
  leftovers(olderThanMs: number): Promise<string[]>;
  /** Remove them. @returns how many there were */
  sweep(olderThanMs: number): Promise<number>;
  /** Names at the top, also of what is not ours. */
  topNames(): Promise<string[]>;
}

export interface OpenedStorage {
  storage: Storage;
  maintenance: StorageMaintenance;
  /** A folder on this machine for what is under way, such as uploads; `sweep` empties it, too. Made when first needed. */
  temporaryFolder: string;
}

/**
 * Open the storage that the settings name: the one place that knows which drivers there are.
 * @param options mustExist: refuse a data folder that is not there, instead of making it
 * @throws AppError `config_invalid` when it cannot be used
 */
export async function openStorage(
  { DATA_DIR }: { DATA_DIR: string },
  { mustExist = false }: { mustExist?: boolean } = {},
): Promise<OpenedStorage> {
  if (mustExist && !existsSync(DATA_DIR)) {
    throw new AppError('config_invalid', `There is no data folder ${DATA_DIR}. Set DATA_DIR to the one you mean.`);
  }
  if (!mustExist) await prepareDataFolder(DATA_DIR);
  const storage = new FileStorage({ root: DATA_DIR });
  return { storage, maintenance: storage, temporaryFolder: join(DATA_DIR, TEMPORARY) };
}
