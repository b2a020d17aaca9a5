/**
 * `npm run test:node -- 20.19 22 24 [FILE …]`: the tests on other releases of Node, each the newest of its line. npm's registry
 * has Node as packages. A copy of the project is used, with packages of its own, in GRAFT_TEST_NODE, else in a
 * folder for temporary files.
 */
import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CopiedTree, installNode } from '../helpers/copied-tree.js';

const words = process.argv.slice(2);
const files = words.filter((word) => word.includes('/'));
const versions = words.filter((word) => !files.includes(word));
if (versions.length === 0) {
  console.error('Usage: npm run test:node -- VERSION … [FILE …], such as 20.19 22 24');
  process.exit(1);
}
const folder = process.env.GRAFT_TEST_NODE ?? join(tmpdir(), 'graft-test-node');
mkdirSync(folder, { recursive: true });
const failed: string[] = [];
for (const version of versions) {
  let node: string;
  try {
    node = join(installNode(version, folder), 'bin');
  } catch {
    console.log(`skipped: npm's registry has no Node ${version} for ${process.platform} on ${process.arch}.`);
    continue;
  }
  const tree = new CopiedTree(join(folder, `on-${version}`), { node });
  tree.installPackages();
  const exact = tree.node(['-p', 'process.version']).trim();
  console.log(`Node ${exact}:`);
  const status = await tree.test(files);
  console.log(`Node ${exact}: ${status === 0 ? 'all passed' : 'FAILED'}`);
  if (status !== 0) failed.push(exact);
}
console.log(failed.length === 0 ? 'Done.' : `Failed on Node ${failed.join(', ')}.`);
process.exit(failed.length === 0 ? 0 : 1);
