import { Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { AppError } from '../errors.js';
import { BackboneId } from '../schemas/common.js';
import { readJson, type Storage, writeJson } from '../storage/contract.js';

/** Those that Graft comes with. */
export const EMBEDDED_BACKBONE = 'rootstock_s';
export const EMBEDDED_TEXT_BACKBONE = 'ngrams';

const KEY = 'default-backbone.json';
const Chosen = Type.Object({ format: Type.Literal(1), backbone: BackboneId });

/**
 * Which backbone a job takes that names none: that of the setting; else the one that was chosen for this storage, by the
 * first start or by whoever runs the service; else the one that Graft comes with. It never changes by itself. Of texts only a
 * setting chooses another than the one that Graft comes with.
 */
export class DefaultBackbone {
  readonly #storage: Storage;
  readonly #setting: string;
  readonly #ofTexts: string;

  /** @param options setting: DEFAULT_BACKBONE, empty: none; ofTexts: DEFAULT_TEXT_BACKBONE */
  constructor(options: { storage: Storage; setting: string; ofTexts?: string }) {
    this.#storage = options.storage;
    this.#setting = options.setting;
    this.#ofTexts = options.ofTexts ?? EMBEDDED_TEXT_BACKBONE;
  }

  /**
   * @param modality what the data set holds
   * @throws AppError `config_invalid` where what is stored is damaged
   */
  async id(modality = 'image'): Promise<string> {
    if (modality === 'text') return this.#ofTexts;
    return this.#setting || ((await this.chosen()) ?? EMBEDDED_BACKBONE);
  }

  /** What was chosen for this storage; undefined: nothing yet. */
  async chosen(): Promise<string | undefined> {
    const stored = await readJson<unknown>(this.#storage, KEY).catch((error: unknown) => {
      if (error instanceof SyntaxError) return 'no JSON';
      throw error;
    });
    if (stored === undefined) return undefined;
    if (Value.Check(Chosen, stored)) return stored.backbone;
    throw new AppError(
      'config_invalid',
      `${KEY} in storage is not valid. Choose again: npm run backbones -- pull mobilenet_v2 --default`,
    );
  }

  /** @param options ifNone: an earlier choice stays */
  async choose(backbone: string, { ifNone = false }: { ifNone?: boolean } = {}): Promise<void> {
    await writeJson(this.#storage, KEY, { format: 1, backbone } satisfies { format: 1; backbone: string }, {
      ifAbsent: ifNone,
    });
  }
}
