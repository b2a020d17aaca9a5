import t from 'tap';
import { textModality } from '../../../src/backbones/text/modality.js';
import { SAME_TEXT, textSignature, textSimilarity } from '../../../src/backbones/text/similarity.js';
import { readText } from '../../../src/backbones/text/read-text.js';
import { photo } from '../../helpers/photos.js';

const texts = textModality({ maxBytes: 100 });
const bytes = (text: string, encoding: BufferEncoding = 'utf8') => Buffer.from(text, encoding);

t.test('texts are read in the encodings that people have', (t) => {
  const read = (content: Buffer) => readText(content, { maxBytes: 100 });
  t.same(read(bytes('naïve')), { text: 'naïve', encoding: 'utf-8' });
  t.same(read(bytes('\ufeffnaïve')), { text: 'naïve', encoding: 'utf-8' }, 'its mark is dropped');
  t.same(read(bytes('\ufeffnaïve', 'utf16le')), { text: 'naïve', encoding: 'utf-16le' });
  t.same(read(bytes('\ufeffnaïve', 'utf16le').swap16()), { text: 'naïve', encoding: 'utf-16be' });
  t.same(read(bytes('na\xefve \x93so\x94', 'latin1')), { text: 'naïve “so”', encoding: 'windows-1252' });
  t.same(read(bytes('tab\tand\nline')).text, 'tab\tand\nline');
  t.end();
});

t.test('what is no text is refused, and the sentence says why', async (t) => {
  await t.rejects(texts.inspect(await photo(0, 1)), { code: 'content_too_large', message: /MAX_TEXT_BYTES/ });
  const refused = (content: Buffer, code: string, message: RegExp) =>
    t.rejects(texts.inspect(content), { code, message });
  await refused(bytes('a\0b'), 'content_unsupported', /U\+0000/);
  await refused(bytes('bell \x07'), 'content_unsupported', /U\+0007/);
  await refused(bytes(' \n\t'), 'content_invalid', /empty/);
  await refused(bytes('x'.repeat(101)), 'content_too_large', /101 bytes; at most 100/);
  await t.rejects(textModality({ maxBytes: 1e6 }).inspect(await photo(0, 1)), { code: 'content_unsupported' });
});

t.test('what stands out in a text is told by its facts', async (t) => {
  t.equal(texts.odd!(await texts.inspect(bytes('ok'))), 'has 2 characters');
  t.match(texts.odd!(await texts.inspect(bytes('na\xefve', 'latin1'))), /Windows-1252/);
  t.equal(texts.odd!(await texts.inspect(bytes('fine'))), undefined);
});

t.test('files are texts by their endings, or have none', (t) => {
  for (const name of ['pos/1.txt', 'a.md', 'news/51060', 'README', 'mail.eml']) t.ok(texts.mayBeContent(name), name);
  for (const name of ['a.jpg', 'a.csv', '.gitkeep', 'a/.hidden', 'model.bin']) t.notOk(texts.mayBeContent(name), name);
  t.end();
});

t.test('copies are told from texts that are only about the same', (t) => {
  const alike = (one: string, other: string) => textSimilarity(textSignature(one), textSignature(other));
  t.equal(alike('Where is my card?', 'where is my CARD'), 1);
  const long = 'the film is a gorgeous , witty and seductive look at love in the time of war';
  t.ok(alike(long, `${long} .`) >= SAME_TEXT);
  t.ok(alike(long, long.replace('gorgeous', 'lovely')) >= SAME_TEXT);
  t.ok(alike('How do I locate my card?', 'How do I activate my card?') < SAME_TEXT);
  t.ok(alike('yes', 'no') < SAME_TEXT);
  t.end();
});
