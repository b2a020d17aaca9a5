/**
 * Is this checkout as fast as another commit of Graft?
 *
 *   npm run bench:against -- COMMIT [--rounds 7] [--only throughput|fine-tune|retrain|start-up …]
 *
 * Builds that commit beside this one and measures both through HTTP alone, in alternating rounds: prediction throughput, a
 * cold fine-tune, a second one with all features cached, start-up. The commit is measured twice in each round: how far its
 * two runs lie apart (A/A) is what the machine itself does, and a ratio nearer to 1 than that says nothing. Wants the machine for itself.
 */
import { availableParallelism, cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { checkOut } from './against/check-out.js';
import { coldFineTune, retrain, startUp, throughput } from './against/measures.js';
import { type Subject, subjectIn } from './against/subject.js';
import { startLoadClient } from './speed/load.js';
import { median, ratios } from './speed/rounds.js';
import { PACKAGE_ROOT } from '../../src/config.js';

const MEASURES = { throughput, 'fine-tune': coldFineTune, retrain, 'start-up': startUp };
type Name = keyof typeof MEASURES;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '7' }, only: { type: 'string', multiple: true } },
});
const [commit] = positionals;
const names = (values.only ?? Object.keys(MEASURES)) as Name[];
const rounds = Number(values.rounds);
if (!commit || positionals.length > 1 || !(rounds >= 1) || names.some((name) => !(name in MEASURES))) {
  console.error(
    `Usage: npm run bench:against -- COMMIT [--rounds 7] [--only NAME …]; names are ${Object.keys(MEASURES).join(', ')}.`,
  );
  process.exit(1);
}

console.log(`${cpus()[0]?.model.trim()}, ${availableParallelism()} cores, Node ${process.versions.node}\n`);
const other = await checkOut(commit);
const client = startLoadClient();
const subjects: Subject[] = [];
try {
  for (const [name, root] of [
    ['A', other.root],
    ['here', PACKAGE_ROOT],
    ["A'", other.root],
  ] as const) {
    subjects.push(await subjectIn(root, name));
  }
  console.log(
    `| figure | here against ${commit}, median of ${rounds} rounds | least – most | A/A | A, median | here, median |`,
  );
  console.log('|---|---|---|---|---|---|');
  for (const name of names) {
    const { unit, better, prepare } = MEASURES[name];
    const results = new Map(subjects.map((subject) => [subject.name, [] as number[]]));
    const measures = [];
    for (const subject of subjects) measures.push({ subject, measure: await prepare(subject, client) });
    try {
      for (let round = 0; round < rounds; round += 1) {
        // Each round begins with another: what follows what must not count.
        for (let turn = 0; turn < measures.length; turn += 1) {
          const { subject, measure } = measures[(round + turn) % measures.length]!;
          const value = await measure.run();
          results.get(subject.name)!.push(value);
          console.error(`  ${name}, round ${round + 1}, ${subject.name}: ${value.toPrecision(4)} ${unit}`);
        }
      }
    } finally {
      for (const { measure } of measures) await measure.close();
    }
    const [a, here, again] = ['A', 'here', "A'"].map((subject) => results.get(subject)!) as [
      number[],
      number[],
      number[],
    ];
    // More is better in each ratio.
    const compared = better === 'more' ? ratios(here, a) : ratios(a, here);
    const same = better === 'more' ? ratios(again, a) : ratios(a, again);
    const shown = (value: number) => value.toPrecision(3);
    console.log(
      `| ${name} | ${shown(median(compared))} × | ${shown(Math.min(...compared))} – ${shown(Math.max(...compared))} | ${shown(median(same))} × | ${shown(median(a))} ${unit} | ${shown(median(here))} ${unit} |`,
    );
  }
} finally {
  client.close();
  for (const subject of subjects) await subject.remove();
  await other.remove();
}
