import type { BackboneSource } from '../backbones/source.js';
import type { Storage } from '../storage/contract.js';
import type { StorageMaintenance } from '../storage/open-storage.js';
import { checkBackbones, checkDefault, findBackboneFaults } from './check-backbones.js';
import { checkDatasets } from './check-datasets.js';
import { checkJobs, checkMarks, checkUploads } from './check-jobs.js';
import { checkModels } from './check-models.js';
import { Findings, type Report } from './finding.js';

export interface CheckOptions {
  storage: Storage;
  /** What its driver gives for that; without it, half-written files and what lies at the top are not looked at. */
  maintenance?: StorageMaintenance;
  /** Where versions find their backbones; without it, whether they do is not looked at. */
  backbones?: BackboneSource;
  /** Collect garbage, and put back what can be put back. */
  repair: boolean;
  /** What is younger may still be under way, and is left alone. */
  olderThanMs: number;
}

/** What may lie at the top: what is stored, the caches, the Redis of `npm start`, and what was put aside. */
const AT_THE_TOP = [
  '.tmp',
  'backbones',
  'cache',
  'default-backbone.json',
  'key-uses',
  'keys.json',
  'pending',
  'quarantine',
  'redis',
  'tenants',
];
const OF_A_TENANT = ['datasets', 'idempotency', 'jobs', 'models', 'uploads'];

/**
 * Verify all that lies in storage, beside a running service if need be:
 *  1. what exists (has its manifest or record) is read whole and held against schemas and digests;
 *  2. what contradicts another file is put right where it follows from the others what is right;
 *  3. what nobody will ask for, and is old, is garbage.
 * Damage is only reported: what is lost can come from a backup only. The cost is one read of everything.
 */
export async function checkData(options: CheckOptions): Promise<Report> {
  const { storage, maintenance, backbones, repair, olderThanMs } = options;
  const findings = new Findings({ repair });
  await checkBackbones({ storage, findings, olderThanMs });
  await checkDefault({ storage, findings }, backbones);
  const backboneFault = backbones && findBackboneFaults(backbones);
  for (const name of await storage.list('tenants')) {
    const context = { storage, tenant: name, findings, olderThanMs };
    findings.count('tenants');
    await checkDatasets(context);
    await checkModels({ ...context, backboneFault });
    await checkJobs(context);
    await checkUploads(context);
    for (const folder of await storage.list(`tenants/${name}`)) {
      if (OF_A_TENANT.includes(folder)) continue;
      await findings.add('unknown_file', `tenants/${name}/${folder}`, 'Nothing of Graft reads this.');
    }
  }
  await checkMarks({ storage, findings, olderThanMs });
  if (maintenance) await checkTop(maintenance, findings, olderThanMs);
  return findings.report;
}

async function checkTop(maintenance: StorageMaintenance, findings: Findings, olderThanMs: number): Promise<void> {
  for (const name of await maintenance.leftovers(olderThanMs)) {
    await findings.add('temporary_leftover', `.tmp/${name}`, 'A process that died left this half-written file.', {
      done: 'It was deleted.',
      apply: async () => void (await maintenance.sweep(olderThanMs)),
    });
  }
  for (const name of await maintenance.topNames()) {
    if (!AT_THE_TOP.includes(name)) await findings.add('unknown_file', name, 'Nothing of Graft reads this.');
  }
}
