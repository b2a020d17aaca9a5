/** Entry point of `npm run keys`: makes, lists and revokes the API keys of the key file. */
import { parseArgs } from 'node:util';
import { byOf, newKey, TENANT_PATTERN } from '../access/api-key.js';
import { changeKeyFile, type NamedKey, readKeyFile } from '../access/key-file.js';
import { LastUses } from '../access/last-uses.js';
import { ALL_SCOPES, SCOPES, type Scope, TENANT_SCOPES } from '../access/scopes.js';
import { loadConfig } from '../config.js';
import { AppError } from '../errors.js';
import { ModelName } from '../schemas/common.js';
import { openStorage } from '../storage/open-storage.js';
import { createPaint } from '../terminal/paint.js';
import { createScreen } from '../terminal/screen.js';
import { printTable } from '../terminal/table.js';

const USAGE = `Usage: npm run keys -- make NAME [--tenant TENANT] [--scopes SCOPE,SCOPE] [--models MODEL,MODEL]
       npm run keys -- list
       npm run keys -- revoke NAME
       npm run keys -- print [--tenant TENANT] [--scopes SCOPE,SCOPE]

make    puts a new key into the key file and shows it once; a running server takes it within seconds
list    shows names, scopes and last uses, never keys
revoke  takes a key back, within seconds
print   makes a key for API_KEYS and writes nothing

Scopes, of which a key has ${TENANT_SCOPES.join(', ')} unless it is told otherwise:
${Object.entries(SCOPES)
  .map(([scope, meaning]) => `  ${scope.padEnd(9)} ${meaning}`)
  .join('\n')}
The key file is KEYS_FILE, or keys.json in DATA_DIR.`;

const OPTIONS = {
  tenant: { type: 'string', default: 'default' },
  scopes: { type: 'string', default: TENANT_SCOPES.join(',') },
  models: { type: 'string' },
  help: { type: 'boolean', short: 'h' },
} as const;

type Values = { tenant: string; scopes: string; models?: string };

process.exitCode = await main();

async function main(): Promise<number> {
  const say = (text: string) => process.stdout.write(`${text}\n`);
  try {
    const { values, positionals } = parseArgs({ options: OPTIONS, allowPositionals: true });
    const [command, name, ...more] = positionals;
    const config = loadConfig(process.env);
    if (values.help || command === undefined || more.length > 0) {
      say(USAGE);
      return values.help ? 0 : 1;
    }
    if (command === 'make' && name !== undefined) say(await make(config.KEYS_FILE, name, values));
    else if (command === 'list' && name === undefined) say(await list(config));
    else if (command === 'revoke' && name !== undefined) say(await revoke(config.KEYS_FILE, name));
    else if (command === 'print' && name === undefined) say(print(values));
    else {
      say(USAGE);
      return 1;
    }
    return 0;
  } catch (error) {
    const isUsage = error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS');
    if (!isUsage && !(error instanceof AppError)) throw error;
    process.stderr.write(`${isUsage ? `${(error as Error).message}\n\n${USAGE}` : (error as Error).message}\n`);
    return 1;
  }
}

async function make(path: string, name: string, values: Values): Promise<string> {
  if (!/^[\w.@-]{1,64}$/.test(name)) {
    throw new AppError('invalid_request', 'A key is named with letters, digits, `.`, `_`, `-` and `@`, at most 64.');
  }
  const { tenant, scopes, models } = checked(values);
  const { key, sha256 } = newKey();
  const made = { name, tenant, sha256, scopes, ...(models && { models }), created_at: new Date().toISOString() };
  const first = (await readKeyFile(path)) === undefined;
  await changeKeyFile(path, (keys) => {
    if (keys.some((other) => other.name === name)) {
      throw new AppError('invalid_request', `There is a key '${name}' already. Revoke it first, or take another name.`);
    }
    return [...keys, made];
  });
  return `The key '${name}' of the tenant '${tenant}' (${[...scopes, ...(models ?? [])].join(', ')}), shown this once; ${path} keeps only its SHA-256:

  ${key}

Requests carry it in the header

  Authorization: Bearer ${key}
${first ? '\nFrom now on, every request needs a key.\n' : ''}`;
}

