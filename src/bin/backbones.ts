/**
 * The command `npm run backbones`: pull a public network or import an ONNX file as a backbone, list, verify and remove
 * them. They are installed in storage, where every server and worker finds them. Prints a sentence and exits with 1 when
 * something is wrong.
 */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { Value } from '@sinclair/typebox/value';
import { pullBackbone } from '../backbones/catalog/pull-backbone.js';
import { importBackbone } from '../backbones/image/import/import-backbone.js';
import type { ImportedBackbone } from '../backbones/image/import/imported-backbone.js';
import { Backbones } from '../backbones/backbones.js';
import type { DefaultBackbone } from '../backbones/default-backbone.js';
import { FeatureCache } from '../backbones/feature-cache.js';
import { Datasets } from '../datasets/datasets.js';
import type { BackboneSource } from '../backbones/source.js';
import { type Config, loadConfig } from '../config.js';
import { AppError } from '../errors.js';
import { JobStore } from '../jobs/job-store.js';
import {
  type BackboneOwners,
  installBackbone,
  refuseTakenId,
  removeBackbone,
} from '../operations/installed-backbones.js';
import { isAddress } from '../outbound/addresses.js';
import { Registry } from '../registry/registry.js';
import { ImageBackboneCard } from '../schemas/backbones.js';
import { BackboneId } from '../schemas/common.js';
import type { Storage } from '../storage/contract.js';
import { openStorage } from '../storage/open-storage.js';
import { formatBytes } from '../terminal/format.js';
import { createPaint } from '../terminal/paint.js';
import { createScreen } from '../terminal/screen.js';
import { printTable } from '../terminal/table.js';
import { backbonesOf } from './backbones-of.js';
import { printCatalog } from './print-catalog.js';
import { pullOptions } from './pull-options.js';
import { backbonesOptions, catalogOf, datasetsOptions } from './composition.js';

const USAGE = `Usage:
  npm run backbones -- catalog [ID …]                       the public networks that can be pulled
  npm run backbones -- pull ID [options]                    fetch one of them, check it and make it a backbone
  npm run backbones -- import FILE.onnx --id ID [options]   make a backbone of an ONNX image network
  npm run backbones -- recommend DATASET [--tenant TENANT]  which of them suits a data set: each is tried on 200 examples
  npm run backbones -- list                                 the backbones that are here
  npm run backbones -- verify [ID …]                        compare their files with their checksums
  npm run backbones -- remove ID [--force]                  delete one

Options of pull:
  --from FILE|URL      the file, where it was fetched by other means, or another address of it
  --default            jobs that name no backbone use it from now on
  --mirror URL         address instead of https://huggingface.co; by default BACKBONE_MIRROR
  --levels N           as for import
Options of import:
  --preset NAME        pre-processing: imagenet, tf, clip, caffe, unit or raw; guessed by default
  --features TENSOR    tensor with the features; found by default
  --levels N           depths of the network that are pooled; 5 by default, 1 is the last alone
  --input PIXELS       width and height where the file leaves them open, such as 336; 224 by default
  --stretch            stretch photos to the input instead of scaling and taking the centre
  --name, --license, --source TEXT, --top1 PERCENT    for the card
Option of remove:
  --force              also where versions or jobs need it
Everywhere:
  --models-dir DIR     folder of the backbones that Graft comes with; by default MODELS_DIR, or models/ of Graft
They are installed in DATA_DIR, for every server and worker that uses it.`;

