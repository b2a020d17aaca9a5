// Known holes in the packages that are shipped (`npm audit --omit=dev`). Fails on high and critical ones, names the others, and
// says so where the registry answers no audits: a mirror or no network must not stop the other checks.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** Findings that were looked at and do not touch Graft: `{ "GHSA-…": "why" }`. */
const accepted = JSON.parse(readFileSync(new URL('audit-accepted.json', import.meta.url), 'utf8'));
const { stdout } = spawnSync('npm', ['audit', '--omit=dev', '--json'], { encoding: 'utf8', timeout: 60_000 });
let report;
try {
  report = JSON.parse(stdout);
} catch {
  report = undefined;
}
if (!report?.vulnerabilities) {
  console.log(`Dependency audit skipped: the registry does not answer audits (${report?.message ?? 'no answer'}).`);
  process.exit(0);
}
const advisories = new Map();
for (const { via } of Object.values(report.vulnerabilities)) {
  for (const found of via) {
    if (typeof found === 'object') advisories.set(found.url.split('/').at(-1), found);
  }
}
let bad = 0;
for (const [id, { severity, name, title }] of advisories) {
  const grave = severity === 'high' || severity === 'critical';
  const reason = accepted[id];
  if (grave && reason === undefined) bad += 1;
  console.log(`${severity} in ${name}: ${title} (${id})${reason === undefined ? '' : `; accepted: ${reason}`}`);
}
console.log(`Dependency audit: ${advisories.size} known, ${bad} to act on.`);
process.exit(bad > 0 ? 1 : 0);