async function list(config: ReturnType<typeof loadConfig>): Promise<string> {
  const named = await readKeyFile(config.KEYS_FILE);
  const keys: Partial<NamedKey>[] = [...(named ?? []), ...config.API_KEYS];
  if (keys.length === 0) {
    return named
      ? `${config.KEYS_FILE} has no keys: nobody may enter. Make one with \`npm run keys -- make NAME\`.`
      : 'There are no keys: whoever reaches the service on this machine may do everything.';
  }
  const uses = new LastUses(await openStorage(config, { mustExist: false }));
  const rows = await Promise.all(
    keys.map(async ({ name = '(API_KEYS)', tenant, scopes, models, sha256, created_at }) => {
      const by = byOf({ sha256: sha256! });
      const used = (await uses.of(by)) ?? 'never';
      return [
        name,
        tenant!,
        scopes!.join(' '),
        models?.join(' ') ?? 'all',
        by,
        created_at?.slice(0, 10) ?? '',
        used.slice(0, 13),
      ];
    }),
  );
  const { stdout, env } = process;
  const screen = createScreen({ out: stdout, paint: createPaint({ isTTY: stdout.isTTY === true, env }) });
  printTable(
    screen,
    ['name', 'tenant', 'scopes', 'models', 'by', 'made', 'last used'].map((title) => ({ title })),
    rows,
  );
  return '';
}

async function revoke(path: string, name: string): Promise<string> {
  if ((await readKeyFile(path)) === undefined) {
    throw new AppError('invalid_request', `There is no key file ${path}, so there is nothing to revoke.`);
  }
  await changeKeyFile(path, (keys) => {
    if (keys.some((other) => other.name === name)) return keys.filter((other) => other.name !== name);
    const names = keys.map((other) => other.name).join(', ') || 'none';
    throw new AppError('invalid_request', `There is no key '${name}'. There are: ${names}.`);
  });
  return `The key '${name}' is revoked.`;
}

function print(values: Values): string {
  const { tenant, scopes, models } = checked(values);
  if (models) throw new AppError('invalid_request', 'API_KEYS has no place for models: use `make`.');
  const { key, sha256 } = newKey();
  const isUsual = scopes.join() === TENANT_SCOPES.join();
  const others = process.env.API_KEYS?.trim();
  return `Key of the tenant '${tenant}', shown this once:

  ${key}

Set this where Graft runs${others ? ' (your other keys are in it)' : '; more keys follow after a comma'}:

  API_KEYS=${others ? `${others},` : ''}${tenant}:${sha256}${isUsual ? '' : `:${scopes.join('+')}`}
`;
}

/** @throws AppError `invalid_request` */
function checked(values: Values): { tenant: string; scopes: Scope[]; models?: string[] } {
  const { tenant } = values;
  if (!new RegExp(TENANT_PATTERN).test(tenant)) {
    throw new AppError(
      'invalid_request',
      'A tenant is named with lower-case letters, digits and `-`, at most 63, the first not `-`.',
    );
  }
  const scopes = [...new Set(words(values.scopes))];
  const unknown = scopes.find((scope) => !Object.hasOwn(SCOPES, scope));
  if (unknown !== undefined || scopes.length === 0) {
    throw new AppError('invalid_request', `There is no scope '${unknown ?? ''}'. There are: ${ALL_SCOPES.join(', ')}.`);
  }
  const models = values.models === undefined ? undefined : words(values.models);
  const wrong = models?.find((model) => !new RegExp(ModelName.pattern!).test(model));
  if (wrong !== undefined) throw new AppError('invalid_request', `'${wrong}' is no name of a model.`);
  return { tenant, scopes: scopes as Scope[], ...(models && { models }) };
}

function words(list: string): string[] {
  return list.split(/[,+\s]+/).filter((word) => word !== '');
}
