import { existsSync } from 'node:fs';
import { access, constants, mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AppError, isErrno } from '../errors.js';

/**
 * Make the data folder where it is missing. One folder at a time: Node's `recursive` never ends below /proc.
 * @throws AppError `config_invalid` when it cannot be made or written to
 */
export async function prepareDataFolder(path: string): Promise<void> {
  let code = 'ENOTDIR';
  try {
    const missing: string[] = [];
    for (let folder = path; !existsSync(folder); folder = dirname(folder)) missing.unshift(folder);
    for (const folder of missing) await mkdir(folder).catch(unlessThere);
    await access(path, constants.W_OK);
    if ((await stat(path)).isDirectory()) return;
  } catch (error) {
    code = (error as NodeJS.ErrnoException).code ?? String(error);
  }
  throw new AppError(
    'config_invalid',
    `DATA_DIR=${path} cannot be used (${code}). Name a folder that this user may write to.`,
  );
}

/** Another process may have made it at the same moment. */
function unlessThere(error: unknown): void {
  if (!isErrno(error, 'EEXIST')) throw error;
}
