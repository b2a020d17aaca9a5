import { trainsBackbone } from '../../schemas/jobs.js';
import { cutBackbone } from '../../top/cut-backbone.js';
import type { Networks, Parts, Run } from '../run.js';

/**
 * Bring the backbone to memory and, where layers of it are trained, cut it below them.
 * @throws AppError `backbone_not_found`, `backbone_invalid`, or `setting_conflict` that says how much of it can be trained
 */
export async function loadNetworks(run: Run, split: Parts): Promise<Networks> {
  const { settings, backbones, examples, augmentation } = run;
  run.progress.phase('extracting', 'Reading features');
  const backbone = await backbones.load(settings.backbone);
  if (!trainsBackbone(settings)) return { backbone, top: undefined };
  const copies = augmentation ? augmentation.copies * split.train.length : 0;
  return { backbone, top: await cutBackbone(settings, { backbones, rows: examples.length + copies }) };
}
