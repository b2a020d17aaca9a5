/**
 * text/ is the modality of texts: how bytes become a text, what n-grams are made of, what each word adds to an answer. Tables
 * whose rows are texts are taken apart in datasets/.
 *
 * This file: all of it behind the contract that other rooms know.
 */
import { BackboneCard } from '../../schemas/backbones.js';
import type { Modality } from '../modality.js';
import { mayBeText } from './names.js';
import { openNgramBackbone } from './ngram-backbone.js';
import { readText, type TextLimits } from './read-text.js';
import { referenceFiles } from './reference.js';
import { SAME_TEXT, type TextSignature, textSignature, textSimilarity } from './similarity.js';
import { textUsage } from './usage.js';

export function textModality(limits: TextLimits): Modality<string, TextSignature> {
  return {
    id: 'text',
    words: { one: 'text', many: 'texts' },
    maxBytes: limits.maxBytes,
    maxBytesSetting: 'MAX_TEXT_BYTES',
    cardSchema: BackboneCard,
    onnx: false,
    mayBeContent: mayBeText,
    inspect: async (content) => {
      const { text, encoding } = readText(content, limits);
      return { characters: text.length, ...(encoding === 'windows-1252' && { windows_1252: 1 }) };
    },
    ofCell: (cell) => Buffer.from(cell),
    mediaType: () => 'text/plain; charset=utf-8',
    odd: ({ characters, windows_1252 }) => {
      if (windows_1252) return 'is not UTF-8 and was read as Windows-1252';
      return characters !== undefined && characters < 3 ? `has ${characters} characters` : undefined;
    },
    similarity: {
      signature: async (content) => textSignature(readText(content, limits).text),
      compare: textSimilarity,
      copies: SAME_TEXT,
    },
    usage: textUsage,
    reference: referenceFiles,
    open: (options) => openNgramBackbone({ ...options, limits }),
  };
}
