/** A kind of content that needs no decoder and no network: `kind 2 …` is an example of the third class. */
import { Type } from '@sinclair/typebox';
import type { Backbone } from '../../src/backbones/contract.js';
import type { Modality } from '../../src/backbones/modality.js';
import type { BackboneSource } from '../../src/backbones/source.js';
import { backboneNotFound } from '../../src/backbones/source.js';
import { AppError } from '../../src/errors.js';
import { dense } from '../../src/numbers/features.js';
import type { BackboneCard } from '../../src/schemas/backbones.js';

/** Classes that it can tell apart. */
export const KINDS = 4;

export function content(kind: number, seed: number | string = 0): Buffer {
  return Buffer.from(`kind ${kind} ${seed}`);
}

export const LIGHT_CARD: BackboneCard = {
  id: 'light',
  name: 'Light',
  modality: 'light',
  recipe: 'light',
  file: 'none',
  sha256: '1'.repeat(64),
  bytes: 0,
  features: { name: 'features', dimensions: KINDS },
  license: 'Apache-2.0',
  source: 'here',
};

/** @throws AppError `content_unsupported`, `content_invalid` */
function kindOf(bytes: Uint8Array): number {
  const text = Buffer.from(bytes).toString('latin1');
  if (text === '') throw new AppError('content_invalid', 'It is empty.');
  if (!text.startsWith('kind ')) throw new AppError('content_unsupported', 'It is no light content.');
  const kind = Number(text.split(' ')[1]);
  if (Number.isInteger(kind) && kind >= 0 && kind < KINDS) return kind;
  throw new AppError('content_invalid', 'It has no kind.');
}

export function lightBackbone(card: BackboneCard = LIGHT_CARD): Backbone<number> {
  return {
    card,
    recipe: card.recipe,
    passes: 1,
    batch: { predicting: 4, extracting: 4 },
    provider: 'cpu',
    unavailableProviders: [],
    cacheable: false,
    prepare: async (bytes) => kindOf(bytes),
    embed: async (kinds) => {
      const values = new Float32Array(kinds.length * KINDS);
      for (const [row, kind] of kinds.entries()) values[row * KINDS + kind] = 1;
      return dense(values, KINDS);
    },
    explain: async () => ({ map: null, overlay: null, no_map: 'There is nothing to see.' }),
  };
}

export const LIGHT: Modality<number> = {
  id: 'light',
  words: { one: 'example', many: 'examples' },
  maxBytes: 1000,
  maxBytesSetting: 'MAX_EXAMPLE_BYTES',
  cardSchema: Type.Object({}),
  onnx: false,
  mayBeContent: (name) => name.endsWith('.txt'),
  inspect: async (bytes) => ({ kind: kindOf(bytes) }),
  mediaType: () => 'application/x-light',
  usage: () => [],
  open: async ({ card }) => lightBackbone(card),
};

/** The backbone `light` alone. */
export const LIGHT_SOURCE: BackboneSource = {
  ids: async () => [LIGHT_CARD.id],
  card: async (id) => {
    if (id === LIGHT_CARD.id) return LIGHT_CARD;
    throw backboneNotFound(id);
  },
  file: async () => '',
  verify: async () => undefined,
};

/** Files `label/n.txt` for an archive, each different. */
export function lightFiles(labels: string[], perClass: number): { name: string; bytes: Buffer }[] {
  return labels.flatMap((label, kind) =>
    Array.from({ length: perClass }, (_, n) => ({ name: `${label}/${n}.txt`, bytes: content(kind, `${label} ${n}`) })),
  );
}
