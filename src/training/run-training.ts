import type { VersionManifest } from '../schemas/versions.js';
import { openRun } from './open-run.js';
import type { TrainingOptions } from './run.js';
import { isFolded } from './choose-head/is-folded.js';
import { advise } from './stages/advise.js';
import { chooseHead } from './stages/choose-head.js';
import { compareAugmentation } from './stages/compare-augmentation.js';
import { compareServed } from './stages/compare-served.js';
import { evaluate } from './stages/evaluate.js';
import { examine } from './stages/examine.js';
import { extract } from './stages/extract.js';
import { loadNetworks } from './stages/load-networks.js';
import { publish } from './stages/publish.js';
import { refit } from './stages/refit.js';
import { report } from './stages/report.js';
import { splitDataset } from './stages/split.js';
import { trainTop } from './stages/train-top.js';

/**
 * Train and publish one version. Each stage takes the run and what earlier ones answered, changes neither, and answers
 * something new. Idempotent: features come from the cache, and a job that has published answers with what it published.
 * @throws AppError when the data set or the settings do not allow a model
 */
export async function runTraining(options: TrainingOptions): Promise<VersionManifest> {
  const { tenant, job, settings, registry } = options;
  const published = await registry.publishedBy(tenant, settings.model, job);
  if (published) return published;
  // Vega takes a while to load, and this thread has little to do while features are read. Whoever draws awaits it again.
  import('./charts.js').catch(() => undefined);

  const run = await openRun(options);
  const split = splitDataset(run.examples, {
    seed: run.seed,
    testFraction: settings.test_fraction,
    validationFraction: settings.validation_fraction,
    folded: isFolded(settings),
  });
  const networks = await loadNetworks(run, split);
  const extracted = await extract(run, split, networks);
  const frozen = await chooseHead(run, extracted);
  const trained = networks.top ? await trainTop(run, extracted, networks.top, frozen) : frozen;
  const measured = evaluate(run, extracted, trained);
  const augmentation = await compareAugmentation(run, extracted, trained, measured);
  const final = await refit(run, extracted, trained);
  const data = await examine(run, extracted, final);
  const advice = await advise(run, networks, measured, data);
  const compared = await compareServed(run, extracted, measured);
  const findings = { split, networks, extracted, trained: final, measured, augmentation, data, advice, compared };
  const written = report(run, findings);
  return publish(run, networks, extracted, final, measured, written);
}
