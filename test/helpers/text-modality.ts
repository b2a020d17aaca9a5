/** A second kind of content: short texts, their features hashed words, sparse. Nothing in src/ knows of it. */
import { createHash } from 'node:crypto';
import type { Backbone } from '../../src/backbones/contract.js';
import type { Modality } from '../../src/backbones/modality.js';
import type { BackboneSource } from '../../src/backbones/source.js';
import { AppError } from '../../src/errors.js';
import type { Features } from '../../src/numbers/features.js';
import { BackboneCard } from '../../src/schemas/backbones.js';

const COLUMNS = 512;

export const TEXT_CARD: BackboneCard = {
  id: 'words_512',
  name: 'Hashed words',
  modality: 'text',
  recipe: 'words-1',
  file: 'none.bin',
  sha256: createHash('sha256').digest('hex'),
  bytes: 0,
  features: { name: 'words', dimensions: COLUMNS, kind: 'sparse' },
  license: 'Apache-2.0',
  source: 'test',
};

/** @param passes counts texts that went through the backbone */
export function textModality(passes = { texts: 0 }): Modality<string[], Set<string>> {
  const inspect = async (content: Uint8Array) => ({ words: wordsOf(content).length });
  return {
    id: 'text',
    words: { one: 'text', many: 'texts' },
    maxBytes: 10_000,
    maxBytesSetting: 'MAX_TEXT_BYTES',
    cardSchema: BackboneCard,
    onnx: false,
    mayBeContent: (name) => name.endsWith('.txt'),
    inspect,
    mediaType: () => 'text/plain; charset=utf-8',
    similarity: {
      signature: async (content) => new Set(wordsOf(content)),
      compare: (one, other) => {
        const common = [...one].filter((word) => other.has(word)).length;
        return common / Math.max(1, one.size + other.size - common);
      },
      copies: 0.95,
    },
    usage: () => ['Split the text at spaces.'],
    open: async ({ card }): Promise<Backbone<string[]>> => ({
      card,
      recipe: card.recipe,
      passes: 2,
      batch: { predicting: 4, extracting: 8 },
      provider: 'cpu',
      unavailableProviders: [],
      cacheable: false,
      prepare: async (content) => wordsOf(content),
      embed: async (prepared) => {
        passes.texts += prepared.length;
        return hashed(prepared);
      },
    }),
  };
}

/** A source with this one backbone. */
export const TEXT_SOURCE: BackboneSource = {
  ids: async () => [TEXT_CARD.id],
  card: async () => TEXT_CARD,
  file: async () => '/dev/null',
  verify: async () => undefined,
};

function wordsOf(content: Uint8Array): string[] {
  if (content.includes(0)) throw new AppError('content_unsupported', 'This is not a text. Texts are accepted.');
  return Buffer.from(content).toString('utf8').toLowerCase().split(/\W+/).filter(Boolean);
}

/** How often each word occurs, in the column of its hash; each row of length 1. */
function hashed(texts: string[][]): Features {
  const rows = texts.map((words) => {
    const counts = new Map<number, number>();
    for (const word of words) {
      const column = createHash('sha256').update(word).digest().readUInt16LE(0) % COLUMNS;
      counts.set(column, (counts.get(column) ?? 0) + 1);
    }
    const length = Math.hypot(...counts.values());
    return [...counts].map(([column, count]) => [column, count / length] as const).sort(([a], [b]) => a - b);
  });
  const offsets = new Int32Array(rows.length + 1);
  rows.forEach((row, i) => {
    offsets[i + 1] = offsets[i]! + row.length;
  });
  return {
    kind: 'sparse',
    rows: rows.length,
    columns: COLUMNS,
    offsets,
    indices: Int32Array.from(rows.flat(), ([column]) => column),
    values: Float32Array.from(rows.flat(), ([, value]) => value),
  };
}
