/** Every kind of damage is found, named with what to do, and repaired only where nothing can be lost by it. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { appendFile, mkdir, readdir, readFile, rm, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { EmbeddedBackbones } from '../../src/backbones/embedded.js';
import { InstalledBackbones } from '../../src/backbones/installed.js';
import { sourcesInOrder } from '../../src/backbones/source.js';
import { PACKAGE_ROOT } from '../../src/config.js';
import { newId } from '../../src/ids.js';
import { JobStore } from '../../src/jobs/job-store.js';
import { checkData } from '../../src/maintenance/check-data.js';
import type { Finding, FindingKind } from '../../src/maintenance/finding.js';
import { Registry } from '../../src/registry/registry.js';
import type { Example } from '../../src/schemas/datasets.js';
import type { VersionManifest } from '../../src/schemas/versions.js';
import { FileStorage } from '../../src/storage/file-storage.js';
import { zip } from '../helpers/archives.js';
import { datasetsIn, images } from '../helpers/datasets.js';
import { jobRecord, jobResult } from '../helpers/jobs.js';

const rootstock = await new EmbeddedBackbones({ folder: join(PACKAGE_ROOT, 'models') }).card('rootstock_s');
const DAY_MS = 24 * 3600 * 1000;

/** A data folder with a data set, a job that ended with version 1 under the alias `production`, and one that waits. */
async function soundFolder(t: Test) {
  const root = t.testdir();
  const { create } = datasetsIn(root);
  const data = join(root, 'data');
  const storage = new FileStorage({ root: data });
  const registry = new Registry({ storage });
  const store = new JobStore({ storage });
  // `cover.png` gets no label: its bytes lie in the pack, and no row names them.
  const files = await images('cat/1.png', 'cover.png', 'cat/2.png', 'dog/1.png', 'dog/2.png');
  const { id: dataset } = await create(zip(files));
  const embedded = new EmbeddedBackbones({ folder: join(PACKAGE_ROOT, 'models') });
  const installed = new InstalledBackbones({ storage, folder: join(root, 'cache') });
  const publish = (job: string, card = rootstock) =>
    registry.publish({
      tenant: 'default',
      job,
      model: 'cats',
      manifest: {
        model: 'cats',
        job,
        dataset,
        backbone: { id: card.id, sha256: card.sha256, dimensions: card.features.dimensions },
        head: 'linear',
        labels: ['cat', 'dog'],
        accuracy: null,
        description: null,
        digest: job,
      },
      files: new Map([
        ['labels.json', '["cat","dog"]'],
        ['head/weights.bin', `weights of ${job}`],
      ]),
    });
  const record = jobRecord({ dataset });
  await store.create(record);
  const { version } = await publish(record.id);
  await store.finish(record, jobResult('succeeded', { output: { version, accuracy: null } }));
  await store.settle(record, [{ seq: 1, at: record.created_at, type: 'succeeded', message: '', data: {} }]);
  await registry.setAlias({ tenant: 'default', model: 'cats', alias: 'production', version, by: 'local' });
  const waiting = jobRecord({ dataset });
  await store.create(waiting);
  const check = async (options: { repair?: boolean; olderThanMs?: number } = {}) =>
    checkData({
      storage,
      maintenance: storage,
      backbones: sourcesInOrder([installed, embedded]),
      repair: false,
      olderThanMs: DAY_MS,
      ...options,
    });
  const home = 'tenants/default';
  const paths = {
    dataset: `${home}/datasets/${dataset}`,
    version: `${home}/models/cats/versions/1`,
    manifest: `${home}/models/cats/published/1.json`,
    job: `${home}/jobs/${record.id}`,
    waiting: `${home}/jobs/${waiting.id}`,
    aliases: `${home}/models/cats/aliases`,
  };
  return {
    root,
    data,
    storage,
    registry,
    store,
    installed,
    check,
    publish,
    record,
    waiting,
    paths,
    path: (key: string) => join(data, key),
  };
}

