import { readFile } from 'node:fs/promises';
import { Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { isLayers, type ServedHead } from '../../heads/served-head.js';
import { type SparseRow, stacked } from '../../numbers/features.js';
import { strict } from '../../schemas/common.js';
import type { Backbone } from '../contract.js';
import type { OpenOptions } from '../modality.js';
import { unusable } from '../unusable.js';
import { explainText } from './explain-text.js';
import { Ngrams } from './ngrams.js';
import { readText, type TextLimits } from './read-text.js';

/** What lies in the file of such a backbone. */
const NgramsFile = Type.Object(
  {
    format: Type.Literal(1),
    blocks: Type.Array(
      Type.Object(
        {
          of: Type.Union([Type.Literal('words'), Type.Literal('characters')]),
          min: Type.Integer({ minimum: 1 }),
          max: Type.Integer({ minimum: 1, maximum: 8 }),
          columns: Type.Integer({ minimum: 16, maximum: 2 ** 22 }),
        },
        strict,
      ),
      { minItems: 1 },
    ),
  },
  strict,
);

export const NGRAMS_RECIPE = 'ngrams-1';

/** A text takes some ten microseconds: a batch is what an event loop may be held for. */
const BATCH = { predicting: 64, extracting: 256 };
/** Longest that the event loop is held. */
const HELD_MS = 10;

/**
 * A backbone of hashed n-grams: nothing in it was learnt, so it needs no download.
 * @throws AppError `backbone_invalid`
 */
export async function openNgramBackbone({
  card,
  file,
  limits,
}: Pick<OpenOptions, 'card' | 'file'> & { limits: TextLimits }): Promise<Backbone<string>> {
  const stored: unknown = JSON.parse(await readFile(file, 'utf8').catch(() => 'null'));
  if (card.recipe !== NGRAMS_RECIPE) {
    throw unusable(
      card.id,
      `its texts are made ready by the recipe '${card.recipe}', and this version of Graft knows '${NGRAMS_RECIPE}'`,
    );
  }
  if (!Value.Check(NgramsFile, stored)) throw unusable(card.id, `${file} is not the file its card describes`);
  const ngrams = new Ngrams(stored.blocks);
  if (ngrams.columns !== card.features.dimensions) {
    throw unusable(card.id, `its card says ${card.features.dimensions} features, its file ${ngrams.columns}`);
  }
  return {
    card,
    recipe: card.recipe,
    passes: 1,
    batch: BATCH,
    provider: 'cpu',
    unavailableProviders: [],
    cacheable: false,
    prepare: async (content) => readText(content, limits).text,
    embed: async (texts) => stacked(await rowsOf(ngrams, texts), ngrams.columns),
    explain: async (text, head, classIndex) => explain({ ngrams, text, head, classIndex }),
  };
}

/** A long text takes a tenth of a second: whoever else is served breathes in between. */
async function rowsOf(ngrams: Ngrams, texts: string[]): Promise<SparseRow[]> {
  const rows: SparseRow[] = [];
  let since = performance.now();
  for (const text of texts) {
    rows.push(ngrams.row(text));
    if (performance.now() - since < HELD_MS) continue;
    await new Promise((resolve) => setImmediate(resolve));
    since = performance.now();
  }
  return rows;
}

async function explain(options: { ngrams: Ngrams; text: string; head: ServedHead; classIndex: number }) {
  const { ngrams, text, head, classIndex } = options;
  return isLayers(head) ? {} : explainText({ ngrams, text, head, classIndex });
}
