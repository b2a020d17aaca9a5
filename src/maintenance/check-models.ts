import { Type } from '@sinclair/typebox';
import { ModelName, VersionNumber } from '../schemas/common.js';
import { type VersionManifest, VersionManifest as VersionManifestSchema } from '../schemas/versions.js';
import { type Storage, writeJson } from '../storage/contract.js';
import type { BackboneFault } from './check-backbones.js';
import type { Findings } from './finding.js';
import { quarantine } from './quarantine.js';
import { ageOf, digestOf, readChecked } from './stored-files.js';

const NAME = new RegExp(ModelName.pattern!);
const Claim = Type.Object({ job: Type.String() });
const Aliases = Type.Object({ aliases: Type.Array(Type.Tuple([Type.String(), VersionNumber])) });
const Result = Type.Object({
  status: Type.String(),
  output: Type.Union([Type.Object({ version: Type.Optional(VersionNumber) }), Type.Null()]),
});

interface Context {
  storage: Storage;
  tenant: string;
  findings: Findings;
  olderThanMs: number;
  /** Absent: whether versions find their backbones is not looked at. */
  backboneFault: BackboneFault | undefined;
}

/** Every version of a tenant: manifest against schema, every file against its digest, claims, marks and aliases. */
export async function checkModels(context: Context): Promise<void> {
  const { storage, tenant, findings } = context;
  const home = `tenants/${tenant}/models`;
  for (const model of await storage.list(home)) {
    const folder = `${home}/${model}`;
    if (!NAME.test(model)) {
      await findings.add('unknown_file', folder, 'This is no model. Nothing of Graft reads it.');
      continue;
    }
    const numbers = new Set<number>();
    for (const name of await storage.list(`${folder}/versions`)) {
      if (/^[1-9]\d{0,9}$/.test(name)) numbers.add(Number(name));
      else await findings.add('unknown_file', `${folder}/versions/${name}`, 'This is no version.');
    }
    for (const name of await storage.list(`${folder}/published`)) {
      if (/^[1-9]\d{0,9}\.json$/.test(name)) numbers.add(Number.parseInt(name, 10));
      else await findings.add('unknown_file', `${folder}/published/${name}`, 'This is no manifest of a version.');
    }
    for (const number of [...numbers].sort((a, b) => a - b)) await checkVersion(context, model, number);
    await checkAliases(context, model);
  }
}

async function checkVersion(context: Context, model: string, version: number): Promise<void> {
  const { storage, tenant, findings, olderThanMs } = context;
  const folder = `tenants/${tenant}/models/${model}/versions/${version}`;
  const manifestKey = `tenants/${tenant}/models/${model}/published/${version}.json`;
  const what = `Version ${version} of '${model}'`;
  const manifest = await readChecked(storage, manifestKey, VersionManifestSchema);
  const claim = await readChecked(storage, `${folder}/claim.json`, Claim);
  const stored = await storage.list(`${folder}/files`);
  const deletedFor = await ageOf(storage, [`${folder}/deleted.json`]);
  const age = await ageOf(storage, [
    manifestKey,
    `${folder}/claim.json`,
    ...stored.map((name) => `${folder}/files/${name}`),
  ]);
  const isOld = age !== undefined && age >= olderThanMs;
  const removeRest = async () => {
    await storage.delete(manifestKey);
    await storage.delete(`${folder}/files`);
  };

  if (deletedFor !== undefined) {
    if (('missing' in manifest && stored.length === 0) || deletedFor < olderThanMs) return;
    const isUsed = (await currentAliases(storage, tenant, model)).includes(version);
    if (isUsed) {
      await findings.add(
        'version_half_deleted',
        folder,
        `${what} was to be deleted, but an alias points at it; it is still served.`,
        { done: 'The mark was taken away: the version stays.', apply: () => storage.delete(`${folder}/deleted.json`) },
      );
    } else {
      await findings.add('version_half_deleted', folder, `The deletion of ${what.toLowerCase()} did not end.`, {
        done: 'It was deleted to the end.',
        apply: removeRest,
      });
    }
    return;
  }
  if ('missing' in manifest) {
    await checkUnfinished(context, {
      folder,
      manifestKey,
      version,
      what,
      job: 'value' in claim ? claim.value.job : undefined,
      stored,
      isOld,
    });
    return;
  }
  findings.count('versions');
  if ('fault' in manifest) {
    const message = `${what}: its manifest is not valid (${manifest.fault}). Restore it from a backup, or train again.`;
    await findings.add('version_damaged', manifestKey, message);
    return;
  }
  const faults = await versionFaults(storage, folder, manifest.value);
  findings.count('files', manifest.value.files.length);
  if (manifest.value.model !== model || manifest.value.version !== version) {
    faults.push(`its manifest is that of version ${manifest.value.version} of '${manifest.value.model}'`);
  }
  if (faults.length > 0 && (await storage.head(manifestKey))) {
    const message = `${what}: ${faults.join('; ')}. Restore ${folder} from a backup, or train again.`;
    await findings.add('version_damaged', folder, message);
  }
  const backboneFault = await context.backboneFault?.(manifest.value);
  if (backboneFault !== undefined && (await storage.head(manifestKey))) {
    await findings.add('backbone_missing', folder, backboneFault);
  }
  if (!('value' in claim)) {
    await findings.add('claim_missing', `${folder}/claim.json`, `${what} does not say which job made it.`, {
      done: 'It was written from the manifest.',
      apply: async () => {
        await storage.delete(`${folder}/claim.json`);
        await writeJson(storage, `${folder}/claim.json`, { job: manifest.value.job }, { ifAbsent: true });
      },
    });
  }
  const named = new Set(manifest.value.files.map(({ sha256 }) => sha256));
  for (const name of stored) {
    if (named.has(name) || !isOld) continue;
    const path = `${folder}/files/${name}`;
    await findings.add('file_unnamed', path, `${what} does not name this file: another attempt of its job left it.`, {
      done: 'It was deleted.',
      apply: () => storage.delete(path),
    });
  }
}

