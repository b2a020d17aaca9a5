/**
 * How many refusals that come before the body is read are lost on the way, by client and size of the body.
 *
 *   npm run bench:refusals [-- --tries N]
 *
 * The clients are those that people use (test/clients, installed on the first run, so that the npm registry must be reached). Every
 * request lacks an API key and is refused from its headers.
 */
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { parseArgs } from 'node:util';
import { PACKAGE_ROOT } from '../../src/config.js';
import { withService } from '../helpers/service.js';

interface Row {
  client: string;
  path: string;
  kilobytes: number;
  tries: number;
  lost: number;
  statuses: number[];
  errors: string[];
}

const { values } = parseArgs({ options: { tries: { type: 'string', default: '20' } } });
const folder = join(PACKAGE_ROOT, 'test', 'clients');
if (!existsSync(join(folder, 'node_modules'))) {
  execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: folder, stdio: 'inherit' });
}
const key = createHash('sha256').update('a key that nobody sends').digest('hex');
const rows = await withService(
  { worker: false, env: { API_KEYS: `default:${key}`, LOG_LEVEL: 'fatal' } },
  async ({ url }) => {
    const child = spawn(process.execPath, [join(folder, 'refusals.mjs'), url, values.tries], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    return JSON.parse(await text(child.stdout)) as Row[];
  },
);
console.log('| client | path | body | answers | lost |');
console.log('|---|---|---|---|---|');
for (const { client, path, kilobytes, tries, lost, statuses, errors } of rows) {
  const size = kilobytes < 1024 ? `${kilobytes} KB` : `${kilobytes / 1024} MB`;
  console.log(`| ${client} | ${path} | ${size} | ${[...statuses, ...errors].join(', ')} | ${lost} of ${tries} |`);
}
const lost = rows.reduce((sum, row) => sum + row.lost, 0);
console.log(`\n${lost} lost of ${rows.reduce((sum, { tries }) => sum + tries, 0)}`);
process.exit(lost === 0 ? 0 : 1);
