/** Entry point: writes the table of settings into docs/settings.md; with `--check` only compares. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PACKAGE_ROOT, settingsTable } from '../config.js';

const path = join(PACKAGE_ROOT, 'docs', 'settings.md');
const text = await readFile(path, 'utf8');
const updated = text.replace(
  /(<!-- settings -->\n)[\s\S]*?(<!-- \/settings -->)/,
  (_all, open: string, close: string) => `${open}${settingsTable()}\n${close}`,
);
if (!process.argv.includes('--check')) {
  await writeFile(path, updated);
  process.stdout.write('docs/settings.md: the table of settings is written\n');
} else if (updated !== text) {
  process.stderr.write(
    'The table of settings in docs/settings.md is out of date. Run `npm run settings` and commit it.\n',
  );
  process.exitCode = 1;
}
