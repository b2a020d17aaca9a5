/**
 * Tries every promise and prints a figure for each.
 *
 *   npm run test:faults [-- --json FILE] [--only ROW] [--seed N] [--short]
 *
 * Uses loopback and temporary folders only. Exit code 1: a goal was missed, or a row broke off.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import type { Figure } from './figure.js';
import { loadRows } from './rows.js';

/** No row may hold up those behind it for longer. */
const ROW_DEADLINE_MS = 30 * 60_000;

const { values } = parseArgs({
  options: {
    json: { type: 'string' },
    only: { type: 'string', multiple: true },
    seed: { type: 'string', default: '1' },
    short: { type: 'boolean', default: false },
  },
});
const rows = await loadRows();
const wanted = values.only ?? [...rows.keys()];
const unknown = wanted.filter((row) => !rows.has(row));
if (unknown.length > 0 || !/^\d+$/.test(values.seed)) {
  console.error(
    unknown.length > 0
      ? `There is no row ${unknown.join(', ')}. There are: ${[...rows.keys()].join(', ')}.`
      : `--seed ${values.seed}: expected a whole number.`,
  );
  process.exit(1);
}

const figures: Figure[] = [];
const broken: string[] = [];
console.log('| promise | figure | value | goal | reached |');
console.log('|---|---|---|---|---|');
for (const key of wanted) {
  const row = rows.get(key)!;
  const began = Date.now();
  const late = setTimeout(() => {
    console.error(`${key} did not end in ${ROW_DEADLINE_MS / 60_000} minutes.`);
    process.exit(1);
  }, ROW_DEADLINE_MS);
  try {
    const found = await row.run({
      long: !values.short,
      seed: Number(values.seed),
      log: (line) => console.error(`  ${key}: ${line}`),
    });
    for (const figure of found) {
      const { name, value, goal, unit, reached } = figure;
      const shown = (number: number) => `${number}${unit ? ` ${unit}` : ''}`;
      console.log(`| ${row.name} | ${name} | ${shown(value)} | ${shown(goal)} | ${reached ? 'yes' : '**no**'} |`);
      figures.push({ ...figure, name: `${row.name}: ${name}` });
    }
    if (found.length === 0) console.log(`| ${row.name} | not tried here; see above | | | |`);
  } catch (error) {
    broken.push(key);
    console.error(error);
    console.log(`| ${row.name} | broke off: ${(error as Error).message.split('\n')[0]} | | | **no** |`);
  } finally {
    clearTimeout(late);
  }
  console.error(`  ${key}: ${Math.round((Date.now() - began) / 1000)} s`);
}
if (values.json) {
  // With --only the figures of other rows stay as they were last measured.
  const before = values.only ? await earlier(values.json) : [];
  const fresh = new Set(wanted.map((key) => rows.get(key)!.name));
  const kept = before.filter(({ name }) => !fresh.has(name.split(':')[0]!));
  await writeFile(values.json, `${JSON.stringify({ figures: [...kept, ...figures] }, null, 2)}\n`);
}
process.exit(broken.length > 0 || figures.some(({ reached }) => !reached) ? 1 : 0);

async function earlier(path: string): Promise<Figure[]> {
  try {
    return (JSON.parse(await readFile(path, 'utf8')) as { figures: Figure[] }).figures;
  } catch {
    return [];
  }
}
