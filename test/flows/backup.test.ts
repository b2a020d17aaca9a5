/** docs/backup.md, as it stands there: saved while the service works, restored into an empty folder with an empty Redis. */
import { spawnSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { DefaultBackbone } from '../../src/backbones/default-backbone.js';
import { PACKAGE_ROOT } from '../../src/config.js';
import type { Dataset } from '../../src/schemas/datasets.js';
import type { Job } from '../../src/schemas/jobs.js';
import { FileStorage } from '../../src/storage/file-storage.js';
import { send } from '../helpers/http.js';
import { photo, photos, submit, upload } from '../helpers/photos.js';
import { serviceForTest, type TestService } from '../helpers/service.js';
import { tinyBackbone } from '../helpers/tiny-backbone.js';

const page = await readFile(join(PACKAGE_ROOT, 'docs', 'backup.md'), 'utf8');
const block = (name: string) => new RegExp(`<!-- ${name} -->\\n\`\`\`sh\\n([\\s\\S]*?)\`\`\``).exec(page)![1]!;

/** Run a block of the page in a shell of its own. */
function shell(script: string, env: NodeJS.ProcessEnv) {
  return spawnSync('bash', ['-euc', script], {
    cwd: PACKAGE_ROOT,
    env: { ...process.env, NODE_OPTIONS: '', ...env },
    encoding: 'utf8',
    timeout: 120_000,
  });
}

const skip = spawnSync('tar', ['--version'], { encoding: 'utf8' }).stdout?.includes('GNU tar')
  ? false
  : 'GNU tar is not here';

await t.test('what was saved while the service worked answers as before', { skip }, async (t) => {
  const folder = t.testdir();
  const env = await tinyBackbone(t);
  const service = await serviceForTest(t, { env });
  const image = await photo(0, 99);
  const dataset = await upload(service, await photos(['a', 'b'], 6));
  for (const seed of [1, 2]) {
    const job = await submit(service, { dataset: dataset.id, model: 'pets', head: 'linear', seed });
    t.equal((await service.ended(job.id)).status, 'succeeded');
  }
  const point = (version: number) =>
    service.json('/v1/models/pets/aliases/production', {
      method: 'PUT',
      body: JSON.stringify({ version }),
      headers: { 'content-type': 'application/json' },
    });
  await point(1);
  const standardOf = (root: string) => new DefaultBackbone({ storage: new FileStorage({ root }), setting: '' });
  await standardOf(service.dataDir).choose('tiny');
  const before = await answersOf(service, image);

  // The worker goes on with these while files are copied.
  const more = await Promise.all(
    Array.from({ length: 1 }, (_, i) =>
      submit(service, { dataset: dataset.id, model: 'other', head: 'linear', seed: i }),
    ),
  );
  const backup = join(folder, 'backup.tar');
  const saved = shell(block('backup'), { ...env, DATA_DIR: service.dataDir, BACKUP: backup });
  t.equal(saved.status, 0, saved.stderr);
  await point(2); // not in the backup
  await service.stop();

  const dataDir = join(folder, 'restored');
  const restored = shell(block('restore'), { ...env, DATA_DIR: dataDir, BACKUP: backup });
  t.equal(restored.status, 0, `${restored.stdout}${restored.stderr}`);
  const again = await serviceForTest(t, { env: { ...env, DATA_DIR: dataDir } });
  t.same(await answersOf(again, image), before);
  for (const { id } of more) {
    t.equal((await again.ended(id)).status, 'succeeded', 'a job that was accepted before the backup ends after it');
  }
  const { versions } = await again.json<{ versions: number[] }>('/v1/models/other');
  t.equal(versions.length, more.length, 'one version each');
  await again.stop();
  t.equal(await standardOf(dataDir).chosen(), 'tiny', 'and jobs that name no backbone take the same');
  const fsck = shell('node build/src/bin/fsck.js', { ...env, DATA_DIR: dataDir });
  t.match(fsck, { status: 0, stdout: /all is well/ }, `${fsck.stdout}${fsck.stderr}`);
});

/** What the service says of all that had ended before the backup, and a prediction by each way to name a version. */
async function answersOf(service: TestService, image: Buffer) {
  const predict = async (path: string) => {
    const answer = await send(service.url, path, { method: 'POST', body: image });
    const { timings, ...rest } = JSON.parse(answer.text);
    return { status: answer.status, timed: Object.keys(timings).length, ...rest };
  };
  const jobs = (await service.json<{ data: Job[] }>('/v1/jobs')).data.filter(({ model }) => model === 'pets');
  const { data } = await service.json<{ data: Dataset[] }>('/v1/datasets');
  return {
    datasets: data,
    // Live progress is Redis' and not kept; of a job that has ended everything else is.
    jobs: jobs.map(({ examples: images, metrics, ...job }) => job),
    events: await Promise.all(jobs.map(({ id }) => service.json(`/v1/jobs/${id}/events`))),
    model: await service.json('/v1/models/pets'),
    report: await service.json('/v1/models/pets/versions/2/report'),
    latest: await predict('/v1/models/pets/predict'),
    numbered: await predict('/v1/models/pets/versions/1/predict'),
    aliased: await predict('/v1/models/pets/aliases/production/predict'),
  };
}
