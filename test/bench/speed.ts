/**
 * How fast is Graft beside what a user would take instead, and how near to what the machine can do?
 *
 *   npm run bench [-- --json FILE] [--only SECTION …] [--rounds N]
 *
 * Reads real photos and weights from the shared folder beside the package (`GRAFT_SHARED`). Each section takes one to three
 * minutes and wants the machine for itself. docs/performance.md says how the figures are meant.
 */
import { writeFile } from 'node:fs/promises';
import { availableParallelism, cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { startLoadClient } from './speed/load.js';
import { ROUNDS } from './speed/rounds.js';
import type { Section } from './speed/section.js';
import { busy } from './speed/sections/busy.js';
import { fineTuneAgain, fineTuneCold } from './speed/sections/fine-tune.js';
import { growth } from './speed/sections/growth.js';
import { headFit } from './speed/sections/head-fit.js';
import { intake } from './speed/sections/intake.js';
import { manyModels } from './speed/sections/many-models.js';
import { overhead } from './speed/sections/overhead.js';
import { serving } from './speed/sections/serving.js';
import { startUp } from './speed/sections/start-up.js';
import { modelsFolder } from './speed/service.js';
import { figuresOf, printed, type Row } from './speed/table.js';

const SECTIONS: Section[] = [
  serving,
  overhead,
  manyModels,
  fineTuneCold,
  fineTuneAgain,
  headFit,
  intake,
  busy,
  startUp,
  growth,
];

const { values } = parseArgs({
  options: {
    json: { type: 'string' },
    only: { type: 'string', multiple: true },
    rounds: { type: 'string', default: String(ROUNDS) },
  },
});
const known = SECTIONS.map(({ name }) => name);
const wanted = values.only ?? known;
const unknown = wanted.filter((name) => !known.includes(name));
if (unknown.length > 0 || !(Number(values.rounds) >= 1)) {
  console.error(`Usage: npm run bench -- [--json FILE] [--rounds N] [--only NAME …]; names are ${known.join(', ')}.`);
  process.exit(1);
}

const say = (sentence: string) => console.error(`  ${sentence}`);
console.log(`${cpus()[0]?.model.trim()}, ${availableParallelism()} cores, Node ${process.versions.node}\n`);
const models = await modelsFolder();
const client = startLoadClient();
const rows: Row[] = [];
try {
  for (const section of SECTIONS.filter(({ name }) => wanted.includes(name))) {
    console.error(section.name);
    const began = performance.now();
    rows.push(...(await section.run({ models: models.path, client, rounds: Number(values.rounds), say })));
    say(`${((performance.now() - began) / 1000).toFixed(0)} s`);
  }
} finally {
  client.close();
  await models.remove();
}
console.log(printed(rows));
if (values.json) await writeFile(values.json, `${JSON.stringify({ figures: figuresOf(rows) }, null, 2)}\n`);
