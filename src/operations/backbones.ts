import type { BackboneCard } from '../schemas/backbones.js';
import type { OperationsDependencies } from './dependencies.js';

/** A backbone that is installed, and what this server does with it. */
export type InstalledBackbone = BackboneCard & {
  default: boolean;
  /** Whether this server has it in memory. */
  loaded: boolean;
  /** What it runs on; null: it is not loaded. */
  provider: string | null;
  /** What was tried before, and why it does not run there. */
  unavailable_providers: string[];
};

export function backboneOperations({ backbones, limits }: Pick<OperationsDependencies, 'backbones' | 'limits'>) {
  return {
    async list(): Promise<{ data: InstalledBackbone[]; has_more: boolean }> {
      const cards = await backbones.list();
      return {
        data: cards.map((card) => {
          const loaded = backbones.loaded(card);
          return {
            ...card,
            default: card.id === limits.DEFAULT_BACKBONE,
            loaded: loaded !== undefined,
            provider: loaded?.provider ?? null,
            unavailable_providers: loaded?.unavailableProviders ?? [],
          };
        }),
        has_more: false,
      };
    },
  };
}
