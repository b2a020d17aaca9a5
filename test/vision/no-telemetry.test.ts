import { execFile } from 'node:child_process';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';
import { PACKAGE_ROOT } from '../../src/config.js';

t.test('a process that loads a backbone leaves no identifier of the machine behind, and no events', async (t) => {
  const home = t.testdir();
  const module = pathToFileURL(join(PACKAGE_ROOT, 'build/src/vision/backbone.js')).href;
  const program = `
    const { Backbones } = await import(${JSON.stringify(module)});
    await new Backbones({ folder: ${JSON.stringify(join(PACKAGE_ROOT, 'models'))}, threads: 1 }).load('rootstock_s');
    console.log('loaded');`;
  // CI: ONNX Runtime is silent there by itself
  const { CI: _, ORT_DISABLE_TELEMETRY: __, XDG_CACHE_HOME: ___, ...env } = process.env;
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], {
    env: { ...env, HOME: home },
  });
  t.equal(stdout, 'loaded\n');
  t.same(await readdir(home), []);
});
