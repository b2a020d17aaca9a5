/** Entry point: writes `openapi.yaml` from the schemas of the routes; with `--check` only compares. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import { apiKeys } from '../access/api-keys.js';
import { loadConfig, PACKAGE_ROOT } from '../config.js';
import { buildApp } from '../http/app.js';
import { createMetrics } from '../http/metrics.js';
import { native } from '../http/native/dialect.js';
import type { Operations } from '../operations/operations.js';

/** The text of `openapi.yaml`. No route is called, so no part of the service is needed behind them. */
export async function openApiYaml(): Promise<string> {
  const app = await buildApp({
    config: loadConfig({}),
    operations: {} as Operations,
    dialects: [native],
    identify: apiKeys([]),
    metrics: createMetrics(),
  });
  try {
    await app.ready();
    return `# Generated from the schemas of the routes by \`npm run openapi\`. Do not edit.\n${stringify(app.swagger(), { aliasDuplicateObjects: false, lineWidth: 120 })}`;
  } finally {
    await app.close();
  }
}

if (process.argv[1] === import.meta.filename) {
  const path = join(PACKAGE_ROOT, 'openapi.yaml');
  const text = await openApiYaml();
  if (!process.argv.includes('--check')) {
    await writeFile(path, text);
    process.stdout.write('openapi.yaml written\n');
  } else if ((await readFile(path, 'utf8')) !== text) {
    process.stderr.write('openapi.yaml is not what the routes say. Run `npm run openapi` and commit it.\n');
    process.exitCode = 1;
  }
}