const OPTIONS = {
  from: { type: 'string' },
  mirror: { type: 'string' },
  id: { type: 'string' },
  preset: { type: 'string' },
  features: { type: 'string' },
  levels: { type: 'string' },
  input: { type: 'string' },
  stretch: { type: 'boolean' },
  name: { type: 'string' },
  license: { type: 'string' },
  source: { type: 'string' },
  top1: { type: 'string' },
  default: { type: 'boolean' },
  force: { type: 'boolean' },
  tenant: { type: 'string', default: 'default' },
  'models-dir': { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

type Values = ReturnType<typeof parse>['values'];

function parse(args: string[]) {
  try {
    return parseArgs({ args, options: OPTIONS, allowPositionals: true });
  } catch (error) {
    throw fault((error as Error).message.split('. ')[0]!);
  }
}

function fault(message: string): AppError {
  return new AppError('invalid_request', `${message.replace(/\.$/, '')}. Try: npm run backbones -- --help`);
}

function numberOf(values: Values, option: 'levels' | 'input' | 'top1'): number | undefined {
  const text = values[option];
  if (text === undefined) return undefined;
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw fault(`--${option} must be a number`);
  return value;
}

async function run(args: string[]): Promise<void> {
  const { values, positionals } = parse(args);
  const [command, ...operands] = positionals;
  if (values.help || command === undefined) {
    console.log(USAGE);
    return;
  }
  const config = loadConfig(process.env);
  if (values['models-dir'] !== undefined) config.MODELS_DIR = here(values['models-dir']);
  const { storage } = await openStorage(config);
  const scene: Scene = { values, config, storage, ...backbonesOf(config, storage) };
  if (command === 'catalog')
    await printCatalog(screen, operands, { catalog: await catalogOf(config), source: scene.source });
  else if (command === 'pull') await pull(operands, scene);
  else if (command === 'import') await importFile(operands, scene);
  else if (command === 'recommend') await recommend(operands, scene);
  else if (command === 'list') await list(scene);
  else if (command === 'verify') await verify(operands, scene);
  else if (command === 'remove') await remove(operands, scene);
  else throw fault(`There is no command ${command}`);
}

/** What every command is given. */
interface Scene extends BackboneOwners {
  values: Values;
  config: Config;
  storage: Storage;
  /** Those that were installed and those that Graft comes with. */
  source: BackboneSource;
  /** Which of them jobs take that name none. */
  standard: DefaultBackbone;
}

/** npm changes to the project's folder; paths are meant from where it was called. */
function here(path: string): string {
  return resolve(process.env.INIT_CWD ?? process.cwd(), path);
}

const screen = createScreen({
  out: process.stdout,
  paint: createPaint({ isTTY: process.stdout.isTTY === true, env: process.env }),
});

async function pull(operands: string[], scene: Scene): Promise<void> {
  if (operands.length !== 1) throw fault('pull takes the id of one network');
  const id = operands[0]!;
  const { values, config } = scene;
  const { from, mirror } = values;
  let told = 0;
  const imported = await pullBackbone({
    ...(await pullOptions(config, scene)),
    id,
    from: from === undefined || isAddress(from) ? from : here(from),
    ...(mirror !== undefined && { mirror: mirror === '' ? undefined : mirror }),
    levels: numberOf(values, 'levels'),
    onNote: (note) => screen.line(note),
    onProgress(done, total) {
      const text = `${formatBytes(done)} of ${formatBytes(total)}`;
      screen.progress(done / total, text);
      const tenth = Math.floor((done / total) * 10);
      if (process.stdout.isTTY || tenth <= told) return;
      told = tenth;
      screen.line(`  ${tenth}0 %, ${text}`);
    },
  });
  screen.line(imported === undefined ? `${id} is here already.` : describe(imported));
  if (!values.default) return;
  await scene.standard.choose(id);
  screen.line(`Jobs that name no backbone use ${id} from now on.`);
  if (config.DEFAULT_BACKBONE)
    screen.line(`But for servers with DEFAULT_BACKBONE=${config.DEFAULT_BACKBONE}: that goes first.`);
}

async function recommend(operands: string[], { values, config, storage, standard }: Scene): Promise<void> {
  if (operands.length !== 1) throw fault('recommend takes the id of one data set');
  const { recommendBackbone } = await import('../training/recommend.js');
  const cache = await FeatureCache.open({ folder: config.CACHE_DIR, maxBytes: config.FEATURE_CACHE_BYTES });
  const opened = await openStorage(config);
  const { data, sentence } = await recommendBackbone({
    tenant: values.tenant,
    dataset: operands[0]!,
    datasets: new Datasets(datasetsOptions(config, opened)),
    backbones: new Backbones(backbonesOptions(config, storage)),
    cache,
    standard: await standard.id(),
    onProgress: () => undefined,
    onEvent: ({ message }) => screen.line(message),
  });
  await cache.close();
  printTable(
    screen,
    [
      { title: 'backbone' },
      { title: 'right', align: 'right' },
      { title: '95 % interval', align: 'right' },
      { title: 'a second', align: 'right' },
      { title: 'features', align: 'right' },
    ],
    data.map(({ backbone, accuracy, accuracy_interval: [low, high], examples_per_second: speed, features }) => [
      backbone,
      `${(100 * accuracy).toFixed(1)} %`,
      `${(100 * low!).toFixed(0)}–${(100 * high!).toFixed(0)} %`,
      speed.toFixed(0),
      `${features}`,
    ]),
  );
  screen.line(sentence);
}

async function importFile(operands: string[], scene: Scene): Promise<void> {
  if (operands.length !== 1) throw fault('import takes one ONNX file');
  const { values } = scene;
  if (values.id === undefined) throw fault('import needs --id');
  if (Value.Check(BackboneId, values.id)) await refuseTakenId(scene, values.id); // before the work
  const imported = await importBackbone({
    file: here(operands[0]!),
    id: values.id,
    preset: values.preset,
    features: values.features,
    levels: numberOf(values, 'levels'),
    size: numberOf(values, 'input'),
    resize: values.stretch ? { mode: 'stretch' } : undefined,
    name: values.name,
    license: values.license,
    source: values.source,
    imagenetTop1: numberOf(values, 'top1'),
  });
  await installBackbone(scene, imported);
  console.log(describe(imported));
}

async function remove(operands: string[], { values, storage, standard, ...owners }: Scene): Promise<void> {
  if (operands.length !== 1) throw fault('remove takes the id of one backbone');
  const id = operands[0]!;
  const stores = { storage, registry: new Registry({ storage }), jobs: new JobStore({ storage }) };
  await removeBackbone({ ...owners, ...stores }, { id, defaultBackbone: await standard.id(), force: values.force });
  console.log(`Removed ${id}.`);
}

function describe({ card, preset, presetReason, parts, classes }: ImportedBackbone): string {
  const { levels, vector } = parts;
  const pieces = levels.map(({ channels, height, width }) => `${channels} at ${height}×${width}`);
  if (vector) pieces.push(`${vector.dimensions} of ${vector.name}`);
  return [
    `Imported ${card.id} to backbones/${card.id}/ in storage`,
    `  features         ${card.features.dimensions} (${pieces.join(', ')})`,
    `  input            ${card.input.width}×${card.input.height} pixels`,
    `  pre-processing   ${preset}: ${presetReason}`,
    `  classifier       ${classes === undefined ? 'none was found behind the features' : `of ${classes} classes, cut off`}`,
    `  sha256           ${card.sha256}`,
    `Use it: "backbone": "${card.id}" in a job.`,
  ].join('\n');
}

async function list({ source }: Scene): Promise<void> {
  const ids = await source.ids();
  if (ids.length === 0) console.log('There are no backbones.');
  for (const id of ids) {
    try {
      const card = await source.card(id);
      const { bytes, features, license } = card;
      const takes = Value.Check(ImageBackboneCard, card)
        ? `${card.input.width}×${card.input.height} px`
        : card.modality;
      const megabytes = (bytes / 1e6).toFixed(1);
      console.log(
        `${id.padEnd(28)} ${String(features.dimensions).padStart(5)} features  ${takes}  ${megabytes.padStart(6)} MB  ${license}`,
      );
    } catch (error) {
      console.log(`${id.padEnd(28)} ${sentenceOf(error)}`);
    }
  }
}

async function verify(operands: string[], { source }: Scene): Promise<void> {
  const ids = operands.length > 0 ? operands : await source.ids();
  let damaged = 0;
  for (const id of ids) {
    try {
      await source.verify(id);
      console.log(`${id}: ok`);
    } catch (error) {
      damaged++;
      console.log(`${id}: ${sentenceOf(error)}`);
    }
  }
  if (damaged > 0) throw new AppError('backbone_invalid', `${damaged} of ${ids.length} backbones cannot be used.`);
}

/** The sentence of an expected error; any other is thrown on. */
function sentenceOf(error: unknown): string {
  if (error instanceof AppError) return error.message;
  throw error;
}

try {
  await run(process.argv.slice(2));
} catch (error) {
  if (process.stdout.isTTY) process.stdout.write('\r\x1b[K'); // over the line that moves
  console.error(sentenceOf(error));
  process.exitCode = 1;
}
