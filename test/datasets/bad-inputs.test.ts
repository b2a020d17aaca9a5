import { readdir, readFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import t from 'tap';
import { AppError } from '../../src/errors.js';
import { datasetsIn, sharedFolder } from '../helpers/datasets.js';
import { ARCHIVE_CORPORA } from '../helpers/shared.js';

const folder = sharedFolder('bad-inputs');

/** Shown instead of a pass where the corpora are not installed. */
const skip = folder === undefined && 'the folder of bad inputs is not here; set GRAFT_SHARED';

t.test(
  'every archive of the public corpora is accepted or refused with 4xx, and leaves nothing',
  { skip },
  async (t) => {
    for (const corpus of ARCHIVE_CORPORA) {
      const outcomes = new Map<string, number>();
      const root = t.testdir();
      const { create, leftovers, datasets } = datasetsIn(root);
      for (const path of await filesBelow(join(folder!, corpus))) {
        const outcome = await create(await readFile(path)).then(
          async ({ id }) => {
            await datasets.delete('default', id);
            return 'accepted';
          },
          (error: unknown) => {
            const clean = error instanceof AppError && error.status >= 400 && error.status < 500;
            if (!clean) t.fail(`${relative(folder!, path)}: ${error}`, { error });
            if (process.env.GRAFT_VERBOSE) t.comment(relative(folder!, path), String(error));
            return error instanceof AppError ? error.code : 'error';
          },
        );
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      }
      t.same(await leftovers(), [], `${corpus} leaves nothing`);
      t.same((await readdir(root)).sort(), ['data', 'uploads'], `${corpus} writes nowhere else`);
      t.comment(corpus, Object.fromEntries(outcomes));
    }
  },
);

t.test('the bomb of overlapping files is refused before it is inflated', { skip }, async (t) => {
  const { create } = datasetsIn(t.testdir());
  const started = performance.now();
  await t.rejects(create(await readFile(join(folder!, 'overlap-zip-bomb', 'zbsm-546GB.zip'))), {
    code: 'archive_unsafe',
  });
  t.ok(performance.now() - started < 5000);
});

async function filesBelow(path: string): Promise<string[]> {
  const found = await readdir(path, { recursive: true, withFileTypes: true });
  return found
    .filter((entry) => entry.isFile() && entry.name !== 'SOURCE.txt')
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
}
