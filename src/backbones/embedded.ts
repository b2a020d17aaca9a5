import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { Value } from '@sinclair/typebox/value';
import { AppError, isErrno } from '../errors.js';
import { BackboneCard } from '../schemas/backbones.js';
import { BackboneId } from '../schemas/common.js';
import { type BackboneSource, backboneNotFound } from './source.js';

/** The backbones that Graft comes with: `<folder>/<id>/backbone.json` and the file that it names. The folder is only read. */
export class EmbeddedBackbones implements BackboneSource {
  readonly #folder: string;

  constructor(options: { folder: string }) {
    this.#folder = options.folder;
  }

  /** None where the folder is missing. */
  async ids(): Promise<string[]> {
    try {
      const entries = await readdir(this.#folder, { withFileTypes: true });
      const folders = entries.filter((entry) => entry.isDirectory() || entry.isSymbolicLink());
      const ids = folders.map(({ name }) => name).filter((name) => Value.Check(BackboneId, name));
      return ids.sort();
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return [];
      throw error;
    }
  }

  async card(id: string): Promise<BackboneCard> {
    if (!Value.Check(BackboneId, id)) throw backboneNotFound(id);
    const path = join(this.#folder, id, 'backbone.json');
    let card: unknown;
    try {
      card = JSON.parse(await readFile(path, 'utf8'));
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ENOTDIR')) throw backboneNotFound(id);
      if (!(error instanceof SyntaxError)) throw error;
    }
    // A file elsewhere is none of the backbone's: the card's name of it must be a plain one.
    if (!Value.Check(BackboneCard, card) || card.id !== id || /[/\\]|^\.*$/.test(card.file)) {
      throw new AppError('backbone_invalid', `The card ${path} is not valid: restore it.`);
    }
    return card;
  }

  async file({ id, file }: BackboneCard): Promise<string> {
    const path = join(this.#folder, id, file);
    if ((await stat(path).catch(() => undefined))?.isFile()) return path;
    await this.card(id);
    throw new AppError('backbone_invalid', `The file ${path} is missing: restore it.`, { details: { backbone: id } });
  }

  async verify(id: string): Promise<void> {
    const card = await this.card(id);
    const path = await this.file(card);
    const hash = createHash('sha256');
    await pipeline(createReadStream(path), hash);
    const found = hash.digest('hex');
    if (found === card.sha256) return;
    throw new AppError(
      'backbone_invalid',
      `The file ${path} is damaged: its sha256 is ${found}, its card says ${card.sha256}.`,
      { details: { backbone: id } },
    );
  }
}
