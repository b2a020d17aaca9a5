/**
 * maintenance/ looks after what lies in storage: `checkData` verifies it (fsck), `expire` lets jobs and data sets grow old.
 * What is stored, and how, is the business of the rooms that write it; backups are docs/backup.md.
 *
 * This file: what a check has found.
 */

/** Stable names, for programs. */
export type FindingKind =
  // damage: something that was promised is not there, or not what it was
  | 'dataset_damaged'
  | 'version_damaged'
  | 'version_lost'
  | 'alias_dangling'
  | 'backbone_missing'
  | 'backbone_damaged'
  | 'default_backbone_lost'
  | 'aliases_unreadable'
  | 'job_damaged'
  | 'job_dataset_missing'
  // disorder: everything is there, but one file contradicts another
  | 'job_forgotten'
  | 'claim_missing'
  | 'version_half_deleted'
  | 'job_half_deleted'
  // garbage: what nobody will ask for
  | 'dataset_unfinished'
  | 'version_unfinished'
  | 'backbone_unfinished'
  | 'file_unnamed'
  | 'mark_without_job'
  | 'idempotency_key_unused'
  | 'upload_unneeded'
  | 'temporary_leftover'
  // not ours
  | 'unknown_file';

export interface Finding {
  kind: FindingKind;
  severity: 'damage' | 'disorder' | 'garbage' | 'unknown';
  /** Key in storage. */
  path: string;
  /** What is wrong, what it means, what to do. */
  message: string;
  /** What `--repair` did about it; null: nothing, or it was not asked to. */
  repaired: string | null;
}

/** Something that can be done about a finding; it looks again itself before it takes anything away. */
export interface Remedy {
  /** In the past tense: `The file was deleted`. */
  done: string;
  apply: () => Promise<void>;
}

export interface Report {
  checked: {
    tenants: number;
    datasets: number;
    examples: number;
    versions: number;
    files: number;
    jobs: number;
    backbones: number;
  };
  findings: Finding[];
}

const SEVERITIES: Record<FindingKind, Finding['severity']> = {
  dataset_damaged: 'damage',
  version_damaged: 'damage',
  version_lost: 'damage',
  alias_dangling: 'damage',
  backbone_missing: 'damage',
  backbone_damaged: 'damage',
  default_backbone_lost: 'damage',
  aliases_unreadable: 'damage',
  job_damaged: 'damage',
  job_dataset_missing: 'damage',
  job_forgotten: 'disorder',
  claim_missing: 'disorder',
  version_half_deleted: 'disorder',
  job_half_deleted: 'disorder',
  dataset_unfinished: 'garbage',
  version_unfinished: 'garbage',
  backbone_unfinished: 'garbage',
  file_unnamed: 'garbage',
  mark_without_job: 'garbage',
  idempotency_key_unused: 'garbage',
  upload_unneeded: 'garbage',
  temporary_leftover: 'garbage',
  unknown_file: 'unknown',
};

/** Collects what the checks find, and repairs it at once where that is wanted. */
export class Findings {
  readonly report: Report = {
    checked: { tenants: 0, datasets: 0, examples: 0, versions: 0, files: 0, jobs: 0, backbones: 0 },
    findings: [],
  };
  readonly #repair: boolean;

  constructor(options: { repair: boolean }) {
    this.#repair = options.repair;
  }

  async add(kind: FindingKind, path: string, message: string, remedy?: Remedy): Promise<void> {
    let repaired: string | null = null;
    if (remedy && this.#repair) {
      await remedy.apply();
      repaired = remedy.done;
    }
    this.report.findings.push({ kind, severity: SEVERITIES[kind], path, message, repaired });
  }

  count(what: keyof Report['checked'], more = 1): void {
    this.report.checked[what] += more;
  }
}
