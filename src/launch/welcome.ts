import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { type Config, PACKAGE_ROOT } from '../config.js';
import type { Paint } from '../terminal/paint.js';

/** What `npm start` prints once everything works: where it is, what to try, where the data lies, how to stop. */
export function welcome({
  config,
  url,
  firstKey,
  backbone,
  paint,
}: {
  config: Config;
  url: string;
  firstKey?: string | undefined;
  /** That of jobs which name none. */
  backbone?: string | undefined;
  paint: Paint;
}): string {
  const hasKeys = config.API_KEYS.length > 0 || existsSync(config.KEYS_FILE);
  const key = hasKeys ? ' -H "Authorization: Bearer $GRAFT_KEY"' : '';
  const here = reachable(url) + config.BASE_PATH;
  return `
${paint.bold('Graft')} listens on ${here}
${firstKey === undefined ? '' : `\n${firstKeyWords(url, firstKey, config.BASE_PATH)}\n`}
  Open      ${paint.cyan(`${here}/`)} in a browser: drop photos, press Train, try the model
  Try it    curl${key} ${here}/v1/backbones
  Train     curl${key} ${here}/v1/jobs -F model=my-first -F file=@photos.zip
            (a folder per class in the archive; no photos at hand: npm run demo)
  API       ${here}/docs
  Data      ${config.DATA_DIR}${insideClone(config)}
${stronger(backbone)}  Stop      Ctrl-C; a job that is running goes on at the next start

`;
}

function stronger(backbone: string | undefined): string {
  if (backbone !== 'rootstock_s') return '';
  return `  Stronger  ${command('backbones')} pull mobilenet_v2 --default   (${GAIN})\n`;
}

/** Measured by `npm run bench:accuracy`, on photos of clothing. */
const GAIN = 'right on 89 % where the one that comes with Graft is on 74 %';

/** How a command is called: an image has no sources, and no npm scripts. */
function command(name: string): string {
  return existsSync(join(PACKAGE_ROOT, 'src', 'bin', 'setup.mjs'))
    ? `npm run ${name} --`
    : `node build/src/bin/${name}.js`;
}

/** Who deletes the clone must know what goes with it. */
function insideClone({ DATA_DIR }: Config): string {
  const inside = !relative(PACKAGE_ROOT, DATA_DIR).startsWith('..');
  return inside ? '\n            (inside this clone, and gone with it; DATA_DIR=… puts it elsewhere)' : '';
}

/** What is said of the key that a service made for itself, once and never again. */
export function firstKeyWords(url: string, key: string, basePath = ''): string {
  return `This service can be reached from other machines and had no API key, so it made one. It is shown this once:

  ${key}

  Sign in   ${reachable(url)}${basePath}/#key=${key}
  In calls  Authorization: Bearer ${key}
  More      ${command('keys')} make NAME; this one is called 'first'
`;
}

/** An address that a browser on this machine opens. */
function reachable(url: string): string {
  return url.replace(/\/\/(0\.0\.0\.0|\[::\])/, '//localhost');
}
