/**
 * What a version said of examples that it had not seen, as a file of the version: lines of JSON, the first of which says
 * how to read the others, then one line per example, sorted by digest. Equal answers give equal bytes.
 */
import type { Readable } from 'node:stream';
import { argMax, probabilities, rounded } from '../numbers/scores.js';
import type { LabelledExample } from '../schemas/datasets.js';
import type { HeldOutPrediction } from '../schemas/predictions.js';
import type { HeldOutAnswers } from './run.js';

/** Path within a version. A version of which nothing could be held out has no such file. */
export const HELD_OUT_FILE = 'predictions/held-out.ndjson';

interface Header {
  format: 1;
  on: HeldOutAnswers['on'];
  /** Of the version; rows name a label by its place here. */
  labels: string[];
}

/** `sha256` comes first: a reader compares it without parsing the line. */
interface Row {
  sha256: string;
  name: string;
  labels: number[];
  /** Place of a label and its probability to 6 digits, the likeliest first; those of 0 are left out. */
  scores: [number, number][];
}

/** Up to so many labels, each has its score in each row; of more, the likeliest and the example's own. */
const MAX_WHOLE = 100;
const LIKELIEST = 10;
const ROW_START = '{"sha256":"';

/** @param answers in terms of places in `examples` */
export function writeHeldOut(answers: HeldOutAnswers, labels: string[], examples: LabelledExample[]): string {
  const { on, scored, temperature } = answers;
  const K = labels.length;
  const header: Header = { format: 1, on, labels };
  const rows = answers.examples.map((example, row): Row => {
    const { sha256, name } = examples[example]!;
    const truth = scored.y[row]!;
    const p = probabilities(scored.logits.subarray(row * K, (row + 1) * K), temperature);
    // As `argMax` has it, so that the likeliest is what the figures count, whatever rounding makes of a tie.
    const guess = argMax(p);
    const order = [...p.keys()].sort((a, b) => p[b]! - p[a]! || Number(b === guess) - Number(a === guess) || a - b);
    const kept = K <= MAX_WHOLE ? order : order.filter((k, place) => place < LIKELIEST || k === truth);
    const scores = kept.map((k): [number, number] => [k, rounded(p[k]!, 6)]);
    return { sha256, name, labels: [truth], scores: scores.filter(([k, score]) => score > 0 || k === guess) };
  });
  rows.sort((a, b) => (a.sha256 < b.sha256 ? -1 : Number(a.sha256 > b.sha256)));
  return [header, ...rows].map((line) => `${JSON.stringify(line)}\n`).join('');
}

export interface HeldOutQuery {
  /** Only examples that have this label. */
  label?: string | undefined;
  /** Only examples that were taken for this label. */
  predicted?: string | undefined;
  /** Only those that were taken for a label that they do not have, or only the others. */
  wrong?: boolean | undefined;
  limit: number;
  /** Only digests after this one. */
  after?: string | undefined;
}

/**
 * One page, sorted by digest. It is read as far as the page goes, and closed.
 * @param stream of the file
 */
export async function readHeldOut(
  stream: Readable,
  { label, predicted, wrong, limit, after = '' }: HeldOutQuery,
): Promise<{ data: HeldOutPrediction[]; has_more: boolean }> {
  const data: HeldOutPrediction[] = [];
  const labels: string[] = [];
  for await (const line of linesOf(stream)) {
    if (!line.startsWith(ROW_START)) {
      labels.push(...(JSON.parse(line) as Header).labels);
      continue;
    }
    if (line.slice(ROW_START.length, ROW_START.length + 64) <= after) continue;
    const found = predictionOf(JSON.parse(line) as Row, labels);
    if (label !== undefined && !found.labels.includes(label)) continue;
    if (predicted !== undefined && found.predicted !== predicted) continue;
    if (wrong !== undefined && wrong === found.labels.includes(found.predicted)) continue;
    if (data.length === limit) return { data, has_more: true };
    data.push(found);
  }
  return { data, has_more: false };
}

/** Every example with whether it was right, from a file of any version. @param stream of the file */
export async function* heldOutRows(stream: Readable): AsyncGenerator<{ sha256: string; right: boolean }> {
  for await (const line of linesOf(stream)) {
    if (!line.startsWith(ROW_START)) continue;
    const { sha256, labels, scores } = JSON.parse(line) as Row;
    yield { sha256, right: labels.includes(scores[0]?.[0] ?? -1) };
  }
}

function predictionOf({ sha256, name, labels: own, scores }: Row, labels: string[]): HeldOutPrediction {
  const known = new Set(scores.map(([k]) => k));
  const zeros = labels.length <= MAX_WHOLE ? [...labels.keys()] : own;
  const all = [...scores, ...zeros.filter((k) => !known.has(k)).map((k): [number, number] => [k, 0])];
  const named = all.map(([k, score]) => ({ label: labels[k]!, score }));
  return { sha256, name, labels: own.map((k) => labels[k]!), predicted: named[0]!.label, scores: named };
}

/** Not by readline, which also breaks lines at U+2028, and a name may hold one. */
async function* linesOf(stream: Readable): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of stream) {
    const lines = (
      rest + (typeof chunk === 'string' ? chunk : decoder.decode(chunk as Uint8Array, { stream: true }))
    ).split('\n');
    rest = lines.pop()!;
    yield* lines;
  }
}
