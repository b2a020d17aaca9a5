/**
 * What training the top of a backbone brings: accuracy on the test part of the frozen backbone and of the trained one, in
 * the same job.
 *
 *   npm run bench:fine-tuning [-- --blocks N] [--rate R] [--epochs N] [--copies N] [--weights random] [--all] [--photos N]
 *     backbone data-set …
 *
 * --all trains every layer, which needs TensorFlow's native library; --photos takes only so many of the training part.
 *
 * Reads real photos and weights from the shared folder beside the package (`GRAFT_SHARED`).
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { openWorkbench } from './accuracy/features.js';

const { values, positionals } = parseArgs({
  options: {
    blocks: { type: 'string' },
    rate: { type: 'string' },
    epochs: { type: 'string' },
    copies: { type: 'string' },
    weights: { type: 'string', default: 'pretrained' },
    all: { type: 'boolean', default: false },
    photos: { type: 'string' },
  },
  allowPositionals: true,
});
const [backbone = 'mobilenet_v2', ...names] = positionals;
const percent = (share: number | undefined) => (share === undefined ? '–' : (100 * share).toFixed(1));
const folder = await mkdtemp(join(tmpdir(), 'graft-fine-tuning-'));
const workbench = await openWorkbench(folder, { only: backbone });
try {
  console.log(
    '| data set | backbone | frozen | trained | log-loss held out, frozen | trained | training loss, first epoch | last | epochs | s |',
  );
  console.log('|---|---|---|---|---|---|---|---|---|---|');
  for (const name of names.length > 0 ? names : ['clothing']) {
    const id = await workbench.upload(name, values.photos ? { photos: Number(values.photos) } : {});
    if (!id) continue;
    const hyperparameters = {
      ...(values.blocks && { trainable_blocks: Number(values.blocks) }),
      ...(values.rate && { learning_rate: Number(values.rate) }),
      ...(values.epochs && { epochs: Number(values.epochs) }),
      ...(values.copies && { augmentation: { copies: Number(values.copies) } }),
    };
    const weights = values.weights as 'pretrained' | 'random';
    const trainable = values.all ? ('all' as const) : ('top' as const);
    const settings = { model: name, backbone, head: 'linear' as const, trainable, weights };
    const report = await workbench.train(id, { ...settings, hyperparameters });
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
} finally {
  await workbench.close();
  await rm(folder, { recursive: true, force: true });
}
