import type { Report } from '../../schemas/report.js';
import type { VersionManifest } from '../../schemas/versions.js';
import { HELD_OUT_FILE, heldOutRows, writeHeldOut } from '../held-out.js';
import type { ExtractedExamples, Measured, Run } from '../run.js';
import { percentOf } from '../../numbers/accuracy-words.js';
import { Readable } from 'node:stream';

type Comparison = NonNullable<Report['compared']>;

/** With fewer examples in common nothing is said of which version is better. */
const MIN_IN_COMMON = 20;
/** Standard deviations by which a difference is beyond chance, one-sided at 5 %. */
const BEYOND_CHANCE = 1.645;
/** The alias that is looked at first. */
const USUAL_ALIAS = 'production';

/**
 * The new version beside the one that is served, on examples that neither had seen: McNemar's test counts those that only one
 * of them has right.
 * @returns null where there is no other version, or too few such examples
 */
export async function compareServed(
  run: Run,
  { examples }: ExtractedExamples,
  { answers }: Measured,
): Promise<Comparison | null> {
  const { progress, modality } = run;
  const served = answers && (await servedVersion(run));
  if (!answers || !served?.manifest.files.some(({ path }) => path === HELD_OUT_FILE)) return null;
  const { manifest, alias } = served;
  const before = new Map<string, boolean>();
  const { stream } = await run.registry.open(run.tenant, manifest, HELD_OUT_FILE);
  for await (const { sha256, right } of heldOutRows(stream)) before.set(sha256, right);
  const counts = { both: 0, onlyNew: 0, onlyOld: 0, neither: 0 };
  for await (const { sha256, right } of heldOutRows(Readable.from(writeHeldOut(answers, run.labels, examples)))) {
    const was = before.get(sha256);
    if (was === undefined) continue;
    counts[right ? (was ? 'both' : 'onlyNew') : was ? 'onlyOld' : 'neither'] += 1;
  }
  const { both, onlyNew, onlyOld, neither } = counts;
  const total = both + onlyNew + onlyOld + neither;
  if (total < MIN_IN_COMMON) return null;
  const z = (onlyNew - onlyOld) / Math.sqrt(Math.max(1, onlyNew + onlyOld));
  const verdict = z > BEYOND_CHANCE ? 'better' : z < -BEYOND_CHANCE ? 'worse' : 'alike';
  const compared: Comparison = {
    version: manifest.version,
    alias: alias ?? null,
    examples: total,
    accuracy: (both + onlyNew) / total,
    accuracy_before: (both + onlyOld) / total,
    only_new_right: onlyNew,
    only_old_right: onlyOld,
    verdict,
  };
  if (verdict === 'worse') {
    const which =
      alias === undefined ? `version ${manifest.version}` : `version ${manifest.version}, which is ${alias}`;
    progress.warn(
      `This version is worse than ${which}: on ${total} ${modality.words.many} that neither had seen it is right on ` +
        `${percentOf(compared.accuracy)}, and that one on ${percentOf(compared.accuracy_before)}.`,
    );
  }
  return compared;
}

/** What clients get: the version of an alias, or else the latest. */
async function servedVersion(run: Run): Promise<{ manifest: VersionManifest; alias: string | undefined } | undefined> {
  const { tenant, registry } = run;
  const { model } = run.settings;
  if ((await registry.versions(tenant, model)).length === 0) return undefined;
  const { aliases } = await registry.aliases(tenant, model);
  const alias = aliases.has(USUAL_ALIAS) ? USUAL_ALIAS : [...aliases.keys()][0];
  const manifest = await registry.resolve(tenant, model, alias === undefined ? 'latest' : { alias });
  return { manifest, alias };
}
