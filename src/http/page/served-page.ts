/**
 * http/page serves what `src/page` becomes when it is bundled: `index.html` at the top, and below `/page/` files whose names
 * change with what is in them. It knows nothing of what they do.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fastifyStatic from '@fastify/static';
import type { Config } from '../../config.js';
import type { Page } from '../app.js';

/** Beside the page's sources when they are compiled. */
const BUNDLE = join(import.meta.dirname, '..', '..', 'page', 'bundle');

/** The page as it was bundled. Below BASE_PATH its files are named from there, with or without a slash at the end. */
export function servedPage({ BASE_PATH }: Pick<Config, 'BASE_PATH'>): Page {
  let read: string | undefined;
  const index = join(BUNDLE, 'index.html');
  return {
    html() {
      if (read === undefined && existsSync(index)) {
        read = readFileSync(index, 'utf8').replaceAll('="page/', `="${BASE_PATH === '' ? '' : `${BASE_PATH}/`}page/`);
      }
      return read;
    },
    async files(app) {
      const root = join(BUNDLE, 'files');
      if (!existsSync(root)) return;
      // Routes of the plug-in, which knows nothing of scopes.
      app.addHook('onRoute', (route) => {
        route.config = { ...route.config, scope: 'public' };
        route.schema = { hide: true };
      });
      await app.register(fastifyStatic, {
        root,
        prefix: '/page/',
        wildcard: false,
        index: false,
        immutable: true,
        maxAge: '365d',
        preCompressed: true,
      });
    },
  };
}
