import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { command } from './run.mjs';
import { SetupError } from './set-up.mjs';

/** Files of the client's types, what they need first. */
const TYPES = ['api', 'errors', 'pages', 'tar', 'sources', 'transport', 'upload', 'index'];

/** Make the client one file for browsers and Node, with its types beside, when one of its sources was changed. */
export function bundleClient(root) {
  const source = join(root, 'src', 'client');
  const made = join(root, 'build', 'src', 'client', 'bundle');
  const stamp = join(made, '.stamp');
  return {
    title: 'Bundling the client',
    needed: () => existsSync(source) && (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== fingerprint(source)),
    async run(command) {
      const before = fingerprint(source);
      mkdirSync(made, { recursive: true });
      const must = async (words) => {
        const { ok, output } = await command([process.execPath, ...words], { cwd: root });
        if (!ok) throw new SetupError(`${output}\nThe client cannot be bundled; the tool says why above.`);
      };
      await must([
        join(root, 'node_modules', 'esbuild', 'bin', 'esbuild'),
        join(source, 'index.ts'),
        '--bundle',
        '--minify',
        '--format=esm',
        '--target=es2022',
        '--external:node:*',
        '--log-level=warning',
        `--outfile=${join(made, 'client.mjs')}`,
      ]);
      const types = join(made, 'types');
      await must([
        join(root, 'node_modules', 'typescript', 'bin', 'tsc'),
        join(source, 'index.ts'),
        ...['--declaration', '--emitDeclarationOnly', '--skipLibCheck', '--outDir', types],
        ...['--target', 'es2022', '--lib', 'es2023', '--module', 'nodenext', '--types', 'node'],
      ]);
      const texts = TYPES.map((name) => withoutImports(readFileSync(join(types, `${name}.d.ts`), 'utf8')));
      writeFileSync(join(made, 'client.d.mts'), texts.join('\n'));
      rmSync(types, { recursive: true });
      writeFileSync(stamp, before);
    },
  };
}

/** All stand in one file: nothing is imported, and what was handed on is exported where it is. */
function withoutImports(text) {
  return text
    .replace(/^import [^;]*;\n/gm, '')
    .replace(/^export (type )?\{[^}]*\} from [^;]*;\n/gm, '')
    .replace(/^\/\/# .*\n?/gm, '');
}

/** Name, size and time of every source. */
function fingerprint(folder) {
  const hash = createHash('sha256');
  for (const name of readdirSync(folder).sort()) {
    const { size, mtimeMs } = statSync(join(folder, name));
    hash.update(`${name} ${size} ${mtimeMs}\n`);
  }
  return hash.digest('hex');
}

// For images, which have no set-up: `node src/launch/setup/bundle.mjs` in the folder of the package.
if (process.argv[1] === import.meta.filename) await bundleClient(process.cwd()).run(command);
