/**
 * Stands in for `job-process.js`: counts up, then publishes a version with the real registry. It computes nothing and takes
 * 0.8 s; with augmentation, as `slow()` asks, 2 s.
 */
import type { JobMessage, RunMessage } from '../../../src/jobs/job-messages.js';
import { Registry } from '../../../src/registry/registry.js';
import type { JobPhase, TrainInput } from '../../../src/schemas/jobs.js';
import { FileStorage } from '../../../src/storage/file-storage.js';

const STEPS = 20;
const STEP_MS = 40;
const SLOW_STEP_MS = 100;
/** The phase of a step; each takes its share of them. */
const phaseOf = (step: number): JobPhase => {
  if (step < 0.5 * STEPS) return 'extracting';
  if (step < 0.8 * STEPS) return 'training';
  return step < 0.9 * STEPS ? 'evaluating' : 'publishing';
};
const tell = (message: JobMessage, then: () => void = () => undefined) => void process.send!(message, then);

process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'));
process.once('message', async ({ record }: RunMessage) => {
  const { id, tenant } = record;
  const { dataset, model, settings } = record.input as unknown as TrainInput;
  const registry = new Registry({ storage: new FileStorage({ root: process.env.DATA_DIR! }) });
  const before = await registry.publishedBy(tenant, model, id);
  if (before) return tell({ type: 'done', output: { version: before.version, accuracy: 1 } }, () => process.exit(0));
  tell({ type: 'event', event: { type: 'phase', message: 'Reading', data: { phase: 'extracting' } } });
  const stepMs = settings.hyperparameters?.augmentation ? SLOW_STEP_MS : STEP_MS;
  for (let step = 0; step < STEPS; step += 1) {
    tell({
      type: 'progress',
      progress: {
        phase: phaseOf(step),
        progress: step / STEPS,
        examples_done: step,
        examples_total: STEPS,
        examples_cached: 0,
        examples_per_second: null,
        seconds_left: null,
        metrics: null,
      },
    });
    if (step % 5 === 0) tell({ type: 'event', event: { type: 'warning', message: `step ${step}`, data: {} } });
    await new Promise((resolve) => setTimeout(resolve, stepMs));
  }
  const { version } = await registry.publish({
    tenant,
    job: id,
    model,
    manifest: {
      model,
      job: id,
      dataset,
      backbone: { id: 'rootstock_s', sha256: '0'.repeat(64), dimensions: 4 },
      head: 'linear',
      labels: ['a', 'b'],
      accuracy: 1,
      description: null,
      digest: id,
    },
    files: new Map([
      ['labels.json', '["a","b"]'],
      ['report.json', JSON.stringify({ id, pid: process.pid })],
    ]),
  });
  tell({ type: 'done', output: { version, accuracy: 1 } }, () => process.exit(0));
});
