/** Entry point of `npm run keys [-- --tenant NAME]`: makes an API key and says how to set it. */
import { createHash, randomBytes } from 'node:crypto';
import { parseArgs } from 'node:util';
import { loadConfig } from '../config.js';
import { AppError } from '../errors.js';

const USAGE = 'Usage: npm run keys [-- --tenant NAME]';

try {
  const { values } = parseArgs({ options: { tenant: { type: 'string', default: 'default' } } });
  const key = `graft_${randomBytes(32).toString('base64url')}`;
  const pair = `${values.tenant}:${createHash('sha256').update(key).digest('hex')}`;
  loadConfig({ API_KEYS: pair }); // refuses a tenant that the service would refuse
  const others = process.env.API_KEYS?.trim();
  process.stdout.write(`Key of the tenant \`${values.tenant}\`, shown this once; Graft keeps only its SHA-256:

  ${key}

Set this where Graft runs${others ? ' (your other keys are in it)' : '; more keys follow after a comma'}:

  API_KEYS=${others ? `${others},` : ''}${pair}

Requests then carry the header

  Authorization: Bearer ${key}
`);
} catch (error) {
  const isUsage = error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
  if (!isUsage && !(error instanceof AppError)) throw error;
  process.stderr.write(
    isUsage
      ? `${USAGE}\n`
      : 'A tenant is named with lower-case letters, digits and `-`, at most 63, the first not `-`.\n',
  );
  process.exitCode = 1;
}
