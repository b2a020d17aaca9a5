/**
 * registry/ keeps models: numbered, immutable versions and the aliases that point at them. What is in a version is not
 * known here (training/, artifacts/), nor how it is served (prediction/). This file says where it lies:
 *
 *   models/<name>/versions/<n>/claim.json      which job has the number n; `ifAbsent`, so a number has one owner
 *   models/<name>/versions/<n>/files/<sha256>  the version's files, named by content
 *   models/<name>/versions/<n>/deleted.json    a number is never used twice
 *   models/<name>/published/<n>.json           the manifest, written last: the version exists exactly when this does. They
 *                                              lie side by side, so that one listing tells which versions there are
 *   models/<name>/aliases/<revision>.json      all aliases at that revision; the highest revision holds
 *   jobs/<id>/version.json                     which number the job's version has; `ifAbsent`, so a job has one version.
 *                                              null: it has ended without one and gets none
 */

export function modelsKey(tenant: string): string {
  return `tenants/${tenant}/models`;
}

export function modelKey(tenant: string, model: string): string {
  return `${modelsKey(tenant)}/${model}`;
}

/** Folder of the numbers that were ever taken. */
export function numbersKey(tenant: string, model: string): string {
  return `${modelKey(tenant, model)}/versions`;
}

export function versionKey(tenant: string, model: string, version: number): string {
  return `${numbersKey(tenant, model)}/${version}`;
}

export function fileKey(tenant: string, model: string, version: number, sha256: string): string {
  return `${versionKey(tenant, model, version)}/files/${sha256}`;
}

/** Folder of the manifests. */
export function publishedKey(tenant: string, model: string): string {
  return `${modelKey(tenant, model)}/published`;
}

export function manifestKey(tenant: string, model: string, version: number): string {
  return `${publishedKey(tenant, model)}/${version}.json`;
}

export function aliasesKey(tenant: string, model: string): string {
  return `${modelKey(tenant, model)}/aliases`;
}

/** In nine digits: names are listed in the order of their bytes. */
export function revisionKey(tenant: string, model: string, revision: number): string {
  return `${aliasesKey(tenant, model)}/${String(revision).padStart(9, '0')}.json`;
}

/** Which number the version of a job has. */
export function numberOfJobKey(tenant: string, job: string): string {
  return `tenants/${tenant}/jobs/${job}/version.json`;
}
