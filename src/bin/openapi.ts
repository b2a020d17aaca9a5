/**
 * Entry point: writes what follows from the routes, `openapi.yaml` and the table of scopes in SECURITY.md; with `--check` only
 * compares.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import openapiTS, { astToString, type OpenAPI3 } from 'openapi-typescript';
import { parse, stringify } from 'yaml';
import { KeyRing } from '../access/key-ring.js';
import { SCOPES } from '../access/scopes.js';
import { loadConfig, PACKAGE_ROOT } from '../config.js';
import { buildApp } from '../http/app.js';
import { createMetrics } from '../http/metrics.js';
import { native } from '../http/native/dialect.js';
import type { Operations } from '../operations/operations.js';

/** The text of `openapi.yaml` and the table of scopes. No route is called, so no part of the service is needed behind them. */
export async function describeRoutes(): Promise<{ yaml: string; scopes: string }> {
  const app = await buildApp({
    config: loadConfig({}),
    operations: {} as Operations,
    dialects: [native],
    access: new KeyRing({ keys: undefined }),
    metrics: createMetrics(),
  });
  try {
    await app.ready();
    const document = app.swagger() as unknown as Described;
    const yaml = stringify(document, { aliasDuplicateObjects: false, lineWidth: 120 });
    return {
      yaml: `# Generated from the schemas of the routes by \`npm run openapi\`. Do not edit.\n${yaml}`,
      scopes: scopesTable(document),
    };
  } finally {
    await app.close();
  }
}

/** Types of the client: what is sent and answered, and the queries of the operations; its errors are one class. */
async function clientTypes(yaml: string): Promise<string> {
  const document = parse(yaml) as OpenAPI3;
  for (const path of Object.values(document.paths ?? {})) {
    for (const operation of Object.values(path) as { responses?: object; requestBody?: object }[]) {
      operation.responses = {};
      delete operation.requestBody;
    }
  }
  const text = astToString(await openapiTS(document, { defaultNonNullable: false }));
  const kept = text.slice(text.indexOf('export interface components'));
  return `// Generated from openapi.yaml by \`npm run openapi\`. Do not edit.\n${kept.replaceAll(' | Record<string, never>', '')}`;
}

interface Described {
  paths: Record<string, Record<string, { operationId: string; description: string }>>;
}

/** Operations by what they ask of a key, in Markdown. */
function scopesTable({ paths }: Described): string {
  const operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { description }]) => ({
      call: `\`${method.toUpperCase()} ${path}\``,
      scope: /Scope: `(\w+)`/.exec(description)?.[1] ?? 'public',
    })),
  );
  const rows = Object.entries({ ...SCOPES, public: 'nothing: no key is asked for' }).map(([scope, meaning]) => {
    const calls = operations.filter((operation) => operation.scope === scope).map(({ call }) => call);
    return `| \`${scope}\` | ${meaning} | ${calls.join(', ')} |`;
  });
  return ['| scope | what it allows | operations |', '|---|---|---|', ...rows].join('\n');
}

if (process.argv[1] === import.meta.filename) {
  const { yaml, scopes } = await describeRoutes();
  const security = await readFile(join(PACKAGE_ROOT, 'SECURITY.md'), 'utf8');
  const files = {
    'openapi.yaml': yaml,
    'src/client/api.ts': await clientTypes(yaml),
    'SECURITY.md': security.replace(
      /(<!-- scopes -->\n)[\s\S]*?(<!-- \/scopes -->)/,
      (_all, open: string, close: string) => `${open}${scopes}\n${close}`,
    ),
  };
  for (const [name, text] of Object.entries(files)) {
    const path = join(PACKAGE_ROOT, name);
    if (!process.argv.includes('--check')) {
      await writeFile(path, text);
      process.stdout.write(`${name} written\n`);
    } else if ((await readFile(path, 'utf8')) !== text) {
      process.stderr.write(`${name} is not what the routes say. Run \`npm run openapi\` and commit it.\n`);
      process.exitCode = 1;
    }
  }
}
