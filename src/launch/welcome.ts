import type { Config } from '../config.js';
import type { Paint } from '../terminal/paint.js';

/** What `npm start` prints once everything works: where it is, what to try, where the data lies, how to stop. */
export function welcome({ config, url, paint }: { config: Config; url: string; paint: Paint }): string {
  const key = config.API_KEYS.length > 0 ? ' -H "Authorization: Bearer $GRAFT_KEY"' : '';
  return `
${paint.bold('Graft')} listens on ${paint.cyan(url)}

  Try it    curl${key} ${url}/v1/backbones
  Train     curl${key} ${url}/v1/jobs -F model=my-first -F file=@photos.zip
            (a folder per class in the archive; no photos at hand: npm run demo)
  API       ${url}/docs
  Data      ${config.DATA_DIR}
  Stop      Ctrl-C; a job that is running goes on at the next start

`;
}
