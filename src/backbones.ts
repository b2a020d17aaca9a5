/**
 * The command `npm run backbones`: import an ONNX file as a backbone, list, verify and remove them. Prints a sentence and
 * exits with 1 when something is wrong.
 */
import { parseArgs } from 'node:util';
import { loadConfig } from './config.js';
import { AppError } from './errors.js';
import { importBackbone } from './vision/onnx/import-backbone.js';
import type { ImportedBackbone } from './vision/onnx/imported-backbone.js';
import { listBackbones, readCard, removeBackbone, verifyBackbone } from './vision/installed-backbones.js';

const USAGE = `Usage:
  npm run backbones -- import FILE.onnx --id ID [options]   make a backbone of an ONNX image network
  npm run backbones -- list                                 the backbones that are here
  npm run backbones -- verify [ID …]                        compare their files with their checksums
  npm run backbones -- remove ID                            delete one

Options of import:
  --preset NAME        pre-processing: imagenet, tf, caffe, unit or raw; guessed by default
  --features TENSOR    tensor with the features; found by default
  --levels N           depths of the network that are pooled; 5 by default, 1 is the last alone
  --size PIXELS        width and height where the file leaves them open; 224 by default
  --stretch            stretch photos to the input instead of scaling and taking the centre
  --name, --licence, --source TEXT, --top1 PERCENT    for the card
Everywhere:
  --models-dir DIR     folder of the backbones; by default MODELS_DIR, or models/ of Graft`;

const OPTIONS = {
  id: { type: 'string' },
  preset: { type: 'string' },
  features: { type: 'string' },
  levels: { type: 'string' },
  size: { type: 'string' },
  stretch: { type: 'boolean' },
  name: { type: 'string' },
  licence: { type: 'string' },
  source: { type: 'string' },
  top1: { type: 'string' },
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

function numberOf(values: Values, option: 'levels' | 'size' | 'top1'): number | undefined {
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
  const modelsDir = values['models-dir'] ?? loadConfig(process.env).MODELS_DIR;
  if (command === 'import') await importFile(operands, values, modelsDir);
  else if (command === 'list') await list(modelsDir);
  else if (command === 'verify') await verify(operands, modelsDir);
  else if (command === 'remove') {
    if (operands.length !== 1) throw fault('remove takes the id of one backbone');
    await removeBackbone(modelsDir, operands[0]!);
    console.log(`Removed ${operands[0]}.`);
  } else throw fault(`There is no command ${command}`);
}

async function importFile(operands: string[], values: Values, modelsDir: string): Promise<void> {
  if (operands.length !== 1) throw fault('import takes one ONNX file');
  if (values.id === undefined) throw fault('import needs --id');
  const imported = await importBackbone({
    file: operands[0]!,
    id: values.id,
    modelsDir,
    preset: values.preset,
    features: values.features,
    levels: numberOf(values, 'levels'),
    size: numberOf(values, 'size'),
    resize: values.stretch ? { mode: 'stretch' } : undefined,
    name: values.name,
    licence: values.licence,
    source: values.source,
    imagenetTop1: numberOf(values, 'top1'),
  });
  console.log(describe(imported));
}

function describe({ card, folder, preset, presetReason, parts, classes }: ImportedBackbone): string {
  const { levels, vector } = parts;
  const pieces = levels.map(({ channels, height, width }) => `${channels} at ${height}×${width}`);
  if (vector) pieces.push(`${vector.dimensions} of ${vector.name}`);
  return [
    `Imported ${card.id} to ${folder}`,
    `  features         ${card.features.dimensions} (${pieces.join(', ')})`,
    `  input            ${card.input.width}×${card.input.height} pixels`,
    `  pre-processing   ${preset}: ${presetReason}`,
    `  classifier       ${classes === undefined ? 'none was found behind the features' : `of ${classes} classes, cut off`}`,
    `  sha256           ${card.sha256}`,
    `Use it: "backbone": "${card.id}" in a job, or DEFAULT_BACKBONE=${card.id}.`,
  ].join('\n');
}

async function list(modelsDir: string): Promise<void> {
  const ids = await listBackbones(modelsDir);
  if (ids.length === 0) console.log(`There are no backbones in ${modelsDir}.`);
  for (const id of ids) {
    try {
      const { bytes, features, input, licence } = await readCard(modelsDir, id);
      const megabytes = (bytes / 1e6).toFixed(1);
      console.log(
        `${id.padEnd(28)} ${String(features.dimensions).padStart(5)} features  ${input.width}×${input.height} px  ${megabytes.padStart(6)} MB  ${licence}`,
      );
    } catch (error) {
      console.log(`${id.padEnd(28)} ${sentenceOf(error)}`);
    }
  }
}

async function verify(operands: string[], modelsDir: string): Promise<void> {
  const ids = operands.length > 0 ? operands : await listBackbones(modelsDir);
  let damaged = 0;
  for (const id of ids) {
    try {
      await verifyBackbone(modelsDir, id);
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
  console.error(sentenceOf(error));
  process.exitCode = 1;
}
