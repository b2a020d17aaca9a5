import { createHash } from 'node:crypto';
import { Value } from '@sinclair/typebox/value';
import { AppError } from '../errors.js';
import { type BackboneCard, InstalledBackbone } from '../schemas/backbones.js';
import { BackboneId } from '../schemas/common.js';
import { readJson, type Storage, writeJson } from '../storage/contract.js';
import { LocalCopies } from './local-copies.js';
import { type BackboneSource, backboneNotFound } from './source.js';

/** What an installation writes. */
export interface NewBackbone {
  card: BackboneCard;
  /** By name; the one that the card names is among them. */
  files: Map<string, Uint8Array | string>;
}

/**
 * The backbones that were installed: content in storage, shared by all tenants, servers and workers.
 *
 *   backbones/<id>/files/<sha256>  its files, named by content
 *   backbones/<id>/card.json       written last: the backbone exists exactly when this does
 *
 * A file is fetched to a local folder when it is first needed, and kept there under its digest.
 */
export class InstalledBackbones implements BackboneSource {
  readonly #storage: Storage;
  readonly #copies: LocalCopies;

  /** @param options folder: for local copies of files; may be deleted at any time */
  constructor(options: { storage: Storage; folder: string }) {
    this.#storage = options.storage;
    this.#copies = new LocalCopies({ folder: options.folder });
  }

  /** Folders in storage; what a removal or an interrupted installation left has no card. */
  async ids(): Promise<string[]> {
    return (await this.#storage.list('backbones')).filter((name) => Value.Check(BackboneId, name));
  }

  async card(id: string): Promise<BackboneCard> {
    return (await this.#installed(id)).card;
  }

  /** The local copy is compared with its digest every time; a damaged one is fetched anew. */
  async file({ id, sha256 }: BackboneCard): Promise<string> {
    const path = await this.#copies.path(sha256, async () => (await this.#storage.get(fileKey(id, sha256)))?.stream);
    if (path !== undefined) return path;
    const card = await this.card(id);
    throw card.sha256 === sha256 ? unusable(id, 'its file is missing in storage') : backboneNotFound(id);
  }

  /** @throws AppError `invalid_request` where there is a backbone of this id */
  async install({ card, files }: NewBackbone): Promise<void> {
    const { id } = card;
    await this.refuseTaken(id);
    const rows: InstalledBackbone['files'] = [];
    for (const [path, content] of files) {
      const bytes = Buffer.from(content as Uint8Array);
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      await this.#storage.put(fileKey(id, sha256), bytes);
      rows.push({ path, bytes: bytes.length, sha256 });
    }
    const record: InstalledBackbone = { format: 1, card, files: rows };
    if (!(await writeJson(this.#storage, cardKey(id), record, { ifAbsent: true })).created) throw taken(id);
  }

  /** @throws AppError `invalid_request` where there is a backbone of this id */
  async refuseTaken(id: string): Promise<void> {
    if (await this.#storage.head(cardKey(id))) throw taken(id);
  }

  /** Reads all files in storage; local copies are not looked at. */
  async verify(id: string): Promise<void> {
    const { files } = await this.#installed(id);
    for (const { path, sha256 } of files) {
      const object = await this.#storage.get(fileKey(id, sha256));
      if (!object) throw unusable(id, `its file ${path} is missing in storage`);
      const hash = createHash('sha256');
      for await (const piece of object.stream) hash.update(piece as Buffer);
      const found = hash.digest('hex');
      if (found !== sha256) {
        throw unusable(id, `its file ${path} is damaged: the sha256 is ${found} instead of ${sha256}`);
      }
    }
  }

  /**
   * Delete a backbone, also one whose card is damaged or whose installation was interrupted. Whether versions need it is not
   * asked here.
   * @throws AppError `backbone_not_found`
   */
  async remove(id: string): Promise<void> {
    if (!(await this.ids()).includes(id)) throw backboneNotFound(id);
    const files = await this.#storage.list(`backbones/${id}/files`);
    if (files.length === 0 && !(await this.#storage.head(cardKey(id)))) throw backboneNotFound(id);
    await this.#storage.delete(cardKey(id));
    await this.#storage.delete(`backbones/${id}`);
    for (const sha256 of files) await this.#copies.forget(sha256);
  }

  async #installed(id: string): Promise<InstalledBackbone> {
    if (!Value.Check(BackboneId, id)) throw backboneNotFound(id);
    let record: unknown;
    try {
      record = await readJson(this.#storage, cardKey(id));
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error;
      record = null;
    }
    if (record === undefined) throw backboneNotFound(id);
    if (!Value.Check(InstalledBackbone, record) || record.card.id !== id) {
      throw unusable(id, `${cardKey(id)} in storage is not valid`);
    }
    return record;
  }
}

function cardKey(id: string): string {
  return `backbones/${id}/card.json`;
}

function fileKey(id: string, sha256: string): string {
  return `backbones/${id}/files/${sha256}`;
}

function taken(id: string): AppError {
  return new AppError(
    'invalid_request',
    `There is a backbone ${id} already: take another id, or remove that one first (npm run backbones -- remove ${id}).`,
  );
}

function unusable(id: string, reason: string): AppError {
  return new AppError(
    'backbone_invalid',
    `Backbone '${id}' cannot be used: ${reason}. Remove it and install it again, or restore it from a backup.`,
    { details: { backbone: id } },
  );
}
