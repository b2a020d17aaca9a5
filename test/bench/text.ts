/**
 * How good classifiers of texts are, on real sets, and how long a job takes.
 *
 *   npm run bench:text [-- --backbone ID] [--splits 5] [--draws 10] [set …]
 *
 * Sets with given parts are trained once, the others over so many random 80 : 20 splits; --draws trains on 20 rows a class, so
 * many times. With --peer PYTHON, which has scikit-learn, the yardstick's recipe is run on the same splits and draws: hashed
 * n-grams weighted by their inverse document frequency, logistic regression, its penalty chosen by cross-validation.
 *
 * Reads real texts from the shared folder beside the package (`GRAFT_SHARED`).
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { parseArgs } from 'node:util';
import { PACKAGE_ROOT } from '../../src/config.js';
import { readTextTables } from '../../src/datasets/labels/text-tables.js';
import { seededRandom, shuffled } from '../../src/numbers/random.js';
import { SHARED } from '../helpers/shared.js';
import { openWorkbench } from './accuracy/features.js';
import { spread } from './spread.js';

const { values, positionals } = parseArgs({
  options: {
    backbone: { type: 'string', default: 'ngrams' },
    splits: { type: 'string', default: '5' },
    draws: { type: 'string', default: '0' },
    peer: { type: 'string' },
  },
  allowPositionals: true,
});

/** A set: its tables, the parts that they are, or one to be split. */
const SETS: Record<string, { train?: string; test?: string; all?: string }> = {
  rt: { all: 'rt-polarity/reviews.csv' },
  sst2: { train: 'sst2/train.csv', test: 'sst2/test.csv' },
  trec6: { train: 'trec6/train.csv', test: 'trec6/test.csv' },
  banking77: { train: 'banking77/train.csv', test: 'banking77/test.csv' },
  ag: { all: 'ag-news/test.csv' },
};
const FEW = 20;

interface Row {
  text: string;
  label: string;
  split: 'train' | 'test';
}

const folder = await mkdtemp(join(tmpdir(), 'graft-text-'));
const workbench = await openWorkbench(folder, { only: 'none' });
try {
  console.log(
    '| set | training rows | splits | accuracy, mean ± deviation | yardstick | s a job | of these the head | head, KB |',
  );
  console.log('|---|---|---|---|---|---|---|---|');
  for (const name of positionals.length > 0 ? positionals : Object.keys(SETS)) {
    await measure(name, await splitsOf(name));
    if (Number(values.draws) > 0) await measure(`${name}, ${FEW} a class`, await drawsOf(name));
  }
} finally {
  await workbench.close();
  await rm(folder, { recursive: true, force: true });
}

async function measure(name: string, splits: Row[][]): Promise<void> {
  const figures: number[] = [];
  let [seconds, head, bytes] = [0, 0, 0];
  const tables = splits.map((rows) => tableOf(rows));
  for (const [i, table] of tables.entries()) {
    const id = await workbench.create(`${i}.jsonl`, Readable.from([Buffer.from(table)]));
    const { report, manifest } = await workbench.publish(id, { model: 'texts', backbone: values.backbone });
    figures.push(report.evaluation!.accuracy);
    seconds += report.timings.total_seconds / splits.length;
    head += report.timings.head_seconds / splits.length;
    bytes = manifest.files.filter(({ path }) => path.startsWith('head/')).reduce((sum, file) => sum + file.bytes, 0);
  }
  const peer = values.peer ? spread(yardstick(values.peer, tables)) : '–';
  const rows = splits[0]!.filter(({ split }) => split === 'train').length;
  console.log(
    `| ${[name, rows, splits.length, spread(figures), peer, seconds.toFixed(1), head.toFixed(1), (bytes / 1000).toFixed(0)].join(' | ')} |`,
  );
}

/** As JSON lines, which need no quoting. */
function tableOf(rows: Row[]): string {
  return rows.map((row) => JSON.stringify(row)).join('\n');
}

/** Accuracy of the yardstick's recipe on each table. */
function yardstick(python: string, tables: string[]): number[] {
  const paths = tables.map((table, i) => {
    const path = join(folder, `${i}.jsonl`);
    writeFileSync(path, table);
    return path;
  });
  const script = join(PACKAGE_ROOT, 'test/bench/peers/text-yardstick.py');
  return JSON.parse(execFileSync(python, [script, ...paths], { encoding: 'utf8' })) as number[];
}

async function splitsOf(name: string): Promise<Row[][]> {
  const { train, test, all } = SETS[name]!;
  if (all === undefined) return [[...(await rowsOf(train!, 'train')), ...(await rowsOf(test!, 'test'))]];
  const rows = await rowsOf(all, 'train');
  return Array.from({ length: Number(values.splits) }, (_, seed) => {
    const held = new Set(byClass(rows, seed).flatMap((members) => members.slice(0, Math.round(members.length / 5))));
    return rows.map((row) => ({ ...row, split: held.has(row) ? 'test' : 'train' }));
  });
}

/** Twenty training rows of each class, the test rows of the first split. */
async function drawsOf(name: string): Promise<Row[][]> {
  const [rows] = await splitsOf(name);
  const test = rows!.filter(({ split }) => split === 'test');
  const train = rows!.filter(({ split }) => split === 'train');
  return Array.from({ length: Number(values.draws) }, (_, seed) => [
    ...byClass(train, seed).flatMap((members) => members.slice(0, FEW)),
    ...test,
  ]);
}

function byClass(rows: Row[], seed: number): Row[][] {
  return [...grouped(rows).values()].map((members) => shuffled(members, seededRandom(seed, 'split')));
}

function grouped(rows: Row[]): Map<string, Row[]> {
  const classes = new Map<string, Row[]>();
  for (const row of rows) {
    const members = classes.get(row.label);
    if (members) members.push(row);
    else classes.set(row.label, [row]);
  }
  return classes;
}

async function rowsOf(path: string, split: Row['split']): Promise<Row[]> {
  const file = join(SHARED, 'datasets-text', path);
  if (!existsSync(file)) throw new Error(`${file} is not here; it is what is measured.`);
  const { rows } = await readTextTables([{ name: path, bytes: readFileSync(file), canonical: false }]);
  return rows.flatMap(({ text, place }) => ('label' in place ? [{ text, label: place.label, split }] : []));
}
