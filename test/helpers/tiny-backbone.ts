import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { importInto } from './backbones.js';
import { convRelu, fileOf, node } from './onnx-models.js';

export const TINY = 'tiny';

/**
 * A backbone of a few thousand weights, for tests in which it is not the backbone that matters: a process has it in no time
 * and passes thousands of images a second. It tells drawn photos of different kinds apart. Gone at the end of the test.
 * @returns settings of a service that has this backbone alone
 */
export async function tinyBackbone(t: { teardown(fn: () => Promise<void>): unknown }) {
  const folder = await mkdtemp(join(tmpdir(), 'graft-tiny-'));
  t.teardown(() => rm(folder, { recursive: true, force: true }));
  const levels = [convRelu('x', 'a', 3, 12), convRelu('a', 'b', 12, 16), convRelu('b', 'c', 16, 24)];
  const file = join(folder, 'network.onnx');
  const nodes = levels.flatMap((level) => level.nodes);
  const constants = levels.flatMap((level) => level.constants);
  await writeFile(file, fileOf({ nodes: [...nodes, node('GlobalAveragePool', 'c', 'y')], constants }));
  const models = join(folder, 'models');
  await importInto(models, { file, id: TINY });
  return { MODELS_DIR: models, DEFAULT_BACKBONE: TINY };
}
