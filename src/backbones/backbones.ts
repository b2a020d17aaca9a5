import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { isDeepStrictEqual } from 'node:util';
import { Value } from '@sinclair/typebox/value';
import { AppError } from '../errors.js';
import type { BackboneCard } from '../schemas/backbones.js';
import type { Backbone } from './contract.js';
import type { Modality, OpenOptions } from './modality.js';
import { type BackboneSource, isNotFound } from './source.js';
import { unusable } from './unusable.js';

/** What backbones may run on; `auto`: CUDA where it is installed, else the CPU. */
export type ExecutionProvider = 'auto' | 'cpu' | 'cuda' | 'webgpu';

/** What a version says of its backbone: another file under the same id is another backbone. */
export type BackboneReference = Pick<BackboneCard, 'id' | 'sha256'>;

/** How a backbone is brought to memory. */
type Opening<B> = (modality: Modality, options: OpenOptions) => Promise<B>;

export interface BackbonesOptions {
  source: BackboneSource;
  /** Kinds of content whose backbones can be loaded. */
  modalities: Modality[];
  /** Cores that all passes together use. */
  threads: number;
  provider?: ExecutionProvider;
  /** Called when a backbone is in memory. */
  onLoad?: (backbone: Backbone) => void;
}

/**
 * The backbones of a source, each loaded once when first needed, by the modality that its card names. They are kept by id and
 * digest: what is in memory serves the versions that were trained on it, whatever becomes of it in the source; an id that has
 * another file by now is loaded anew.
 */
export class Backbones {
  readonly #options: BackbonesOptions;
  readonly #modalities: Map<string, Modality>;
  /** By id and digest, or by the key of one that is opened in another way. */
  readonly #loading = new Map<string, { card?: BackboneCard; loading: Promise<Backbone> }>();
  readonly #loaded = new Map<string, Backbone>();

  constructor(options: BackbonesOptions) {
    this.#options = options;
    this.#modalities = new Map(options.modalities.map((modality) => [modality.id, modality]));
  }

