import { Value } from '@sinclair/typebox/value';
import { DefaultBackbone } from '../backbones/default-backbone.js';
import { type BackboneSource, isNotFound } from '../backbones/source.js';
import { AppError } from '../errors.js';
import { InstalledBackbone } from '../schemas/backbones.js';
import { BackboneId } from '../schemas/common.js';
import type { VersionManifest } from '../schemas/versions.js';
import type { Storage } from '../storage/contract.js';
import type { Findings } from './finding.js';
import { ageOf, digestOf, readChecked } from './stored-files.js';

interface Context {
  storage: Storage;
  findings: Findings;
  olderThanMs: number;
}

/** Every installed backbone: its card against the schema, every file against its digest, and what is left without a card. */
export async function checkBackbones(context: Context): Promise<void> {
  const { storage, findings } = context;
  for (const id of await storage.list('backbones')) {
    if (Value.Check(BackboneId, id)) await checkBackbone(context, id);
    else await findings.add('unknown_file', `backbones/${id}`, 'This is no backbone. Nothing of Graft reads it.');
  }
}

/**
 * Whether the backbone that jobs take which name none can be read and is there.
 * @param backbones where it is looked for; without it, whether it is there is not looked at
 */
export async function checkDefault(
  { storage, findings }: Pick<Context, 'storage' | 'findings'>,
  backbones: BackboneSource | undefined,
): Promise<void> {
  const remedy = 'Choose again: npm run backbones -- pull mobilenet_v2 --default';
  const lost = (what: string) => findings.add('default_backbone_lost', 'default-backbone.json', `${what} ${remedy}`);
  try {
    const id = await new DefaultBackbone({ storage, setting: '' }).chosen();
    if (id === undefined || !backbones) return;
    await backbones.card(id).catch(async (error: unknown) => {
      if (!isNotFound(error)) throw error;
      await lost(`Jobs that name no backbone want '${id}', which is not installed.`);
    });
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'config_invalid') throw error;
    await lost('It cannot be read.');
  }
}

async function checkBackbone({ storage, findings, olderThanMs }: Context, id: string): Promise<void> {
  const folder = `backbones/${id}`;
  const cardKey = `${folder}/card.json`;
  const stored = await storage.list(`${folder}/files`);
  const age = await ageOf(storage, [cardKey, ...stored.map((name) => `${folder}/files/${name}`)]);
  const isOld = age !== undefined && age >= olderThanMs;
  const installed = await readChecked(storage, cardKey, InstalledBackbone);
  if ('missing' in installed) {
    if (stored.length === 0 || !isOld) return; // removed, or being installed
    await findings.add('backbone_unfinished', folder, `Backbone '${id}' was never fully installed, or half removed.`, {
      done: 'Its files were deleted.',
      apply: async () => {
        if (!(await storage.head(cardKey))) await storage.delete(folder);
      },
    });
    return;
  }
  findings.count('backbones');
  const faults: string[] = [];
  if ('fault' in installed) faults.push(`card.json is not valid (${installed.fault})`);
  else {
    const { card, files } = installed.value;
    if (card.id !== id) faults.push(`its card is that of '${card.id}'`);
    for (const { path, bytes, sha256 } of files) {
      const found = await digestOf(storage, `${folder}/files/${sha256}`);
      if (!found) faults.push(`${path} is missing`);
      else if (found.sha256 !== sha256 || found.bytes !== bytes) faults.push(`${path} does not have its digest`);
    }
  }
  if (faults.length > 0 && (await storage.head(cardKey))) {
    const remedy = `Remove it and install the same one again, or restore ${folder} from a backup.`;
    await findings.add('backbone_damaged', folder, `Backbone '${id}': ${faults.join('; ')}. ${remedy}`);
  }
  if (!('value' in installed) || !isOld) return;
  const named = new Set(installed.value.files.map(({ sha256 }) => sha256));
  for (const name of stored.filter((other) => !named.has(other))) {
    const path = `${folder}/files/${name}`;
    await findings.add('file_unnamed', path, `Backbone '${id}' does not name this file.`, {
      done: 'It was deleted.',
      apply: () => storage.delete(path),
    });
  }
}

/** What is wrong with a version's backbone, in a sentence; undefined: nothing. */
export type BackboneFault = (manifest: VersionManifest) => Promise<string | undefined>;

/**
 * Find versions without their backbone. An id is asked for anew where what was found does not fit, so that one that was
 * installed meanwhile is seen.
 * @param source what is installed, and what Graft comes with
 */
export function findBackboneFaults(source: BackboneSource): BackboneFault {
  const known = new Map<string, string>();
  return async ({ model, version, backbone: { id, sha256 } }) => {
    if (known.get(id) === sha256) return undefined;
    const found = await digestIn(source, id);
    if (found === 'unreadable') return undefined; // `checkBackbones` tells of it
    if (found !== undefined) known.set(id, found);
    if (found === sha256) return undefined;
    const what =
      found === undefined ? 'which is not installed' : `of which another file is installed (sha256 ${found})`;
    return `Version ${version} of '${model}' was trained on backbone '${id}' (sha256 ${sha256}), ${what}: it cannot answer. Put that backbone back (npm run backbones -- pull ${id}, or import of the same file with the same options), restore backbones/${id} from a backup, or delete the version.`;
  };
}

async function digestIn(source: BackboneSource, id: string): Promise<string | 'unreadable' | undefined> {
  try {
    return (await source.card(id)).sha256;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    if (error instanceof AppError && error.code === 'backbone_invalid') return 'unreadable';
    throw error;
  }
}
