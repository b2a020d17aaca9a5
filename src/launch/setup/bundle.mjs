import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';
import { command } from './run.mjs';
import { SetupError } from './set-up.mjs';

/** Files of the client's types, what they need first. */
const TYPES = ['api', 'errors', 'pages', 'tar', 'sources', 'transport', 'upload', 'index'];
/** What both bundles are for. */
const COMMON = ['--bundle', '--minify', '--format=esm', '--target=es2022', '--external:node:*', '--log-level=warning'];

/** Make the client one file for browsers and Node, with its types beside, when one of its sources was changed. */
export function bundleClient(root) {
  return step(root, { title: 'Bundling the client', sources: ['client'], made: 'client', run: makeClient });
}

/** Make the page for browsers: files whose names change with what is in them, and `index.html`, which names them. */
export function bundlePage(root) {
  return step(root, { title: 'Bundling the page', sources: ['page', 'client'], made: 'page', run: makePage });
}

function step(root, { title, sources, made, run }) {
  const folders = sources.map((name) => join(root, 'src', name));
  const out = join(root, 'build', 'src', made, 'bundle');
  const stamp = join(out, '.stamp');
  return {
    title,
    needed: () =>
      folders.every(existsSync) && (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== fingerprint(folders)),
    async run(command) {
      const before = fingerprint(folders);
      rmSync(out, { recursive: true, force: true });
      mkdirSync(out, { recursive: true });
      const must = async (words) => {
        const { ok, output } = await command([process.execPath, ...words], { cwd: root });
        if (!ok) throw new SetupError(`${output}\n${title} failed; the tool says why above.`);
      };
      const esbuild = (...words) =>
        must([join(root, 'node_modules', 'esbuild', 'bin', 'esbuild'), ...COMMON, ...words]);
      await run({ root, source: folders[0], out, must, esbuild });
      writeFileSync(stamp, before);
    },
  };
}

async function makeClient({ root, source, out, must, esbuild }) {
  await esbuild(join(source, 'index.ts'), `--outfile=${join(out, 'client.mjs')}`);
  const types = join(out, 'types');
  await must([
    join(root, 'node_modules', 'typescript', 'bin', 'tsc'),
    join(source, 'index.ts'),
    ...['--declaration', '--emitDeclarationOnly', '--skipLibCheck', '--outDir', types],
    ...['--target', 'es2022', '--lib', 'es2023', '--module', 'nodenext', '--types', 'node'],
  ]);
  const texts = TYPES.map((name) => withoutImports(readFileSync(join(types, `${name}.d.ts`), 'utf8')));
  writeFileSync(join(out, 'client.d.mts'), texts.join('\n'));
  rmSync(types, { recursive: true });
}

async function makePage({ source, out, esbuild }) {
  const about = join(out, 'meta.json');
  await esbuild(
    ...[join(source, 'main.tsx'), join(source, 'style.css')],
    ...['--splitting', '--jsx=automatic', '--jsx-import-source=preact', '--legal-comments=eof'],
    ...['--entry-names=[name]-[hash]', '--chunk-names=part-[hash]'],
    ...[`--metafile=${about}`, `--outdir=${join(out, 'files')}`],
  );
  const { outputs } = JSON.parse(readFileSync(about, 'utf8'));
  rmSync(about);
  const nameOf = (entry) => {
    return basename(Object.keys(outputs).find((path) => outputs[path].entryPoint?.endsWith(`page/${entry}`)));
  };
  const html = readFileSync(join(source, 'index.html'), 'utf8')
    .replace('main.js', nameOf('main.tsx'))
    .replace('style.css', nameOf('style.css'));
  writeFileSync(join(out, 'index.html'), html);
  for (const name of readdirSync(join(out, 'files'))) {
    const path = join(out, 'files', name);
    const bytes = readFileSync(path);
    writeFileSync(`${path}.gz`, gzipSync(bytes, { level: 9 }));
    const params = { [constants.BROTLI_PARAM_QUALITY]: 11 };
    writeFileSync(`${path}.br`, brotliCompressSync(bytes, { params }));
  }
}

/** All stand in one file: nothing is imported, and what was handed on is exported where it is. */
function withoutImports(text) {
  return text
    .replace(/^import [^;]*;\n/gm, '')
    .replace(/^export (type )?\{[^}]*\} from [^;]*;\n/gm, '')
    .replace(/^\/\/# .*\n?/gm, '');
}

/** Name, size and time of every source. */
function fingerprint(folders) {
  const hash = createHash('sha256');
  for (const folder of folders) {
    for (const name of readdirSync(folder, { recursive: true }).sort()) {
      const { size, mtimeMs } = statSync(join(folder, name));
      hash.update(`${name} ${size} ${mtimeMs}\n`);
    }
  }
  return hash.digest('hex');
}

// For images, which have no set-up: `node src/launch/setup/bundle.mjs` in the folder of the package.
if (process.argv[1] === import.meta.filename) {
  for (const bundle of [bundleClient, bundlePage]) await bundle(process.cwd()).run(command);
}
