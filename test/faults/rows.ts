import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Row } from './figure.js';

/** Every module beside this one that exports a row, by the name of its file. */
export async function loadRows(): Promise<Map<string, Row>> {
  const rows = new Map<string, Row>();
  for (const file of (await readdir(import.meta.dirname)).sort()) {
    if (!file.endsWith('.js') || file.endsWith('.test.js') || file === 'run.js') continue;
    const found = (await import(pathToFileURL(join(import.meta.dirname, file)).href)) as Partial<Row>;
    if (found.run && found.name && found.goal) rows.set(file.slice(0, -3), found as Row);
  }
  return rows;
}
