/**
 * What training the top of a backbone brings: accuracy on the test part of the frozen backbone and of the trained one, in
 * the same job.
 *
 *   npm run bench:fine-tuning [-- --blocks N] [--rate R] [--epochs N] [--copies N] [--batch N] [--weights random] [--all]
 *     [--photos N] backbone data-set …
 *
 * --all trains every layer, which needs TensorFlow's native library; --photos takes only so many of the training part;
 * --splits gives mean and deviation over so many random splits of all photos; --file an ONNX file of the backbone, with
 * --preset, where it is not among the shared ones.
 *
 * Reads real photos and weights from the shared folder beside the package (`GRAFT_SHARED`).
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { openWorkbench } from './accuracy/features.js';
import { spread } from './spread.js';

const { values, positionals } = parseArgs({
  options: {
    blocks: { type: 'string' },
    rate: { type: 'string' },
    epochs: { type: 'string' },
    copies: { type: 'string' },
    batch: { type: 'string' },
    weights: { type: 'string', default: 'pretrained' },
    all: { type: 'boolean', default: false },
    photos: { type: 'string' },
    splits: { type: 'string' },
    file: { type: 'string' },
    preset: { type: 'string', default: 'imagenet' },
  },
  allowPositionals: true,
});
const [backbone = 'mobilenet_v2', ...names] = positionals;
const percent = (share: number | undefined) => (share === undefined ? '–' : (100 * share).toFixed(1));
const folder = await mkdtemp(join(tmpdir(), 'graft-fine-tuning-'));
const workbench = await openWorkbench(folder, {
  only: backbone,
  ...(values.file && { files: [{ id: backbone, file: resolve(values.file), preset: values.preset }] }),
});
try {
  if (values.splits) await overSplits(Number(values.splits));
  else await once();
} finally {
  await workbench.close();
  await rm(folder, { recursive: true, force: true });
}

async function once(): Promise<void> {
  console.log(
    '| data set | backbone | frozen | trained | log-loss held out, frozen | trained | training loss, first epoch | last | epochs | s |',
  );
  console.log('|---|---|---|---|---|---|---|---|---|---|');
  for (const name of names.length > 0 ? names : ['clothing']) {
    const id = await workbench.upload(name, { photos: values.photos ? Number(values.photos) : undefined });
    if (!id) continue;
    const report = await workbench.train(id, settingsFor(name));
    const { candidates, settings: used, timings, curves } = report;
    const frozen = candidates.find((row) => row.test_accuracy !== undefined && row.trainable === undefined);
    const trained = candidates.find((row) => row.trainable !== undefined);
    const cells = [percent(frozen?.test_accuracy), percent(trained?.test_accuracy)];
    const losses = [frozen?.log_loss.toFixed(3), trained?.log_loss.toFixed(3)];
    const falls = [curves[0], curves.at(-1)].map((row) => row?.train_loss.toFixed(3));
    const epochs = used.trainable !== 'none' ? used.epochs : '0, frozen is published';
    console.log(
      `| ${[name, backbone, ...cells, ...losses, ...falls, epochs, timings.total_seconds.toFixed(0)].join(' | ')} |`,
    );
  }
}

/** Accuracy on a fifth of all photos, another each time. */
async function overSplits(count: number): Promise<void> {
  console.log('| data set | backbone | frozen, mean ± deviation | trained | s a job |');
  console.log('|---|---|---|---|---|');
  for (const name of names.length > 0 ? names : ['clothing', 'cats-dogs', 'flowers']) {
    const id = await workbench.upload(name, { merged: true });
    if (!id) continue;
    const figures: { frozen: number[]; trained: number[] } = { frozen: [], trained: [] };
    let seconds = 0;
    for (let seed = 0; seed < count; seed += 1) {
      const report = await workbench.train(id, { ...settingsFor(name), seed, test_fraction: 0.2 });
      const tested = report.candidates.filter((row) => row.test_accuracy !== undefined);
      const frozen = tested.find((row) => row.trainable === undefined)!.test_accuracy!;
      figures.frozen.push(frozen);
      // Where no epoch was better, the frozen one is what is published.
      const trained = report.settings.trainable === 'none' ? frozen : report.evaluation!.accuracy;
      figures.trained.push(trained);
      seconds += report.timings.total_seconds / count;
    }
    console.log(
      `| ${[name, backbone, spread(figures.frozen), spread(figures.trained), seconds.toFixed(0)].join(' | ')} |`,
    );
  }
}

function settingsFor(model: string) {
  const hyperparameters = {
    ...(values.blocks && { trainable_blocks: Number(values.blocks) }),
    ...(values.rate && { learning_rate: Number(values.rate) }),
    ...(values.epochs && { epochs: Number(values.epochs) }),
    ...(values.batch && { batch_size: Number(values.batch) }),
    ...(values.copies && { augmentation: { copies: Number(values.copies) } }),
  };
  const weights = values.weights as 'pretrained' | 'random';
  const trainable = values.all ? ('all' as const) : ('top' as const);
  return { model, backbone, head: 'linear' as const, trainable, weights, hyperparameters };
}
