import t from 'tap';
import { Exemplars, writeExemplars } from '../../src/heads/exemplars.js';
import { dense } from '../../src/numbers/features.js';
import { randomFrom } from '../helpers/photos.js';

const D = 40;
const random = randomFrom(9);
const mean = Float32Array.from({ length: D }, () => random());
const deviation = Float32Array.from({ length: D }, () => 0.5 + random());
const raw = Float32Array.from({ length: 6 * D }, () => 3 * random());
const x = raw.map((value, i) => (value - mean[i % D]!) / deviation[i % D]!);
const examples = [0, 2, 3, 5].map((row) => ({ sha256: String(row).repeat(64), name: `${row}.jpg`, label: 'a' }));
const files = writeExemplars({
  examples,
  rows: [0, 2, 3, 5],
  of: 6,
  features: dense(x, D),
  standard: { kind: 'dense', mean, deviation },
});

t.test('an example that is remembered is its own nearest, by its raw features', (t) => {
  const exemplars = new Exemplars(files);
  t.same([exemplars.examples, exemplars.of], [4, 6]);
  for (const [place, row] of [0, 2, 3, 5].entries()) {
    const [itself, next] = exemplars.nearest(raw.slice(row * D, (row + 1) * D), 2);
    t.match(itself, examples[place]);
    t.ok(itself!.similarity > 0.999 && next!.similarity < 0.9);
  }
  t.equal(exemplars.nearest(raw.slice(D, 2 * D), 50).length, 4);
  t.end();
});

t.test('similarities are cosines of the standardised features', (t) => {
  const vector = (row: number) => x.subarray(row * D, (row + 1) * D);
  const dot = (a: Float32Array, b: Float32Array) => a.reduce((sum, value, d) => sum + value * b[d]!, 0);
  for (const { name, similarity } of new Exemplars(files).nearest(raw.slice(D, 2 * D), 4)) {
    const other = vector(Number.parseInt(name, 10));
    const cosine = dot(vector(1), other) / Math.sqrt(dot(vector(1), vector(1)) * dot(other, other));
    t.ok(Math.abs(similarity - cosine) < 0.01, `${similarity} = ${cosine}`);
  }
  t.end();
});

t.test('files that do not fit are refused', (t) => {
  const short = { ...files, features: files.features.subarray(1) };
  t.throws(() => new Exemplars(short), { code: 'version_damaged' });
  t.throws(() => new Exemplars(files).nearest(new Float32Array(D + 1), 1), { code: 'version_damaged' });
  t.end();
});
