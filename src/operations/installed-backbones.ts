import type { InstalledBackbones, NewBackbone } from '../backbones/installed.js';
import type { BackboneSource } from '../backbones/source.js';
import { AppError } from '../errors.js';
import type { JobStore } from '../jobs/job-store.js';
import type { Registry } from '../registry/registry.js';
import type { Storage } from '../storage/contract.js';

/** So many of those who need a backbone are named in a sentence; all are in the details. */
const MAX_NAMED = 5;

export interface BackboneOwners {
  installed: InstalledBackbones;
  /** The backbones that Graft comes with; their ids are theirs. */
  embedded: BackboneSource;
}

/** @throws AppError `invalid_request` where the id is taken, or that of a backbone that Graft comes with */
export async function refuseTakenId({ installed, embedded }: BackboneOwners, id: string): Promise<void> {
  if ((await embedded.ids()).includes(id)) {
    throw new AppError('invalid_request', `Graft comes with a backbone ${id}: take another id.`);
  }
  await installed.refuseTaken(id);
}

/**
 * Make a backbone available to all tenants, servers and workers.
 * @throws AppError `invalid_request` where the id is taken
 */
export async function installBackbone(owners: BackboneOwners, backbone: NewBackbone): Promise<void> {
  await refuseTakenId(owners, backbone.card.id);
  await owners.installed.install(backbone);
}

/**
 * Delete an installed backbone. A job that is accepted in the same moment may still publish a version on it; fsck tells
 * (`backbone_missing`).
 * @param options defaultBackbone: the setting, without which no server starts; force: also where it is needed
 * @throws AppError `backbone_not_found`; `invalid_request` for one that Graft comes with; `backbone_in_use` where versions of
 *   any tenant, jobs that have not ended or the setting need it
 */
export async function removeBackbone(
  { installed, embedded, ...stores }: BackboneOwners & { storage: Storage; registry: Registry; jobs: JobStore },
  { id, defaultBackbone, force = false }: { id: string; defaultBackbone?: string; force?: boolean },
): Promise<void> {
  const isInstalled = (await installed.ids()).includes(id);
  if (!isInstalled && (await embedded.ids()).includes(id)) {
    throw new AppError('invalid_request', `Graft comes with the backbone ${id}: it cannot be removed.`);
  }
  if (isInstalled && !force) {
    const card = await installed.card(id).catch(() => undefined);
    await refuseInUse(stores, { id, sha256: card?.sha256, isDefault: id === defaultBackbone });
  }
  await installed.remove(id);
}

/** @param backbone sha256: undefined where its card cannot be read; then whatever names its id needs it */
async function refuseInUse(
  { storage, registry, jobs }: { storage: Storage; registry: Registry; jobs: JobStore },
  { id, sha256, isDefault }: { id: string; sha256: string | undefined; isDefault: boolean },
): Promise<void> {
  const users: string[] = isDefault ? ['jobs that name none: it is the default'] : [];
  // Jobs first: one that ends in between has published its version when versions are looked at.
  for (const pending of await jobs.pending()) {
    const record = await jobs.record(pending.tenant, pending.id);
    if (!record?.needs.backbones?.includes(id) || (await jobs.result(pending))) continue;
    users.push(`job '${pending.id}' of tenant '${pending.tenant}'`);
  }
  for (const tenant of await storage.list('tenants')) {
    const { data: models } = await registry.models(tenant, { limit: Number.POSITIVE_INFINITY });
    for (const { name: model } of models) {
      for (const version of await registry.versions(tenant, model)) {
        const manifest = await registry.resolve(tenant, model, { version }).catch(ifDeleted);
        if (manifest?.backbone.id !== id || (sha256 !== undefined && manifest.backbone.sha256 !== sha256)) continue;
        users.push(`version ${version} of model '${model}' of tenant '${tenant}'`);
      }
    }
  }
  if (users.length === 0) return;
  const more = users.length > MAX_NAMED ? ` and ${users.length - MAX_NAMED} more` : '';
  throw new AppError(
    'backbone_in_use',
    `Backbone ${id} is needed by ${users.slice(0, MAX_NAMED).join(', ')}${more}: without it they cannot answer or run. Change or delete them first, or remove it all the same with --force.`,
    { details: { backbone: id, users } },
  );
}

/** Meanwhile. */
function ifDeleted(error: unknown): undefined {
  if (error instanceof AppError && (error.code === 'version_not_found' || error.code === 'model_not_found')) return;
  throw error;
}
