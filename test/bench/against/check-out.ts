import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, symlinkSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PACKAGE_ROOT } from '../../../src/config.js';

/** Another commit of this repository, compiled, in a folder of its own. */
export async function checkOut(commit: string): Promise<{ root: string; remove(): Promise<void> }> {
  const root = await mkdtemp(join(tmpdir(), 'graft-against-'));
  const remove = () => rm(root, { recursive: true, force: true });
  const run = (file: string, ...words: string[]) =>
    execFileSync(file, words, { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] });
  try {
    run('git', 'clone', '--quiet', '--no-checkout', PACKAGE_ROOT, '.');
    run('git', 'checkout', '--quiet', '--detach', commit);
    if (samePackages(root)) symlinkSync(join(PACKAGE_ROOT, 'node_modules'), join(root, 'node_modules'));
    else run('npm', 'ci', '--no-audit', '--no-fund', '--loglevel=error');
    run(process.execPath, join('node_modules', 'typescript', 'bin', 'tsc'), '-p', 'tsconfig.json');
    return { root, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

/** Whether both lock files name the same packages: then one folder of them serves both, and they cannot differ. */
function samePackages(root: string): boolean {
  const [ours, theirs] = [PACKAGE_ROOT, root].map((folder) => {
    const file = join(folder, 'package-lock.json');
    if (!existsSync(file)) return undefined;
    const { packages } = JSON.parse(readFileSync(file, 'utf8')) as { packages: Record<string, { version?: string }> };
    return JSON.stringify(
      Object.entries(packages)
        .filter(([path]) => path !== '')
        .map(([path, { version }]) => [path, version]),
    );
  });
  return ours !== undefined && ours === theirs;
}
