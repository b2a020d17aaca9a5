import { type Storage, writeJson } from '../storage/contract.js';
import { manifestKey, versionKey } from './keys.js';

/** Whether a version was marked as deleted; its number is not used again. */
export async function isDeleted(storage: Storage, tenant: string, model: string, version: number): Promise<boolean> {
  return (await storage.head(markKey(tenant, model, version))) !== undefined;
}

export async function markDeleted(storage: Storage, tenant: string, model: string, version: number): Promise<void> {
  await writeJson(storage, markKey(tenant, model, version), { at: new Date().toISOString() });
}

/** The version stays after all: an alias points at it. */
export async function unmarkDeleted(storage: Storage, tenant: string, model: string, version: number): Promise<void> {
  await storage.delete(markKey(tenant, model, version));
}

/**
 * Take a version away; claim and mark stay, so that its number is not used again. In this order: whoever publishes looks
 * for the mark after writing the manifest; and without its manifest the version does not exist, however long its files take.
 */
export async function retireVersion(storage: Storage, tenant: string, model: string, version: number): Promise<void> {
  await markDeleted(storage, tenant, model, version);
  await removeVersion(storage, tenant, model, version);
}

/** Manifest and files, in this order. */
export async function removeVersion(storage: Storage, tenant: string, model: string, version: number): Promise<void> {
  await storage.delete(manifestKey(tenant, model, version));
  await storage.delete(`${versionKey(tenant, model, version)}/files`);
}

function markKey(tenant: string, model: string, version: number): string {
  return `${versionKey(tenant, model, version)}/deleted.json`;
}
