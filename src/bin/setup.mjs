// Sets up what is missing, then starts: `node src/bin/setup.mjs [--redis] <entry> [arguments]` imports `build/src/bin/<entry>.js`,
// and `--run <program>` runs a program of node_modules/.bin instead. Plain JavaScript without packages, because at first
// there are none. When nothing is missing, the checks take about 20 ms.
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`Graft needs Node 20.19 or newer; this is Node ${process.versions.node}. See https://nodejs.org.`);
  process.exit(1);
}

// imported late, so that an old Node reads no further than the sentence above
const { pathToFileURL } = await import('node:url');
const { existsSync } = await import('node:fs');
const { join } = await import('node:path');
const { installPackages } = await import('../launch/setup/packages.mjs');
const { bundleClient, bundlePage } = await import('../launch/setup/bundle.mjs');
const { compile } = await import('../launch/setup/compile.mjs');
const { installRedis } = await import('../launch/setup/redis.mjs');
const { setUp, SetupError } = await import('../launch/setup/set-up.mjs');
const { runProgram } = await import('../launch/setup/run.mjs');

const root = join(import.meta.dirname, '..', '..');
const words = process.argv.slice(2);
const redis = take('--redis');
const run = take('--run');
const [name, ...rest] = words;
if (name === undefined) {
  console.error('Usage: node src/bin/setup.mjs [--redis] <entry> [arguments], or --run <program> [arguments]');
  process.exit(1);
}

loadEnvFile();
// Redis first: who cannot install it hears that before hundreds of megabytes are fetched.
const steps = [
  ...(redis && (run || !usesAnotherRedis()) ? [installRedis()] : []),
  installPackages(root),
  compile(root),
  bundleClient(root),
  bundlePage(root),
];
try {
  await setUp({ root, steps });
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  console.error(error.message);
  process.exit(1);
}

if (run) {
  await runProgram(join(root, 'node_modules', '.bin', name), rest);
} else {
  const entry = join(root, 'build', 'src', 'bin', `${name}.js`);
  process.argv = [process.argv[0], entry, ...rest];
  await import(pathToFileURL(entry).href);
}

/** Settings in `.env` of this folder; what is set already holds. */
function loadEnvFile() {
  const path = join(root, '.env');
  if (!existsSync(path)) return;
  try {
    process.loadEnvFile(path);
  } catch (error) {
    console.error(`${path} cannot be read: ${error.message}`);
    process.exit(1);
  }
}

/** Whether the flag leads the arguments; those behind the entry are not ours. */
function take(flag) {
  if (words[0] !== flag) return false;
  words.shift();
  return true;
}

/** Tests and the demo start their own Redis, but for a demo of a service elsewhere; `npm start` may be told of one. */
function usesAnotherRedis() {
  const { REDIS_URL, GRAFT_URL } = process.env;
  return Boolean(name === 'demo' ? GRAFT_URL || rest.some((word) => /^--url(=|$)/.test(word)) : REDIS_URL);
}
