import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { SetupError } from './set-up.mjs';

/** Compile when a source was added, changed or removed since the last time. */
export function compile(root) {
  const build = join(root, 'build');
  const stamp = join(build, '.graft-setup');
  return {
    title: 'Compiling',
    needed: () => !existsSync(stamp) || readFileSync(stamp, 'utf8') !== fingerprint(root),
    async run(command) {
      const before = fingerprint(root); // a source changed while compiling is compiled again next time
      removeOrphans(root);
      const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
      const { ok, output } = await command([process.execPath, tsc, '-p', 'tsconfig.json'], { cwd: root });
      if (!ok) throw new SetupError(`${output}\nThe sources do not compile; the compiler says why above.`);
      writeFileSync(stamp, before);
    },
  };
}

/** Name, size and time of every source: as good as its content, and read in a few milliseconds. */
function fingerprint(root) {
  const hash = createHash('sha256');
  const sources = [
    join(root, 'tsconfig.json'),
    ...['src', 'test'].flatMap((folder) => files(join(root, folder), ['.ts', '.tsx', '.mjs'])),
  ];
  for (const path of sources) {
    const { size, mtimeMs } = statSync(path);
    hash.update(`${relative(root, path)} ${size} ${mtimeMs}\n`);
  }
  return hash.digest('hex');
}

/** The compiler leaves what it made of a source that is gone, and a test that is gone would run on. */
function removeOrphans(root) {
  for (const folder of ['src', 'test']) {
    for (const path of files(join(root, 'build', folder), ['.js'])) {
      if (/[\\/]bundle[\\/]/.test(path)) continue; // made by another step
      const source = join(root, relative(join(root, 'build'), path)).replace(/\.js$/, '');
      if (existsSync(`${source}.ts`) || existsSync(`${source}.tsx`)) continue;
      for (const made of [path, `${path}.map`]) rmSync(made, { force: true });
    }
  }
}

function files(folder, endings) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : files(path, endings);
      return endings.some((ending) => entry.name.endsWith(ending)) ? [path] : [];
    });
}
