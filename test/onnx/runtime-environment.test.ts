import { execFile } from 'node:child_process';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';
import { PACKAGE_ROOT } from '../../src/config.js';

t.test('a process that loads a backbone leaves no identifier of the machine behind, and no events', async (t) => {
  const module = (name: string) =>
    JSON.stringify(pathToFileURL(join(PACKAGE_ROOT, `build/src/backbones/${name}.js`)).href);
  const program = `
    const { Backbones } = await import(${module('backbones')});
    const { EmbeddedBackbones } = await import(${module('embedded')});
    const { imageModality } = await import(${module('image/modality')});
    const modalities = [imageModality({ maxPixels: 1e6, maxBytes: 1e6 })];
    const source = new EmbeddedBackbones({ folder: ${JSON.stringify(join(PACKAGE_ROOT, 'models'))} });
    await new Backbones({ source, modalities, threads: 1 }).load('rootstock_s');
    console.log('loaded');`;
  // CI: ONNX Runtime is silent there by itself
  const { CI: _, ORT_DISABLE_TELEMETRY: __, XDG_CACHE_HOME: ___, ...env } = process.env;
  const file = join(t.testdir({ home: {} }), 'program.mjs');
  await writeFile(file, program);
  const home = join(file, '..', 'home');
  const { stdout } = await promisify(execFile)(process.execPath, [file], { env: { ...env, HOME: home } });
  t.equal(stdout, 'loaded\n');
  t.same(await readdir(home), []);
});