/** A number without a version: being published, left by a job that never published, or lost. */
async function checkUnfinished(
  { storage, tenant, findings }: Context,
  claimed: {
    folder: string;
    manifestKey: string;
    version: number;
    what: string;
    job: string | undefined;
    stored: string[];
    isOld: boolean;
  },
): Promise<void> {
  const { folder, manifestKey, version, what, job, stored, isOld } = claimed;
  const result = job && (await readChecked(storage, `tenants/${tenant}/jobs/${job}/result.json`, Result));
  // One that died between taking this number and noting it took the next one.
  if (result && 'value' in result && result.value.status === 'succeeded' && result.value.output?.version === version) {
    // It may have been deleted since its manifest was looked for.
    if (await storage.head(`${folder}/deleted.json`)) return;
    const message = `${what} was published by job '${job}' and its manifest is missing. Restore ${manifestKey} from a backup, or train again.`;
    await findings.add('version_lost', folder, message);
    return;
  }
  const mayStillPublish = job && (await storage.head(`pending/${job}.${tenant}`));
  if (mayStillPublish || stored.length === 0 || !isOld) return;
  await findings.add('version_unfinished', folder, `${what} was never published; its job will not go on.`, {
    done: 'Its files were deleted; the number stays taken.',
    apply: async () => {
      if (!(await storage.head(manifestKey))) await storage.delete(`${folder}/files`);
    },
  });
}

async function versionFaults(storage: Storage, folder: string, manifest: VersionManifest): Promise<string[]> {
  const faults: string[] = [];
  for (const { path, bytes, sha256 } of manifest.files) {
    const found = await digestOf(storage, `${folder}/files/${sha256}`);
    if (!found) faults.push(`${path} is missing`);
    else if (found.sha256 !== sha256 || found.bytes !== bytes) faults.push(`${path} does not have its digest`);
  }
  return faults;
}

async function checkAliases({ storage, tenant, findings }: Context, model: string): Promise<void> {
  const folder = `tenants/${tenant}/models/${model}/aliases`;
  for (const name of (await storage.list(folder)).reverse()) {
    const key = `${folder}/${name}`;
    if (!/^\d{9}\.json$/.test(name)) {
      await findings.add('unknown_file', key, 'This is no revision of aliases.');
      continue;
    }
    const stored = await readChecked(storage, key, Aliases);
    if ('missing' in stored) continue;
    if ('fault' in stored) {
      await findings.add(
        'aliases_unreadable',
        key,
        `The aliases of '${model}' cannot be read (${stored.fault}), and every prediction by an alias fails. Without this file the revision before it holds.`,
        { done: `It was moved to quarantine/${key}.`, apply: () => quarantine(storage, key) },
      );
      continue;
    }
    for (const [alias, version] of stored.value.aliases) {
      if (await storage.head(`tenants/${tenant}/models/${model}/published/${version}.json`)) continue;
      if ((await storage.list(folder)).at(-1) !== name) continue; // moved meanwhile
      const message = `Alias '${alias}' of '${model}' points at version ${version}, which is not there. Point it elsewhere or delete it through the API, or restore the version.`;
      await findings.add('alias_dangling', key, message);
    }
    return; // earlier revisions do not hold
  }
}

async function currentAliases(storage: Storage, tenant: string, model: string): Promise<number[]> {
  const folder = `tenants/${tenant}/models/${model}/aliases`;
  for (const name of (await storage.list(folder)).reverse()) {
    const stored = await readChecked(storage, `${folder}/${name}`, Aliases);
    if ('value' in stored) return stored.value.aliases.map(([, version]) => version);
  }
  return [];
}
