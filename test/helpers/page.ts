/** A person at the page: a real browser that drops folders, and notes what a page must never do. */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';
import { DRAWN_KINDS } from '../../src/drawing/draw-photo.js';
import { drawnPhoto } from '../../src/drawing/drawn-photos.js';
import { browserPath } from './browser.js';
import { SHARED } from './shared.js';

/** A browser whose camera shows a test picture, and is given to whoever asks. */
export function launchBrowser({ camera = true } = {}): Promise<Browser> {
  const fake = ['--use-fake-device-for-media-stream', ...(camera ? ['--use-fake-ui-for-media-stream'] : [])];
  return chromium.launch({ executablePath: browserPath()!, args: ['--no-sandbox', ...fake] });
}

/** What a page did that it must not do. */
export interface Faults {
  /** Violations of its policy, as the browser words them. */
  policy: string[];
  /** Requests to other hosts. */
  foreign: string[];
  /** Errors that nobody caught. */
  errors: string[];
}

/** A page of its own, and what it does wrong from now on. */
export async function openPage(
  browser: Browser,
  url: string,
  options: BrowserContextOptions = {},
): Promise<{ page: Page; faults: Faults }> {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const faults: Faults = { policy: [], foreign: [], errors: [] };
  const { host } = new URL(url);
  page.on('console', (said) => {
    if (/content security policy|trusted ?type|permissions policy/i.test(said.text())) faults.policy.push(said.text());
  });
  page.on('pageerror', (error) => faults.errors.push(String(error)));
  page.on('request', (request) => {
    const asked = new URL(request.url());
    if (/^(https?|wss?):$/.test(asked.protocol) && asked.host !== host) faults.foreign.push(request.url());
  });
  return { page, faults };
}

/** Drop files or folders of this machine onto a place, as a person does. */
export async function drop(page: Page, paths: string[], onto: string): Promise<void> {
  const place = page.locator(onto).first();
  await place.scrollIntoViewIfNeeded();
  const box = (await place.boundingBox())!;
  const at = { x: box.x + 20, y: box.y + 20 };
  const data = { items: [], files: paths, dragOperationsMask: 1 };
  const devtools = await page.context().newCDPSession(page);
  for (const type of ['dragEnter', 'dragOver', 'drop'] as const) {
    await devtools.send('Input.dispatchDragEvent', { type, ...at, data });
  }
  await devtools.detach();
}

/** A folder with a folder of photos for each class: real cats and dogs where they are at hand, else drawn ones. */
export async function petsFolder(perClass: number): Promise<{ folder: string; photo: string; real: boolean }> {
  const home = mkdtempSync(join(tmpdir(), 'graft-pets-'));
  const folder = join(home, 'pets');
  const source = join(SHARED, 'datasets', 'cats-dogs', 'train');
  const classes = classesOf(source);
  if (classes.length >= 2) {
    for (const label of classes) {
      mkdirSync(join(folder, label), { recursive: true });
      const names = readdirSync(join(source, label)).sort();
      for (const name of names.slice(0, perClass)) cpSync(join(source, label, name), join(folder, label, name));
    }
    const [label] = classes;
    const other = readdirSync(join(source, label!)).sort()[perClass]!;
    cpSync(join(source, label!, other), join(home, other));
    return { folder, photo: join(home, other), real: true };
  }
  for (const label of DRAWN_KINDS.slice(0, 2)) {
    mkdirSync(join(folder, label), { recursive: true });
    for (let n = 1; n <= perClass; n += 1) writeFileSync(join(folder, label, `${n}.jpg`), await drawnPhoto(label, n));
  }
  const photo = join(home, 'unseen.jpg');
  writeFileSync(photo, await drawnPhoto(DRAWN_KINDS[0], 100));
  return { folder, photo, real: false };
}

function classesOf(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}
