import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
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
    if (!(await stat(path).catch(() => undefined))?.isFile()) throw backboneNotFound(id);
    return path;
  }
}