/** Install a backbone, of which nothing is run. */
async function install(installed: InstalledBackbones) {
  const bytes = 'network';
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  const card = { ...rootstock, id: 'tiny', sha256, bytes: bytes.length };
  await installed.install({ card, files: new Map([['model.onnx', bytes]]) });
  return card;
}

type Folder = Awaited<ReturnType<typeof soundFolder>>;

/** Make files look as if they were written two days ago. */
async function age(path: string): Promise<void> {
  const then = new Date(Date.now() - 2 * DAY_MS);
  const below = await readdir(path, { recursive: true }).catch(() => []);
  for (const name of below) await utimes(join(path, name), then, then);
  await utimes(path, then, then);
}

const kinds = (findings: Finding[]) => findings.map(({ kind }) => kind);

t.test('a sound folder is sound, and everything in it was looked at', async (t) => {
  const { check } = await soundFolder(t);
  t.same(await check({ olderThanMs: 0 }), {
    checked: { tenants: 1, datasets: 1, examples: 4, versions: 1, files: 2, jobs: 2, backbones: 0 },
    findings: [],
  });
});

const damage: Record<string, { kind: FindingKind; says: RegExp; damage: (folder: Folder) => Promise<unknown> }> = {
  'a byte of an image': {
    kind: 'dataset_damaged',
    says: /"dog\/2\.png".* restore the folder from a backup/,
    damage: async ({ path, paths }) => {
      const pack = await readFile(path(`${paths.dataset}/pack`));
      pack[pack.length - 3]! ^= 1;
      await writeFile(path(`${paths.dataset}/pack`), pack);
    },
  },
  'the end of a pack': {
    kind: 'dataset_damaged',
    says: /pack is cut off: 1 examples are missing/,
    damage: async ({ path, paths }) => {
      const { length } = await readFile(path(`${paths.dataset}/pack`));
      await truncate(path(`${paths.dataset}/pack`), length - 1);
    },
  },
  'bytes behind the contents': {
    kind: 'dataset_damaged',
    says: /pack has \d+ bytes where the manifest counts \d+/,
    damage: ({ path, paths }) => appendFile(path(`${paths.dataset}/pack`), 'more'),
  },
  'a missing pack': {
    kind: 'dataset_damaged',
    says: /pack is missing/,
    damage: ({ path, paths }) => rm(path(`${paths.dataset}/pack`)),
  },
  'a missing index': {
    kind: 'dataset_damaged',
    says: /index\.ndjson is missing/,
    damage: ({ path, paths }) => rm(path(`${paths.dataset}/index.ndjson`)),
  },
  'an index that names fewer examples': {
    kind: 'dataset_damaged',
    says: /names 3 examples where the manifest counts 4/,
    damage: async ({ path, paths }) => {
      const lines = (await readFile(path(`${paths.dataset}/index.ndjson`), 'utf8')).split('\n');
      await writeFile(path(`${paths.dataset}/index.ndjson`), lines.slice(0, 3).join('\n'));
    },
  },
  'an index that points elsewhere': {
    kind: 'dataset_damaged',
    says: /do not fit together/,
    damage: async ({ path, paths }) => {
      const lines = (await readFile(path(`${paths.dataset}/index.ndjson`), 'utf8')).split('\n').filter(Boolean);
      const examples = lines.map((line) => JSON.parse(line) as Example);
      examples[1]!.offset += 1;
      await writeFile(
        path(`${paths.dataset}/index.ndjson`),
        examples.map((example) => JSON.stringify(example)).join('\n'),
      );
    },
  },
  'a manifest of a data set that is half there': {
    kind: 'dataset_damaged',
    says: /manifest\.json is not valid \(it is not JSON\)/,
    damage: ({ path, paths }) => truncate(path(`${paths.dataset}/manifest.json`), 20),
  },
  'a manifest of a version with another type': {
    kind: 'version_damaged',
    says: /its manifest is not valid \(\/labels/,
    damage: async ({ path, paths }) => {
      const manifest = JSON.parse(await readFile(path(paths.manifest), 'utf8')) as VersionManifest;
      await writeFile(path(paths.manifest), JSON.stringify({ ...manifest, labels: 'cat' }));
    },
  },
  'a byte of a file of a version': {
    kind: 'version_damaged',
    says: /Version 1 of 'cats': .* does not have its digest\. Restore .* or train again/,
    damage: async ({ path, paths }) => {
      const [name] = await readdir(path(`${paths.version}/files`));
      await writeFile(path(`${paths.version}/files/${name}`), 'other bytes');
    },
  },
  'a missing file of a version': {
    kind: 'version_damaged',
    says: /is missing\. Restore/,
    damage: async ({ path, paths }) => {
      const [name] = await readdir(path(`${paths.version}/files`));
      await rm(path(`${paths.version}/files/${name}`));
    },
  },
  'a manifest in the place of another': {
    kind: 'version_damaged',
    says: /its manifest is that of version 7 of 'cats'/,
    damage: async ({ path, paths }) => {
      const manifest = JSON.parse(await readFile(path(paths.manifest), 'utf8')) as VersionManifest;
      await writeFile(path(paths.manifest), JSON.stringify({ ...manifest, version: 7 }));
    },
  },
  'a record of a job that is half there': {
    kind: 'job_damaged',
    says: /job\.json is not valid/,
    damage: ({ path, paths }) => truncate(path(`${paths.job}/job.json`), 10),
  },
  'a missing record': {
    kind: 'job_damaged',
    says: /job\.json is missing/,
    damage: ({ path, paths }) => rm(path(`${paths.job}/job.json`)),
  },
  'a result of no known status': {
    kind: 'job_damaged',
    says: /result\.json is not valid \(\/status/,
    damage: ({ path, paths }) =>
      writeFile(path(`${paths.job}/result.json`), '{"status":"done","finished_at":"2026-11-21T08:00:00Z"}'),
  },
  'events that are cut off': {
    kind: 'job_damaged',
    says: /events\.ndjson cannot be read/,
    damage: ({ path, paths }) => truncate(path(`${paths.job}/events.ndjson`), 5),
  },
  'the backbone of a version, which was removed': {
    kind: 'backbone_missing',
    says: /Version 2 of 'cats' .* 'tiny' .*not installed: it cannot answer.* pull tiny/,
    damage: async ({ publish, waiting, installed }) => {
      const card = await install(installed);
      await publish(waiting.id, card);
      await installed.remove('tiny');
    },
  },
  'the backbone of a version, in whose place is another': {
    kind: 'backbone_missing',
    says: /Version 2 of 'cats' .*another file is installed/,
    damage: async ({ publish, waiting, installed }) => {
      await publish(waiting.id, { ...(await install(installed)), sha256: 'a'.repeat(64) });
    },
  },
  'a byte of a backbone': {
    kind: 'backbone_damaged',
    says: /'tiny': model\.onnx does not have its digest\. Remove it and install the same one again/,
    damage: async ({ path, installed }) => {
      const { sha256 } = await install(installed);
      await writeFile(path(`backbones/tiny/files/${sha256}`), 'N');
    },
  },
  'a missing file of a backbone': {
    kind: 'backbone_damaged',
    says: /'tiny': model\.onnx is missing/,
    damage: async ({ path, installed }) => {
      const { sha256 } = await install(installed);
      await rm(path(`backbones/tiny/files/${sha256}`));
    },
  },
  'the card of a backbone that a version needs': {
    kind: 'backbone_damaged',
    says: /'tiny': card\.json is not valid \(it is not JSON\)/,
    damage: async ({ path, publish, waiting, installed }) => {
      await publish(waiting.id, await install(installed));
      await truncate(path('backbones/tiny/card.json'), 10);
    },
  },
  'the choice of the default backbone, cut off': {
    kind: 'default_backbone_lost',
    says: /It cannot be read\. Choose again: .*--default/,
    damage: ({ path }) => writeFile(path('default-backbone.json'), '{"format":1,"backb'),
  },
  'the default backbone itself': {
    kind: 'default_backbone_lost',
    says: /want 'gone', which is not installed\. Choose again/,
    damage: ({ path }) => writeFile(path('default-backbone.json'), '{"format":1,"backbone":"gone"}'),
  },
  'the data set of a job that waits': {
    kind: 'job_dataset_missing',
    says: /it will fail\. Restore the data set, or cancel the job/,
    damage: ({ path, paths }) => rm(path(paths.dataset), { recursive: true }),
  },
};

for (const [what, { kind, says, damage: harm }] of Object.entries(damage)) {
  t.test(`damage to ${what} is found and left as it is`, async (t) => {
    const folder = await soundFolder(t);
    await harm(folder);
    const { findings } = await folder.check({ repair: true, olderThanMs: 0 });
    t.same(kinds(findings), [kind]);
    t.match(findings[0], { severity: 'damage', message: says, repaired: null });
    t.same(kinds((await folder.check({ olderThanMs: 0 })).findings), [kind], 'repairing did not hide it');
  });
}

t.test('a version that its job published and that is gone is lost; so is the alias that points at it', async (t) => {
  const { check, path, paths } = await soundFolder(t);
  await rm(path(paths.manifest));
  const { findings } = await check({ repair: true, olderThanMs: 0 });
  t.same(kinds(findings), ['version_lost', 'alias_dangling']);
  t.match(findings[1]!.message, /'production' of 'cats' points at version 1, which is not there/);
  t.equal((await readdir(path(`${paths.version}/files`))).length, 2, 'what is left of it is kept');
});

/** What --repair puts right: found first and left alone, then repaired, then gone. */
const mendable: Record<
  string,
  {
    kind: FindingKind;
    spoil: (folder: Folder) => Promise<unknown>;
    after?: (t: Test, folder: Folder) => Promise<unknown>;
  }
> = {
  'a job that was accepted and forgotten': {
    kind: 'job_forgotten',
    spoil: ({ data, waiting }) => rm(join(data, 'pending', `${waiting.id}.default`)),
    after: async (t, { store, waiting }) => t.same(await store.pending(), [{ id: waiting.id, tenant: 'default' }]),
  },
  'a version without its claim': {
    kind: 'claim_missing',
    spoil: ({ path, paths }) => rm(path(`${paths.version}/claim.json`)),
    after: async (t, { registry, publish }) => {
      t.equal((await publish(newId('job'))).version, 2, 'its number is not given away');
      t.same(await registry.versions('default', 'cats'), [2, 1]);
    },
  },
  'aliases that cannot be read': {
    kind: 'aliases_unreadable',
    spoil: async ({ path, paths }) => {
      await mkdir(path(paths.aliases), { recursive: true });
      await writeFile(path(`${paths.aliases}/000000002.json`), '{"aliases":[["prod');
    },
    after: async (t, { registry, data, paths }) => {
      const { aliases } = await registry.aliases('default', 'cats');
      t.same([...aliases], [['production', 1]], 'the revision before holds');
      const kept = await readFile(join(data, 'quarantine', paths.aliases, '000000002.json'), 'utf8');
      t.equal(kept, '{"aliases":[["prod', 'what was there is put aside');
    },
  },
  'an upload that never ended': {
    kind: 'dataset_unfinished',
    spoil: async ({ path }) => {
      const folder = path(`tenants/default/datasets/${newId('ds')}`);
      await mkdir(folder);
      await writeFile(join(folder, 'pack'), 'bytes');
      await age(folder);
    },
  },
  'files of a version that was never published': {
    kind: 'version_unfinished',
    spoil: async ({ path }) => {
      const folder = path('tenants/default/models/cats/versions/2');
      await mkdir(join(folder, 'files'), { recursive: true });
      await writeFile(join(folder, 'claim.json'), JSON.stringify({ job: newId('job') }));
      await writeFile(join(folder, 'files', 'a'.repeat(64)), 'bytes');
      await age(folder);
    },
    after: async (t, { publish }) => t.equal((await publish(newId('job'))).version, 3, 'the number stays taken'),
  },
  'a file that a version does not name': {
    kind: 'file_unnamed',
    spoil: async ({ path, paths }) => {
      await writeFile(path(`${paths.version}/files/${'b'.repeat(64)}`), 'bytes');
      await age(path('tenants/default/models/cats'));
    },
  },
  'a deletion that did not end': {
    kind: 'version_half_deleted',
    spoil: async ({ path, publish, waiting }) => {
      await publish(waiting.id);
      const folder = path('tenants/default/models/cats/versions/2');
      await writeFile(join(folder, 'deleted.json'), '{}');
      await age(folder);
    },
    after: async (t, { registry }) => t.same(await registry.versions('default', 'cats'), [1]),
  },
  'the deletion of a job that did not end': {
    kind: 'job_half_deleted',
    spoil: async ({ path, paths }) => {
      await writeFile(path(`${paths.job}/deleted.json`), '{}');
      await rm(path(`${paths.job}/job.json`));
      await rm(path(`${paths.job}/result.json`));
      await age(path(paths.job));
    },
    after: async (t, { store, waiting }) => t.same(await store.list('default'), [waiting.id]),
  },
  'a deletion that was given up because of an alias': {
    kind: 'version_half_deleted',
    spoil: async ({ path, paths }) => {
      await writeFile(path(`${paths.version}/deleted.json`), '{}');
      await age(path(paths.version));
    },
    after: async (t, { registry }) => t.same(await registry.versions('default', 'cats'), [1], 'the version stays'),
  },
  'files of a backbone that was never fully installed': {
    kind: 'backbone_unfinished',
    spoil: async ({ path }) => {
      await mkdir(path('backbones/tiny/files'), { recursive: true });
      await writeFile(path(`backbones/tiny/files/${'a'.repeat(64)}`), 'bytes');
      await age(path('backbones/tiny'));
    },
    after: async (t, { installed }) => t.same((await install(installed)).id, 'tiny', 'it can be installed'),
  },
  'a file that a backbone does not name': {
    kind: 'file_unnamed',
    spoil: async ({ path, installed }) => {
      await install(installed);
      await writeFile(path(`backbones/tiny/files/${'b'.repeat(64)}`), 'bytes');
      await age(path('backbones/tiny'));
    },
    after: async (_t, { installed }) => installed.verify('tiny'),
  },
  'a mark without a job': {
    kind: 'mark_without_job',
    spoil: async ({ data }) => {
      const mark = join(data, 'pending', `${newId('job')}.default`);
      await writeFile(mark, '');
      await age(mark);
    },
  },
  'an Idempotency-Key without its job': {
    kind: 'idempotency_key_unused',
    spoil: async ({ path }) => {
      const folder = path('tenants/default/idempotency');
      await mkdir(folder);
      await writeFile(join(folder, 'c'.repeat(64)), JSON.stringify({ job: newId('job'), fingerprint: '' }));
      await age(folder);
    },
  },
  'an archive that no job will read': {
    kind: 'upload_unneeded',
    spoil: async ({ path }) => {
      const folder = path(`tenants/default/uploads/${newId('ds')}`);
      await mkdir(folder, { recursive: true });
      await writeFile(join(folder, '0'), 'bytes');
      await age(folder);
    },
  },
  'a half-written file': {
    kind: 'temporary_leftover',
    spoil: async ({ data }) => {
      await writeFile(join(data, '.tmp', 'left'), 'half');
      await age(join(data, '.tmp'));
    },
  },
};

for (const [what, { kind, spoil, after }] of Object.entries(mendable)) {
  t.test(`${what} is found, and put right when asked`, async (t) => {
    const folder = await soundFolder(t);
    await spoil(folder);
    const found = (await folder.check()).findings;
    t.same(kinds(found), [kind]);
    t.equal(found[0]!.repaired, null);
    t.same(kinds((await folder.check()).findings), [kind], 'looking changes nothing');
    const [repaired] = (await folder.check({ repair: true })).findings;
    t.equal(repaired!.kind, kind);
    t.match(repaired!.repaired, /^(It|The|Its) .*\.?$/, 'what was done is said');
    t.same((await folder.check({ olderThanMs: 0 })).findings, [], 'then all is well');
    await after?.(t, folder);
  });
}

t.test('what is under way is left alone: it is young', async (t) => {
  const { check, path, data } = await soundFolder(t);
  const upload = path(`tenants/default/datasets/${newId('ds')}`);
  await mkdir(upload);
  await writeFile(join(upload, 'pack'), 'bytes');
  const version = path('tenants/default/models/cats/versions/2');
  await mkdir(join(version, 'files'), { recursive: true });
  await writeFile(join(version, 'claim.json'), JSON.stringify({ job: newId('job') }));
  await writeFile(join(version, 'files', 'a'.repeat(64)), 'bytes');
  await writeFile(join(data, 'pending', `${newId('job')}.default`), '');
  await writeFile(join(data, '.tmp', 'upload'), 'half');
  await mkdir(path('backbones/tiny/files'), { recursive: true });
  await writeFile(path(`backbones/tiny/files/${'a'.repeat(64)}`), 'bytes');
  t.same((await check({ repair: true })).findings, []);
  t.equal((await readFile(join(upload, 'pack'), 'utf8')) + (await readdir(join(version, 'files'))).length, 'bytes1');
});

t.test('what is not ours is named and never touched', async (t) => {
  const { check, path } = await soundFolder(t);
  for (const key of [
    'tenants/default/jobs/readme',
    'tenants/default/datasets/x',
    'tenants/default/notes',
    'backbones/X',
  ]) {
    await mkdir(path(key), { recursive: true });
    await writeFile(join(path(key), 'file'), 'kept');
  }
  const { findings } = await check({ repair: true, olderThanMs: 0 });
  t.same(kinds(findings), ['unknown_file', 'unknown_file', 'unknown_file', 'unknown_file']);
  t.equal(await readFile(join(path('tenants/default/notes'), 'file'), 'utf8'), 'kept');
});

t.test('npm run fsck: sentences, a file for programs, and 0, 1 or 2', async (t) => {
  const { root, data, path, paths } = await soundFolder(t);
  const fsck = (args: string[] = [], dataDir = data) => {
    const { status, stdout, stderr } = spawnSync(
      process.execPath,
      [join(PACKAGE_ROOT, 'build', 'src', 'bin', 'fsck.js'), ...args],
      { env: { ...process.env, NODE_OPTIONS: '', DATA_DIR: dataDir }, encoding: 'utf8' },
    );
    return { status, stdout, stderr };
  };
  t.match(fsck(), {
    status: 0,
    stdout: /Checked 1 data sets with 4 examples, 1 versions with 2 files, 2 jobs, 0 installed backbones: all is well/,
  });
  await writeFile(join(data, '.tmp', 'left'), 'half');
  await age(join(data, '.tmp'));
  t.match(fsck(), { status: 1, stdout: /1 left to do\. `npm run fsck -- --repair` puts right/ });
  t.match(fsck(['--repair']), { status: 0, stdout: /1 put right/ });
  t.match(fsck(), { status: 0 });
  await rm(path(`${paths.dataset}/pack`));
  const json = join(root, 'report.json');
  t.match(fsck(['--repair', '--json', json]), {
    status: 1,
    stdout: /^damage \(dataset_damaged\) in .*pack is missing/,
  });
  t.match(JSON.parse(await readFile(json, 'utf8')), { findings: [{ kind: 'dataset_damaged', repaired: null }] });
  t.match(fsck([], join(root, 'nowhere')), { status: 2, stderr: /There is no data folder/ });
  t.match(fsck(['--repare']), { status: 2, stderr: /Usage: npm run fsck/ });
  t.match(fsck(['--older-than', 'soon']), { status: 2, stderr: /expected a number of hours/ });
});
