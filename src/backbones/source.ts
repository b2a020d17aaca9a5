import { AppError } from '../errors.js';
import type { BackboneCard } from '../schemas/backbones.js';

/**
 * Where backbones come from: the embedded ones lie in a folder (`EmbeddedBackbones`), those that were installed in storage
 * (`InstalledBackbones`). What loads them knows this alone.
 */
export interface BackboneSource {
  /** Ids, sorted. Cards may still be missing or invalid. */
  ids(): Promise<string[]>;
  /**
   * The card that this id has now.
   * @throws AppError `backbone_not_found`, or `backbone_invalid` where it cannot be used
   */
  card(id: string): Promise<BackboneCard>;
  /**
   * Path of the card's file on this machine; it is brought here when it is first needed. Whoever reads the file compares
   * its bytes with the card's digest.
   * @throws AppError `backbone_not_found` where this source has no such file, or `backbone_invalid` where it is damaged
   */
  file(card: BackboneCard): Promise<string>;
  /**
   * Compare the bytes of this backbone with its digests.
   * @throws AppError `backbone_not_found`, or `backbone_invalid` where they differ or a file is missing
   */
  verify(id: string): Promise<void>;
}

/** Several sources as one, asked in this order: of two backbones with one id the first holds. */
export function sourcesInOrder(sources: BackboneSource[]): BackboneSource {
  const first = async <T>(ask: (source: BackboneSource) => Promise<T>, id: string): Promise<T> => {
    for (const source of sources) {
      try {
        return await ask(source);
      } catch (error) {
        if (!isNotFound(error)) throw error;
      }
    }
    throw backboneNotFound(id);
  };
  return {
    ids: async () => [...new Set((await Promise.all(sources.map((source) => source.ids()))).flat())].sort(),
    card: (id) => first((source) => source.card(id), id),
    file: (card) => first((source) => source.file(card), card.id),
    verify: (id) => first((source) => source.verify(id), id),
  };
}

export function backboneNotFound(id: string): AppError {
  return new AppError('backbone_not_found', `There is no backbone ${JSON.stringify(id)}.`, {
    details: { backbone: id },
  });
}

export function isNotFound(error: unknown): boolean {
  return error instanceof AppError && error.code === 'backbone_not_found';
}
