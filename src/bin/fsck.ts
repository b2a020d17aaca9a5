/**
 * Entry point of `npm run fsck [-- --repair] [--json FILE] [--older-than HOURS]`: verifies the data folder.
 * Exit code 0: all is well, or was put right; 1: something is left to do; 2: it could not be checked.
 */
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { loadConfig } from '../config.js';
import { AppError } from '../errors.js';
import { checkData } from '../maintenance/check-data.js';
import type { Finding } from '../maintenance/finding.js';
import { openStorage } from '../storage/open-storage.js';
import { backbonesOf } from './backbones-of.js';

const USAGE = `Usage: npm run fsck [-- [--repair] [--json FILE] [--older-than HOURS]]

Verifies everything in DATA_DIR: digests, manifests, aliases, jobs, installed backbones. May run beside the service.
  --repair            collect garbage and put right what can be put right; damage is only reported
  --json FILE         write what was found to FILE
  --older-than HOURS  age at which what is half-done counts as left behind (default 24; 0 only while nothing runs)`;

try {
  process.exitCode = await main();
} catch (error) {
  const isUsage = error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
  process.stderr.write(
    isUsage
      ? `${error.message}\n\n${USAGE}\n`
      : `${error instanceof AppError ? error.message : (error as Error).stack}\n`,
  );
  process.exitCode = 2;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      repair: { type: 'boolean', default: false },
      json: { type: 'string' },
      'older-than': { type: 'string', default: '24' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(`${USAGE}\n`);
    return 0;
  }
  const hours = Number(values['older-than']);
  if (!/^\d+(\.\d+)?$/.test(values['older-than'])) {
    process.stderr.write(`--older-than ${values['older-than']}: expected a number of hours.\n`);
    return 2;
  }
  const config = loadConfig(process.env);
  const { storage, maintenance } = await openStorage(config, { mustExist: true });
  const report = await checkData({
    storage,
    maintenance,
    backbones: backbonesOf(config, storage).source,
    repair: values.repair,
    olderThanMs: hours * 3600_000,
  });
  for (const finding of report.findings) process.stdout.write(`${inWords(finding)}\n`);
  const { datasets, examples, versions, files, jobs, backbones } = report.checked;
  const left = report.findings.filter(({ repaired, severity }) => repaired === null && severity !== 'unknown');
  const toRepair = left.some(({ severity }) => severity !== 'damage') && !values.repair;
  process.stdout.write(
    `Checked ${datasets} data sets with ${examples} examples, ${versions} versions with ${files} files, ${jobs} jobs, ${backbones} installed backbones: ${summary(report.findings, left)}.${
      toRepair ? ' `npm run fsck -- --repair` puts right what can be put right.' : ''
    }\n`,
  );
  if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(report, null, 2)}\n`);
  return left.length > 0 ? 1 : 0;
}

/** Paths and names come from clients: nothing of theirs may steer the terminal. */
function inWords({ severity, kind, path, message, repaired }: Finding): string {
  const words = `${severity} (${kind}) in ${path}: ${message}${repaired ? ` ${repaired}` : ''}`;
  return words.replace(/\p{Cc}+/gu, ' ');
}

function summary(findings: Finding[], left: Finding[]): string {
  if (findings.length === 0) return 'all is well';
  const repaired = findings.filter((finding) => finding.repaired !== null).length;
  const strange = findings.filter(({ severity }) => severity === 'unknown').length;
  return [
    left.length > 0 && `${left.length} left to do`,
    repaired > 0 && `${repaired} put right`,
    strange > 0 && `${strange} unknown`,
  ]
    .filter(Boolean)
    .join(', ');
}
