import fc from 'fast-check';
import t from 'tap';
import { analyse } from '../../../src/backbones/text/analyse.js';
import { Ngrams } from '../../../src/backbones/text/ngrams.js';

const WORDS = new Ngrams([{ of: 'words', min: 1, max: 2, columns: 65_536 }]);
const BOTH = new Ngrams([
  { of: 'words', min: 1, max: 2, columns: 65_536 },
  { of: 'characters', min: 3, max: 5, columns: 65_536 },
]);

function wordsOf(text: string): string[] {
  const { points, words } = analyse(text);
  return words.map(({ from, to }) => String.fromCodePoint(...points.subarray(from, to)));
}

t.test(
  'words are runs of letters, marks and digits in small letters; of scripts without blanks each letter is one',
  (t) => {
    t.same(wordsOf("Don't PANIC, ISO_8601 & 42nd!"), ['don', 't', 'panic', 'iso_8601', '42nd']);
    t.same(wordsOf('Crème BRÛLÉE'), ['crème', 'brûlée']);
    t.same(wordsOf('Cre\u0300me'), ['crème'], 'composed first');
    t.same(wordsOf('हिन्दी में'), ['हिन्दी', 'में'], 'marks belong to words');
    t.same(wordsOf('我爱你 ok ありがとう'), ['我', '爱', '你', 'ok', ...'ありがとう']);
    t.same(wordsOf('😀 a\u{1d400}b'), [`a\u{1d400}b`], 'letters beyond 16 bits');
    t.same(wordsOf(' \t\n '), []);
    t.end();
  },
);

t.test('each n-gram is present once, and each block has length 1', (t) => {
  t.equal(WORDS.row('spam spam egg').values.length, 4, 'spam, egg, spam spam, spam egg');
  t.equal(
    new Ngrams([{ of: 'characters', min: 3, max: 5, columns: 65_536 }]).row('ab').values.length,
    3,
    ' ab, ab , and both blanks',
  );
  t.equal(new Ngrams([{ of: 'characters', min: 3, max: 5, columns: 65_536 }]).row('a').values.length, 1);
  const { indices, values } = BOTH.row('Where is my card?');
  const first = indices.findIndex((column) => column >= 65_536);
  for (const block of [values.subarray(0, first), values.subarray(first)]) {
    t.ok(Math.abs(block.reduce((sum, value) => sum + value * value, 0) - 1) < 1e-5);
  }
  t.same(BOTH.row('?! …').indices.filter((column) => column < 65_536).length, 0, 'no words');
  t.same([...BOTH.row('').values], []);
  t.end();
});

t.test('rows do not depend on what was asked before, columns ascend, and case and composition change nothing', (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 60 }), fc.string({ maxLength: 60 }), (text, other) => {
      const row = BOTH.row(text);
      BOTH.row(other);
      t.same(BOTH.row(text), row);
      t.same(BOTH.row(text.normalize('NFD')), row);
      t.ok(row.indices.every((column, i) => i === 0 || column > row.indices[i - 1]!));
      t.ok(row.indices.every((column) => column >= 0 && column < BOTH.columns));
    }),
    { numRuns: 100 },
  );
  t.end();
});

t.test('every column of a text is found again where its n-grams lie', (t) => {
  const text = 'A witty, seductive movie — and 好 too.';
  const met = new Set<number>();
  BOTH.each(text, (column, { from, to }) => {
    met.add(column);
    t.ok(from < to && to <= text.length);
  });
  t.same(
    [...met].sort((a, b) => a - b),
    [...BOTH.row(text).indices],
  );
  t.end();
});

t.test('the columns of known words are those that the format says, for whoever reimplements it', (t) => {
  const { indices } = BOTH.row('card card');
  // FNV-1a over code points from 2166136261 XOR the block's number, mixed as MurmurHash3 ends.
  const hash = (text: string, seed: number) => {
    let h = 2_166_136_261n ^ BigInt(seed);
    for (const sign of text) h = ((h ^ BigInt(sign.codePointAt(0)!)) * 16_777_619n) & 0xffffffffn;
    h ^= h >> 16n;
    h = (h * 0x85ebca6bn) & 0xffffffffn;
    h ^= h >> 13n;
    h = (h * 0xc2b2ae35n) & 0xffffffffn;
    return Number((h ^ (h >> 16n)) % 65_536n);
  };
  const words = ['card', 'card card'].map((gram) => hash(gram, 1));
  const characters = [' ca', 'car', 'ard', 'rd ', ' car', 'card', 'ard ', ' card', 'card '].map(
    (gram) => 65_536 + hash(gram, 2),
  );
  t.same(
    [...indices],
    [...words, ...characters].sort((a, b) => a - b),
  );
  t.end();
});
