import { createHash, randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { Value } from '@sinclair/typebox/value';
import { AppError, isErrno } from '../errors.js';
import { BackboneCard } from '../schemas/backbones.js';
import { BackboneId } from '../schemas/common.js';

/**
 * The card of one backbone.
 * @throws AppError `backbone_not_found` when there is none, `backbone_invalid` when its card cannot be used.
 */
export async function readCard(modelsDir: string, id: string): Promise<BackboneCard> {
  const missing = () =>
    new AppError('backbone_not_found', `There is no backbone ${JSON.stringify(id)} in ${modelsDir}.`);
  if (!Value.Check(BackboneId, id)) throw missing();
  let card: unknown;
  try {
    card = JSON.parse(await readFile(join(modelsDir, id, 'backbone.json'), 'utf8'));
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR')) throw missing();
    if (!(error instanceof SyntaxError)) throw error;
  }
  // A file elsewhere is none of the backbone's: the card's name of it must be a plain one.
  if (!Value.Check(BackboneCard, card) || card.id !== id || /[/\\]|^\.*$/.test(card.file)) {
    throw new AppError(
      'backbone_invalid',
      `The card ${join(modelsDir, id, 'backbone.json')} is not valid: import the backbone again.`,
    );
  }
  return card;
}

/** Ids of the backbones in a folder, sorted; none where the folder is missing. Their cards may still be invalid. */
export async function listBackbones(modelsDir: string): Promise<string[]> {
  try {
    const entries = await readdir(modelsDir, { withFileTypes: true });
    const folders = entries.filter((entry) => entry.isDirectory() || entry.isSymbolicLink());
    const ids = folders.map(({ name }) => name).filter((name) => Value.Check(BackboneId, name));
    return ids.sort();
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
}

/**
 * Compare the bytes of a backbone with its card.
 * @throws AppError `backbone_invalid` when they differ or the file is missing.
 */
export async function verifyBackbone(modelsDir: string, id: string): Promise<BackboneCard> {
  const card = await readCard(modelsDir, id);
  const file = join(modelsDir, id, card.file);
  const hash = createHash('sha256');
  try {
    await pipeline(createReadStream(file), hash);
  } catch (error) {
    if (!isErrno(error, 'ENOENT', 'EISDIR')) throw error;
    throw new AppError('backbone_invalid', `The file ${file} is missing: import the backbone again.`, { cause: error });
  }
  const sha256 = hash.digest('hex');
  if (sha256 !== card.sha256) {
    throw new AppError(
      'backbone_invalid',
      `The file ${file} is damaged: its sha256 is ${sha256}, its card says ${card.sha256}.`,
    );
  }
  return card;
}

/**
 * Delete a backbone. Models that were trained on it cannot answer without it.
 * @throws AppError `backbone_not_found`
 */
export async function removeBackbone(modelsDir: string, id: string): Promise<void> {
  if (!(await listBackbones(modelsDir)).includes(id)) await readCard(modelsDir, id);
  // Renamed first, so that nobody finds half of it.
  const gone = join(modelsDir, `.removed-${randomBytes(6).toString('hex')}`);
  await rename(join(modelsDir, id), gone);
  await rm(gone, { recursive: true, force: true });
}
