/**
 * Model-based: random sequences of submitting, cancelling, crashing, restarting, promoting and wiping Redis, while jobs are
 * looked at all the time. Whatever was told must still hold later, and everything must end as the model says.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { AppError } from '../../src/errors.js';
import { until } from '../helpers/http.js';
import { atLeast, exactly, type Figure, type RowOptions } from './figure.js';
import { World } from './helpers/world.js';

export const name = 'Status never lies';
export const goal = 'no sequence of faults makes a status untrue or a progress fall';

/** What must hold in the end. */
interface Model {
  run: number;
  /** Ids in the order of submission; true: somebody wished it to stop. */
  jobs: { id: string; model: string; wished: boolean }[];
  /** Alias → version, by model. */
  promoted: Map<string, number>;
}

type Step = (model: Model, world: World) => Promise<void>;
const command = (label: string, step: Step): fc.AsyncCommand<Model, World> => ({
  check: () => true,
  run: step,
  toString: () => label,
});

const MODELS = ['a', 'b'];
const pick = <T>(list: T[], n: number): T | undefined => list[n % Math.max(1, list.length)];

const submit = async (n: number, model: Model, world: World) => {
  const name = `${MODELS[n]}-${model.run}`;
  model.jobs.push({ id: await world.submit(name), model: name, wished: false });
};

const COMMANDS: fc.Arbitrary<fc.AsyncCommand<Model, World>>[] = [
  fc.nat(1).map((n) => command(`submit ${MODELS[n]}`, (model, world) => submit(n, model, world))),
  fc.nat(20).map((n) =>
    command(`cancel ${n}`, async (model, world) => {
      const job = pick(model.jobs, n);
      if (!job) return;
      try {
        const now = world.note(await world.jobs.cancel('default', job.id));
        job.wished = true;
        if (!now.cancel_requested) world.faults.push(`${job.id}: the wish to cancel was taken and is not shown`);
      } catch (error) {
        if (!(error instanceof AppError) || error.code !== 'job_finished') throw error;
        const { finished_at } = await world.look(job.id);
        if (finished_at === null) world.faults.push(`${job.id} cannot be cancelled and has not ended`);
      }
    }),
  ),
  fc.nat(20).map((n) =>
    command(`promote ${n}`, async (model, world) => {
      const job = pick(model.jobs, n);
      const { version } = job ? await world.look(job.id) : { version: null };
      if (version === null) return;
      await world.registry.setAlias({
        tenant: 'default',
        model: job!.model,
        alias: 'production',
        version,
        by: 'local',
      });
      model.promoted.set(job!.model, version);
    }),
  ),
  fc.constant(command('kill jobs', async (_model, world) => world.killJobs())),
  fc.constant(command('kill the worker', (_model, world) => world.killWorker())),
  fc.constant(command('restart the worker', (_model, world) => world.restartWorker())),
  fc.constant(command('restart Redis', (_model, world) => world.restartRedis())),
  fc.constant(command('wipe Redis', (_model, world) => world.wipeRedis())),
  fc.integer({ min: 20, max: 900 }).map((ms) => command(`wait ${ms}`, async () => sleep(ms))),
];

export async function run({ long, seed, log }: RowOptions): Promise<Figure[]> {
  const [worlds, runsEach, maxCommands] = long ? [5, 24, 14] : [2, 2, 8];
  let [runs, looks, steps] = [0, 0, 0];
  const counterExamples: string[] = [];
  await Promise.all(
    Array.from({ length: worlds }, async (_, n) => {
      const world = await World.create();
      try {
        const property = fc.asyncProperty(fc.commands(COMMANDS, { maxCommands, size: 'max' }), async (commands) => {
          const model: Model = { run: runs, jobs: [], promoted: new Map() };
          runs += 1;
          const stop = new AbortController();
          const watching = watch(model, world, stop.signal).then((count) => {
            looks += count;
          });
          try {
            for (const n of [0, 1, 0]) await submit(n, model, world);
            await fc.asyncModelRun(() => ({ model, real: world }), commands);
            for (const { id } of model.jobs) {
              const ended = async () => (await world.look(id)).finished_at !== null;
              await until(ended, { timeoutMs: 60_000, what: `the end of ${id}` });
            }
          } finally {
            stop.abort();
            await watching;
          }
          await settled(model, world);
          steps += String(commands).split(',').length;
          const faults = world.faults.splice(0);
          if (faults.length > 0) throw new Error(faults.join('\n'));
        });
        const verdict = await fc.check(property, { seed: seed * 1000 + n, numRuns: runsEach, endOnFailure: true });
        if (verdict.failed) counterExamples.push(`${verdict.errorInstance}\nafter ${verdict.counterexample}`);
      } finally {
        await world.close();
      }
    }),
  );
  for (const example of counterExamples) log(example);
  log(`${steps} commands, ${looks} looks`);
  return [
    atLeast('runs', runs, worlds * runsEach),
    atLeast('looks', looks, runs * 10),
    exactly('counter-examples', counterExamples.length, 0),
  ];
}

/** Look at all jobs all the time. @returns how often */
async function watch(model: Model, world: World, signal: AbortSignal): Promise<number> {
  let looks = 0;
  while (!signal.aborted) {
    for (const { id } of [...model.jobs]) {
      await world.look(id);
      await world.lookAtEvents(id);
      looks += 1;
    }
    await sleep(25);
  }
  return looks;
}

/** Everything has ended: check it against the model. */
async function settled(model: Model, world: World): Promise<void> {
  const { faults, jobs, registry } = world;
  for (const { id, model: name, wished } of model.jobs) {
    const job = await world.look(id);
    if (job.status !== 'succeeded' && !(wished && job.status === 'cancelled')) {
      faults.push(`${id} ${job.status} ${wished ? '' : 'though nobody wished it to stop'}: ${job.error?.message}`);
    }
    const published = await registry.publishedBy('default', name, id);
    if ((published?.version ?? null) !== job.version)
      faults.push(`${id} says ${job.version}, published ${published?.version}`);
    const events = await jobs.events('default', id);
    if (events.some(({ seq }, index) => seq !== events[0]!.seq + index))
      faults.push(`${id}: numbers of events have gaps`);
    const seen = world.numbersSeen(id);
    if (seen > events.at(-1)!.seq) faults.push(`${id}: event ${seen} was seen, the last is ${events.at(-1)!.seq}`);
    const ends = events.filter(({ type }) => type === 'succeeded' || type === 'cancelled' || type === 'failed');
    if (ends.length !== 1 || ends[0]!.type !== job.status) {
      faults.push(`${id} ${job.status}, its events end in ${ends.map(({ type }) => type)}`);
    }
  }
  for (const name of new Set(model.jobs.map((job) => job.model))) {
    const wanted = model.jobs.filter((job) => job.model === name);
    const versions = await registry.versions('default', name);
    const succeeded = await Promise.all(wanted.map(async ({ id }) => (await world.look(id)).version));
    const told = succeeded.filter((version) => version !== null).sort((a, b) => b - a);
    if (String(told) !== String(versions)) faults.push(`${name} has the versions ${versions}, its jobs tell ${told}`);
    const { aliases } = await registry.aliases('default', name);
    const promoted = model.promoted.get(name);
    if (aliases.get('production') !== promoted)
      faults.push(`${name}: production is ${aliases.get('production')}, not ${promoted}`);
  }
}
