import { createHash } from 'node:crypto';
import { existsSync, lstatSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { SetupError } from './set-up.mjs';

/** Install the packages when `node_modules` does not come from this lock file and this kind of machine. */
export function installPackages(root) {
  const lock = join(root, 'package-lock.json');
  const modules = join(root, 'node_modules');
  const stamp = join(modules, '.graft-setup');
  const wanted = () =>
    `${createHash('sha256').update(readFileSync(lock)).digest('hex')} ${process.platform}-${process.arch}`;

  return {
    title: 'Installing packages (npm ci)',
    note: 'The first start fetches packages from npm, about 230 MB, and unpacks them to about 800 MB in node_modules. It takes some minutes, once.',
    /** npm makes all folders first, and fills them as packages arrive. */
    progress() {
      const folders = foldersOf(modules);
      const filled = folders.filter((folder) => existsSync(join(folder, 'package.json'))).length;
      return `${filled} of ${folders.length} packages`;
    },
    needed() {
      const found = lstatSync(modules, { throwIfNoEntry: false });
      if (!found) return true;
      if (found.isSymbolicLink()) return false; // somebody else's folder: npm would empty it
      if (read(stamp) !== undefined) return read(stamp) !== wanted();
      // npm ci by hand leaves no stamp; npm's own record must be newer than the lock file
      const record = statSync(join(modules, '.package-lock.json'), { throwIfNoEntry: false });
      if (!record || record.mtimeMs < statSync(lock).mtimeMs) return true;
      writeFileSync(stamp, wanted());
      return false;
    },
    async run(command) {
      // `npm start` tells where npm is; the development packages are needed to compile, also under NODE_ENV=production
      const { npm_execpath: path = '' } = process.env;
      const npm = basename(path).startsWith('npm') ? [process.execPath, path] : ['npm'];
      const { ok, output } = await command(
        [...npm, 'ci', '--include=dev', '--include=optional', '--no-audit', '--no-fund', '--loglevel=error'],
        { cwd: root, env: { ONNXRUNTIME_NODE_INSTALL: 'skip' } },
      );
      if (!ok) throw new SetupError(`${output}\nThe packages could not be installed; npm says why above.`);
      writeFileSync(stamp, wanted());
    },
  };
}

/** Folders of packages, those of scopes too. */
function foldersOf(modules) {
  try {
    return readdirSync(modules).flatMap((name) => {
      const folder = join(modules, name);
      if (name.startsWith('@')) return readdirSync(folder).map((inner) => join(folder, inner));
      return name.startsWith('.') ? [] : [folder];
    });
  } catch {
    return []; // it is being made
  }
}

function read(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}
