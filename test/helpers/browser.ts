/** A real browser: Chromium at CHROME_PATH, or where Debian and others put it. */
import { existsSync } from 'node:fs';
import { type Browser, chromium } from 'playwright-core';
import type { Test } from 'tap';

const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** Where the browser is; undefined: there is none here. */
export function browserPath(): string | undefined {
  const { CHROME_PATH } = process.env;
  return CHROME_PATH ?? PLACES.find((path) => existsSync(path));
}

/** Why tests in a browser are skipped; false: they are not. */
export const NO_BROWSER = browserPath() === undefined && 'no Chromium here: set CHROME_PATH';

/** A browser for a test file. @param names host names that lead to this machine, such as those of other sites */
export async function browserForTest(t: Pick<Test, 'teardown'>, names: string[] = []): Promise<Browser> {
  const browser = await chromium.launch({
    executablePath: browserPath()!,
    args: ['--no-sandbox', `--host-resolver-rules=${names.map((name) => `MAP ${name} 127.0.0.1`).join(', ')}`],
  });
  t.teardown(() => browser.close());
  return browser;
}