  /** Cards of all backbones that can be used, sorted by id. What is wrong with another, `card` says, and fsck. */
  async list(): Promise<BackboneCard[]> {
    const { source } = this.#options;
    const cards = (await source.ids()).map((id) =>
      this.#checkedCard(id).catch((error: unknown) => {
        if (error instanceof AppError && error.code.startsWith('backbone_')) return undefined;
        throw error;
      }),
    );
    return (await Promise.all(cards)).filter((card) => card !== undefined);
  }

  /** @throws AppError `backbone_not_found` that names those that are there, `backbone_invalid` */
  async card(id: string): Promise<BackboneCard> {
    try {
      return await this.#checkedCard(id);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      const known = await this.#options.source.ids();
      throw new AppError('backbone_not_found', `There is no backbone '${id}'. There are: ${known.join(', ')}.`, {
        details: { backbone: id, known },
      });
    }
  }

  /** What a card's content is. @throws AppError `backbone_invalid` */
  modalityOf({ id, modality }: BackboneCard): Modality {
    const known = this.#modalities.get(modality);
    if (known) return known;
    throw unusable(id, `it takes content of the kind '${modality}', which this version of Graft does not know`);
  }

  /** For metrics: what is in memory, by the size of its files. */
  get memory(): { backbones: number; bytes: number } {
    const cards = [...this.#loaded.values()].map(({ card }) => card);
    return { backbones: cards.length, bytes: cards.reduce((sum, { bytes }) => sum + bytes, 0) };
  }

  /** The backbone, if it is in memory. */
  loaded(backbone: BackboneReference): Backbone | undefined {
    return this.#loaded.get(keyOf(backbone));
  }

  /**
   * The backbone that this id has now, loaded; its file is checked against the card's SHA-256. One whose thread has died is
   * loaded anew.
   * @throws AppError `backbone_not_found` or `backbone_invalid`
   */
  async load(id: string): Promise<Backbone> {
    return this.#load(await this.card(id));
  }

  /**
   * The backbone that a version was trained on, loaded. Nothing is asked where it is in memory.
   * @throws AppError `backbone_mismatch` where this id has another file, `backbone_not_found` or `backbone_invalid`
   */
  async loadFor(backbone: BackboneReference): Promise<Backbone> {
    return this.#loading.get(keyOf(backbone))?.loading ?? this.#load(await this.#cardFor(backbone));
  }

  /**
   * A backbone that is opened in a way of its own, such as cut in two; once for each key.
   * @throws AppError as `loadFor` does
   */
  open<B extends Backbone>(backbone: BackboneReference, { key, how }: { key: string; how: Opening<B> }): Promise<B> {
    const known = this.#loading.get(key);
    if (known) return known.loading as Promise<B>;
    return this.#once(key, {
      start: async (onEnd) => this.#start(await this.#cardFor(backbone), { key, how, onEnd }),
    });
  }

  /** The bytes of the backbone's file, checked. @throws AppError `backbone_not_found`, `backbone_invalid` */
  async bytes(card: BackboneCard): Promise<Buffer> {
    const path = await this.#options.source.file(card);
    const bytes = await readFile(path);
    if (createHash('sha256').update(bytes).digest('hex') === card.sha256) return bytes;
    throw unusable(card.id, `${path} is not the file its card describes`);
  }

  #load(card: BackboneCard): Promise<Backbone> {
    const key = keyOf(card);
    const known = this.#loading.get(key);
    // Put back with the same file and another card: the card that holds now decides how content is made ready.
    if (known && isDeepStrictEqual(known.card, card)) return known.loading;
    const how: Opening<Backbone> = (modality, options) => modality.open(options);
    return this.#once(key, { card, start: (onEnd) => this.#start(card, { key, how, onEnd }) });
  }

  #once<B extends Backbone>(
    key: string,
    { card, start }: { card?: BackboneCard; start: (onEnd: () => void) => Promise<B> },
  ): Promise<B> {
    const forget = () => {
      if (this.#loading.get(key)?.loading !== loading) return;
      this.#loading.delete(key);
      this.#loaded.delete(key);
    };
    const loading = start(forget);
    this.#loading.set(key, { ...(card && { card }), loading });
    loading.catch(forget);
    return loading;
  }

  async #start<B extends Backbone>(
    card: BackboneCard,
    { key, how, onEnd }: { key: string; how: Opening<B>; onEnd: () => void },
  ): Promise<B> {
    const { source, threads, provider = 'auto', onLoad } = this.#options;
    const file = await source.file(card);
    const providers = provider === 'auto' ? ['cuda', 'cpu'] : [provider];
    const opened = await how(this.modalityOf(card), { card, file, threads, providers, onEnd });
    this.#loaded.set(key, opened);
    onLoad?.(opened);
    return opened;
  }

  async #cardFor({ id, sha256 }: BackboneReference): Promise<BackboneCard> {
    const card = await this.card(id);
    if (card.sha256 === sha256) return card;
    throw new AppError(
      'backbone_mismatch',
      `The model was trained on another '${id}' (sha256 ${sha256}) than the one that is installed (${card.sha256}). Put that file back, or train again.`,
      { details: { expected: sha256, installed: card.sha256 } },
    );
  }

  /** A card whose modality is known and finds in it what it needs. */
  async #checkedCard(id: string): Promise<BackboneCard> {
    const card = await this.#options.source.card(id);
    const { cardSchema } = this.modalityOf(card);
    const fault = Value.Errors(cardSchema, card).First();
    if (!fault) return card;
    throw unusable(id, `its card is not valid at ${fault.path || '/'}: ${fault.message}`);
  }
}

function keyOf({ id, sha256 }: BackboneReference): string {
  return `${id} ${sha256}`;
}
