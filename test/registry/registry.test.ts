import { setImmediate as turn } from 'node:timers/promises';
import t from 'tap';
import { AppError } from '../../src/errors.js';
import { type Publication, Registry } from '../../src/registry/registry.js';
import type { Storage } from '../../src/storage/contract.js';
import { counting } from '../helpers/counting-storage.js';
import { DRIVERS } from '../helpers/storages.js';

function publication(job: string, change: Partial<Publication> = {}): Publication {
  const model = change.model ?? 'cats';
  return {
    tenant: 'default',
    job,
    model,
    manifest: {
      model,
      job,
      dataset: 'ds_00000000000000000000000000',
      backbone: { id: 'rootstock_s', sha256: '0'.repeat(64), dimensions: 4 },
      head: 'linear',
      labels: ['cat', 'dog'],
      accuracy: 0.9,
      description: null,
      digest: job,
    },
    files: new Map<string, Uint8Array | string>([
      ['labels.json', '["cat","dog"]'],
      ['head/weights.bin', Buffer.from(`weights of ${job}`)],
    ]),
    ...change,
  };
}

function registryOn(storage: Storage) {
  return { storage, registry: new Registry({ storage }) };
}

async function names(registry: Registry, tenant: string): Promise<string[]> {
  return (await registry.models(tenant, { limit: 100 })).data.map(({ name }) => name);
}

/** A storage that waits before a put or delete whose key fits, until it is let go. */
function heldAt(storage: Storage, key: RegExp) {
  let release!: () => void;
  let reached!: () => void;
  const released = new Promise<void>((resolve) => {
    release = resolve;
  });
  const arrival = new Promise<void>((resolve) => {
    reached = resolve;
  });
  const pause = async (at: string) => {
    if (!key.test(at)) return;
    reached();
    await released;
  };
  const held = {
    get: storage.get.bind(storage),
    head: storage.head.bind(storage),
    list: storage.list.bind(storage),
    put: async (...args: Parameters<Storage['put']>) => {
      await pause(args[0]);
      return storage.put(...args);
    },
    delete: async (at: string) => {
      await pause(at);
      return storage.delete(at);
    },
  };
  return { registry: new Registry({ storage: held }), release, arrival };
}

for (const [which, make] of Object.entries(DRIVERS)) {
  t.test(which, async (t) => {
    t.test('publishing twice for one job gives one version', async (t) => {
      const { registry } = registryOn(make(t));
      const first = await registry.publish(publication('a'));
      const second = await registry.publish(publication('a'));
      t.equal(first.version, 1);
      t.same(second, first);
      t.same(await registry.versions('default', 'cats'), [1]);
      t.same(await registry.publishedBy('default', 'cats', 'a'), first);
      t.equal(await registry.publishedBy('default', 'cats', 'b'), undefined);
    });

    t.test('ten jobs that publish at once get the numbers one to ten', async (t) => {
      const { storage } = registryOn(make(t));
      const jobs = Array.from({ length: 10 }, (_, i) => `job-${i}`);
      // Each with a registry of its own, as in ten processes.
      const manifests = await Promise.all(jobs.map((job) => new Registry({ storage }).publish(publication(job))));
      const registry = new Registry({ storage });
      t.same(
        manifests.map(({ version }) => version).sort((a, b) => a - b),
        [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
      );
      for (const { version, job } of manifests) {
        t.equal((await registry.resolve('default', 'cats', { version })).job, job, `version ${version} is its job's`);
      }
    });

    t.test('attempts of one job that publish at once end with one manifest, and all answer with it', async (t) => {
      const { registry } = registryOn(make(t));
      for (const round of [1, 2, 3]) {
        const attempts = await Promise.all(
          Array.from({ length: 4 }, () => registry.publish(publication(`job-${round}`))),
        );
        for (const manifest of attempts) t.same(manifest, attempts[0]);
        t.equal((await registry.versions('default', 'cats')).length, round);
      }
    });

    t.test('a version without a manifest is not there, and its number stays taken', async (t) => {
      const { registry, storage } = registryOn(make(t));
      await registry.publish(publication('a'));
      await registry.publish(publication('dies'));
      await storage.delete('tenants/default/models/cats/published/2.json');
      t.same(await registry.versions('default', 'cats'), [1]);
      t.equal((await registry.resolve('default', 'cats', 'latest')).version, 1);
      await t.rejects(registry.resolve('default', 'cats', { version: 2 }), { code: 'version_not_found' });
      t.equal((await registry.publish(publication('b'))).version, 3);
      t.equal((await registry.publish(publication('dies'))).version, 2, 'the job itself may still finish');
    });

    t.test('a model without any version is not there', async (t) => {
      const { registry, storage } = registryOn(make(t));
      await registry.publish(publication('a'));
      await storage.delete('tenants/default/models/cats/published/1.json');
      t.same(await names(registry, 'default'), []);
      for (const reference of ['latest', { version: 1 }, { alias: 'production' }] as const) {
        await t.rejects(registry.resolve('default', 'cats', reference), { code: 'model_not_found' });
      }
    });

    t.test('a deleted version is gone and its number is never used again', async (t) => {
      const { registry } = registryOn(make(t));
      await registry.publish(publication('a'));
      await registry.publish(publication('b'));
      await registry.deleteVersion('default', 'cats', 2);
      t.same(await registry.versions('default', 'cats'), [1]);
      await t.rejects(registry.deleteVersion('default', 'cats', 2), { code: 'version_not_found' });
      t.equal((await registry.publish(publication('c'))).version, 3);
    });

    t.test('an attempt that comes after its version was deleted does not bring it back', async (t) => {
      const { registry } = registryOn(make(t));
      await registry.publish(publication('a'));
      await registry.publish(publication('b'));
      await registry.deleteVersion('default', 'cats', 2);
      await t.rejects(registry.publish(publication('b')), { code: 'version_not_found' });
      t.same(await registry.versions('default', 'cats'), [1]);
    });

    t.test('a job whose model was deleted meanwhile never answers with the version of another job', async (t) => {
      const { registry, storage } = registryOn(make(t));
      await registry.publish(publication('a'));
      await registry.publish(publication('slow'));
      await storage.delete('tenants/default/models/cats/published/2.json'); // it died before it had published
      await registry.deleteModel('default', 'cats', 'local');
      t.same(await names(registry, 'default'), []);
      t.equal((await registry.publish(publication('b'))).version, 3);
      t.equal((await registry.publish(publication('c'))).version, 4);
      t.equal(await registry.publishedBy('default', 'cats', 'slow'), undefined);
      const slow = await registry.publish(publication('slow'));
      t.equal(slow.job, 'slow');
      t.equal(slow.version, 2);
      t.equal((await registry.publishedBy('default', 'cats', 'slow'))?.version, 2);
      t.equal((await registry.resolve('default', 'cats', { version: 4 })).job, 'c');
    });

    t.test(
      'what the attempts of a job that has ended left behind is taken away; what is published stays',
      async (t) => {
        const { registry, storage } = registryOn(make(t));
        await registry.publish(publication('a'));
        await storage.put('tenants/default/models/cats/versions/1/files/of-another-attempt', 'x');
        await registry.publish(publication('b'));
        await storage.delete('tenants/default/models/cats/published/2.json');
        const settle = (job: string, succeeded: boolean) =>
          registry.settle({ tenant: 'default', model: 'cats', job, succeeded });
        await settle('a', true);
        await settle('b', false);
        await settle('never-started', false);
        const files = (version: number) => storage.list(`tenants/default/models/cats/versions/${version}/files`);
        t.same(
          (await files(1)).sort(),
          (await registry.resolve('default', 'cats', 'latest')).files.map((f) => f.sha256).sort(),
        );
        t.same(await files(2), []);
        for (const job of ['b', 'never-started']) {
          await t.rejects(
            registry.publish(publication(job)),
            { code: 'version_not_found' },
            'and a late attempt publishes nothing',
          );
          await settle(job, false);
        }
        t.same(await registry.versions('default', 'cats'), [1]);
        t.equal((await registry.publish(publication('c'))).version, 3);
      },
    );

    t.test('a job that ends while a late attempt publishes has no version in the end', async (t) => {
      const { storage } = registryOn(make(t));
      const counts = { before: 0, after: 0 };
      // At each call of the late attempt in turn, the job is settled just before it.
      for (let at = 1; at <= 40; at += 1) {
        const job = `late-${at}`;
        let calls = 0;
        const settling = new Registry({ storage });
        const slow = new Proxy(storage, {
          get:
            (target, name: keyof Storage) =>
            async (...args: never[]) => {
              calls += 1;
              if (calls === at) await settling.settle({ tenant: 'default', model: 'cats', job, succeeded: false });
              return (target[name] as (...args: never[]) => unknown).apply(target, args);
            },
        });
        const told = await new Registry({ storage: slow }).publish(publication(job)).catch((error: AppError) => error);
        if (calls >= at) counts.before += 1;
        else {
          t.equal((told as { job: string }).job, job, 'it was published before the job ended');
          await settling.settle({ tenant: 'default', model: 'cats', job, succeeded: false });
          counts.after += 1;
        }
        t.equal(await settling.publishedBy('default', 'cats', job), undefined);
      }
      t.ok(counts.before > 5 && counts.after > 5, `${counts.before} calls met, ${counts.after} after the end`);
      t.same(await new Registry({ storage }).versions('default', 'cats'), []);
    });

    t.test('an alias points where it was set; setting it again rolls back and says what it was', async (t) => {
      const { registry } = registryOn(make(t));
      await registry.publish(publication('a'));
      await registry.publish(publication('b'));
      const set = (version: number | null) =>
        registry.setAlias({ tenant: 'default', model: 'cats', alias: 'production', version, by: 'local' });
      t.same(await set(1), { previous: null });
      t.same(await set(2), { previous: 1 });
      t.equal((await registry.resolve('default', 'cats', { alias: 'production' })).version, 2);
      t.same(await set(1), { previous: 2 });
      t.equal((await registry.resolve('default', 'cats', { alias: 'production' })).job, 'a');
      t.same(await set(null), { previous: 1 });
      await t.rejects(registry.resolve('default', 'cats', { alias: 'production' }), { code: 'alias_not_found' });
      await t.rejects(set(null), { code: 'alias_not_found' });
      await t.rejects(set(9), { code: 'version_not_found' });
    });

    t.test('of twenty writers that expect the same, exactly one changes the alias', async (t) => {
      const { registry } = registryOn(make(t));
      await registry.publish(publication('a'));
      await registry.publish(publication('b'));
      await registry.setAlias({ tenant: 'default', model: 'cats', alias: 'production', version: 1, by: 'local' });
      const outcomes = await Promise.allSettled(
        Array.from({ length: 20 }, () =>
          registry.setAlias({
            tenant: 'default',
            model: 'cats',
            alias: 'production',
            version: 2,
            expected: 1,
            by: 'local',
          }),
        ),
      );
      t.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1);
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected') t.match(outcome.reason, { code: 'alias_conflict', details: { current: 2 } });
      }
      t.equal((await registry.aliases('default', 'cats')).revision, 2);
    });

    t.test('writers of different aliases at once all succeed, and none is lost', async (t) => {
      const { registry } = registryOn(make(t));
      await registry.publish(publication('a'));
      const names = Array.from({ length: 30 }, (_, i) => `alias-${i}`);
      await Promise.all(
        names.map((alias) => registry.setAlias({ tenant: 'default', model: 'cats', alias, version: 1, by: 'local' })),
      );
      const { aliases } = await registry.aliases('default', 'cats');
      t.same([...aliases.keys()].sort(), [...names].sort());
    });

    t.test('a version that an alias points at cannot be deleted; its aliases are named', async (t) => {
      const { registry } = registryOn(make(t));
      await registry.publish(publication('a'));
      await registry.setAlias({ tenant: 'default', model: 'cats', alias: 'production', version: 1, by: 'local' });
      await t.rejects(registry.deleteVersion('default', 'cats', 1), {
        code: 'version_in_use',
        details: { aliases: ['production'] },
      });
      await registry.setAlias({ tenant: 'default', model: 'cats', alias: 'production', version: null, by: 'local' });
      await t.resolves(registry.deleteVersion('default', 'cats', 1));
    });

    t.test('files are read whole and checked; a damaged or missing one is version_damaged', async (t) => {
      const { registry, storage } = registryOn(make(t));
      const manifest = await registry.publish(publication('a'));
      t.equal((await registry.read('default', manifest, 'head/weights.bin')).toString(), 'weights of a');
      const folder = 'tenants/default/models/cats/versions/1/files';
      t.equal((await storage.list(folder)).length, 2);
      const [labels, weights] = manifest.files.map(({ sha256 }) => `${folder}/${sha256}`) as [string, string];
      await storage.put(weights, 'weights of X');
      await t.rejects(registry.read('default', manifest, 'head/weights.bin'), { code: 'version_damaged' });
      await storage.delete(labels);
      await t.rejects(registry.read('default', manifest, 'labels.json'), { code: 'version_damaged' });
      await t.rejects(registry.open('default', manifest, 'no/such/file'), { code: 'version_damaged' });
    });

    t.test('two tenants may use the same names and never meet', async (t) => {
      const { registry } = registryOn(make(t));
      await registry.publish(publication('a', { tenant: 'ada' }));
      await registry.publish(publication('b', { tenant: 'bob' }));
      await registry.publish(publication('c', { tenant: 'bob', model: 'dogs' }));
      t.equal((await registry.resolve('ada', 'cats', 'latest')).job, 'a');
      t.equal((await registry.resolve('bob', 'cats', 'latest')).job, 'b');
      t.same(await names(registry, 'ada'), ['cats']);
      t.same(await names(registry, 'bob'), ['cats', 'dogs']);
      await registry.setAlias({ tenant: 'bob', model: 'cats', alias: 'production', version: 1, by: 'local' });
      await t.rejects(registry.resolve('ada', 'cats', { alias: 'production' }), AppError);
      await registry.deleteModel('bob', 'cats', 'local');
      t.equal((await registry.resolve('ada', 'cats', 'latest')).version, 1);
      await t.rejects(registry.resolve('ada', 'dogs', 'latest'), { code: 'model_not_found' });
    });

    t.test('a writer that was held up while the alias changed many times does not lose its change', async (t) => {
      const storage = make(t);
      const registry = new Registry({ storage });
      await registry.publish(publication('a'));
      await registry.publish(publication('b'));
      const set = (through: Registry, alias: string, version: number) =>
        through.setAlias({ tenant: 'default', model: 'cats', alias, version, by: 'local' });
      let [goOn, arrived] = [() => {}, () => {}];
      const held = new Promise<void>((resolve) => {
        goOn = resolve;
      });
      const waiting = new Promise<void>((resolve) => {
        arrived = resolve;
      });
      const slowStorage = new Proxy(storage, {
        get(target, name: keyof Storage) {
          const method = target[name].bind(target) as (...args: unknown[]) => unknown;
          return async (...args: unknown[]) => {
            if (name === 'put') {
              arrived();
              await held;
            }
            return method(...args);
          };
        },
      });
      const slow = set(new Registry({ storage: slowStorage }), 'slow', 2);
      await waiting;
      for (let i = 0; i < 25; i += 1) await set(registry, 'fast', 1 + (i % 2));
      goOn();
      await slow;
      t.same(Object.fromEntries((await registry.aliases('default', 'cats')).aliases), { fast: 1, slow: 2 });
    });

    t.test('numbers of a deleted model are not used again: clients may keep their files for a year', async (t) => {
      const { registry } = registryOn(make(t));
      await registry.publish(publication('a'));
      await registry.publish(publication('b'));
      await registry.setAlias({ tenant: 'default', model: 'cats', alias: 'production', version: 1, by: 'local' });
      await registry.deleteModel('default', 'cats', 'local');
      t.same(await names(registry, 'default'), []);
      await t.rejects(registry.resolve('default', 'cats', 'latest'), { code: 'model_not_found' });
      await t.rejects(registry.resolve('default', 'cats', { alias: 'production' }), { code: 'model_not_found' });
      await t.rejects(
        registry.publish(publication('b')),
        { code: 'version_not_found' },
        'a late attempt brings nothing back',
      );
      t.equal((await registry.publish(publication('c'))).version, 3);
      await t.rejects(registry.resolve('default', 'cats', { alias: 'production' }), { code: 'alias_not_found' });
    });

    for (const [what, key] of [
      ['just before it writes', /aliases\/0/],
      ['before anything', /nothing/],
    ] as const) {
      t.test(`an alias that is set while its version is deleted never points at nothing (held ${what})`, async (t) => {
        const storage = make(t);
        const { registry, release, arrival } = heldAt(storage, key);
        const other = new Registry({ storage });
        await other.publish(publication('a'));
        await other.publish(publication('b'));
        const setting = registry.setAlias({
          tenant: 'default',
          model: 'cats',
          alias: 'production',
          version: 1,
          by: 'local',
        });
        setting.catch(() => undefined);
        if (key.test('aliases/0')) await arrival;
        const deleting = await other.deleteVersion('default', 'cats', 1).then(
          () => 'deleted',
          (error: AppError) => error.code,
        );
        release();
        const set = await setting.then(
          () => 'set',
          (error: AppError) => error.code,
        );
        const { aliases } = await other.aliases('default', 'cats');
        const versions = await other.versions('default', 'cats');
        t.ok(
          [...aliases.values()].every((version) => versions.includes(version)),
          `${deleting}, ${set}: ${JSON.stringify([...aliases])} of ${versions}`,
        );
        if (key.test('aliases/0')) t.same([deleting, set], ['deleted', 'version_not_found']);
      });
    }

    t.test('a version that gets an alias while it is being deleted stays', async (t) => {
      const storage = make(t);
      const { registry, release, arrival } = heldAt(storage, /deleted\.json/);
      const other = new Registry({ storage });
      await other.publish(publication('a'));
      const deleting = registry.deleteVersion('default', 'cats', 1);
      deleting.catch(() => undefined);
      await arrival;
      await other.setAlias({ tenant: 'default', model: 'cats', alias: 'production', version: 1, by: 'local' });
      release();
      await t.rejects(deleting, { code: 'version_in_use' });
      t.same(await other.versions('default', 'cats'), [1]);
      t.same(await storage.list('tenants/default/models/cats/versions/1'), ['claim.json', 'files']);
    });

    t.test('models come page by page, without those that were deleted', async (t) => {
      const { registry } = registryOn(make(t));
      for (const model of ['a', 'b', 'c', 'd']) {
        const { manifest } = publication(model);
        await registry.publish(publication(model, { model, manifest: { ...manifest, model } }));
      }
      await registry.deleteModel('default', 'b', 'local');
      const page = async (options: { after?: string; limit: number }) => {
        const { data, has_more } = await registry.models('default', options);
        return [...data.map(({ name }) => name), has_more];
      };
      t.same(await page({ limit: 2 }), ['a', 'c', true]);
      t.same(await page({ limit: 3 }), ['a', 'c', 'd', false]);
      t.same(await page({ limit: 1, after: 'a' }), ['c', true]);
      t.same(await page({ limit: 9, after: 'a' }), ['c', 'd', false]);
      t.same(await page({ limit: 9, after: 'd' }), [false]);
      await registry.refuseMoreThan(4, 'default', 'new');
      await registry.refuseMoreThan(3, 'default', 'c');
      await t.rejects(registry.refuseMoreThan(3, 'default', 'new'), { code: 'quota_exceeded' });
    });

    t.test('what another server publishes, deletes or makes anew is answered at once', async (t) => {
      const storage = make(t);
      const [{ registry: one }, { registry: other }] = [registryOn(storage), registryOn(storage)];
      const latest = async () => (await one.resolve('default', 'cats', 'latest')).job;
      await other.publish(publication('a'));
      t.equal(await latest(), 'a');
      t.equal(await latest(), 'a');
      await other.publish(publication('b'));
      t.equal(await latest(), 'b', 'the new version');
      await other.deleteVersion('default', 'cats', 2);
      t.equal(await latest(), 'a', 'the one before the deleted version');
      await t.rejects(one.resolve('default', 'cats', { version: 2 }), { code: 'version_not_found' });
      await other.deleteModel('default', 'cats', 'local');
      await t.rejects(latest(), { code: 'model_not_found' });
      await storage.delete('tenants'); // as if it had never been there: numbers begin anew
      await other.publish(publication('c'));
      t.equal(await latest(), 'c', 'the model that was made anew');
    });

    t.test(
      'what a reference named last is known without storage, and is the same object while nothing has changed',
      async (t) => {
        const { storage, registry } = registryOn(make(t));
        const other = new Registry({ storage });
        t.equal(registry.lastKnown('default', 'cats', 'latest'), undefined, 'nothing was asked yet');
        await other.publish(publication('a'));
        const first = await registry.resolve('default', 'cats', 'latest');
        t.equal(registry.lastKnown('default', 'cats', 'latest'), first);
        t.equal(registry.lastKnown('default', 'cats', { version: 1 }), first);
        t.equal(await registry.resolve('default', 'cats', 'latest'), first);
        t.equal(registry.lastKnown('other', 'cats', 'latest'), undefined, 'another tenant');

        await other.publish(publication('b'));
        t.equal(registry.lastKnown('default', 'cats', 'latest'), first, 'as it was last time');
        t.equal((await registry.resolve('default', 'cats', 'latest')).job, 'b');
        t.equal(registry.lastKnown('default', 'cats', 'latest')?.job, 'b');
      },
    );

    t.test('a revision of the aliases says who wrote it', async (t) => {
      const { registry } = registryOn(make(t));
      t.same(await registry.aliases('default', 'cats'), { revision: 0, by: null, aliases: new Map() });
      await registry.publish(publication('a'));
      const set = (by: string, version: number | null) =>
        registry.setAlias({ tenant: 'default', model: 'cats', alias: 'production', version, by });
      await set('ada', 1);
      t.equal((await registry.aliases('default', 'cats')).by, 'ada');
      await set('bob', null);
      t.equal((await registry.aliases('default', 'cats')).by, 'bob');
    });

    t.test('while a model is deleted its aliases never point where they pointed before', async (t) => {
      const { registry, storage } = registryOn(make(t));
      const other = new Registry({ storage });
      await registry.publish(publication('a'));
      await registry.publish(publication('b'));
      const set = (version: number) =>
        registry.setAlias({ tenant: 'default', model: 'cats', alias: 'production', version, by: 'local' });
      for (const version of [1, 1, 1, 2]) await set(version);
      let done = false;
      const deleting = registry.deleteModel('default', 'cats', 'local').then(() => {
        done = true;
      });
      const seen = new Set<number | undefined>();
      while (!done) {
        seen.add((await other.aliases('default', 'cats')).aliases.get('production'));
        const version = await other.resolve('default', 'cats', { alias: 'production' }).catch(() => undefined);
        if (version) t.equal(version.version, 2);
        await turn();
      }
      await deleting;
      t.notOk(seen.has(1), `it pointed at ${[...seen]}`);
      t.equal((await other.aliases('default', 'cats')).aliases.size, 0);
    });

    t.test('a version that is being deleted is there whole, or not at all', async (t) => {
      const { registry, storage } = registryOn(make(t));
      const other = new Registry({ storage });
      await registry.publish(publication('a'));
      await registry.publish(publication('b'));
      let done = false;
      const deleting = registry.deleteVersion('default', 'cats', 2).then(() => {
        done = true;
      });
      let looked = 0;
      while (!done) {
        looked += 1;
        const manifest = await other.resolve('default', 'cats', { version: 2 }).catch(() => undefined);
        // Whoever has its manifest may still find that a file of it is gone by now; nobody else does.
        for (const { path } of manifest?.files ?? [])
          await other.read('default', manifest!, path).catch(() => undefined);
        const listed = (await other.versions('default', 'cats')).includes(2);
        if (!manifest && listed) t.fail('it is listed after it was gone');
        await turn();
      }
      await deleting;
      t.ok(looked > 0);
      t.same(await other.versions('default', 'cats'), [1]);
      t.same(await storage.list('tenants/default/models/cats/versions/2'), ['claim.json', 'deleted.json']);
    });

    t.test('lists cost one call a row, beside what is read once', async (t) => {
      const { storage, calls } = counting(make(t));
      const registry = new Registry({ storage });
      const rows = 12;
      for (let i = 0; i < rows; i += 1) {
        const model = `m${i}`;
        const { manifest } = publication(model);
        await registry.publish(publication(model, { model, manifest: { ...manifest, model } }));
        await registry.publish(publication(`job-${i}`));
        if (i % 3 === 0) await registry.deleteVersion('default', 'cats', i + 1);
      }
      const costs = async (list: () => Promise<{ data: unknown[] }>) => {
        calls.length = 0;
        const { data } = await list();
        return { rows: data.length, calls: calls.length };
      };
      const fresh = new Registry({ storage });
      const models = () => fresh.models('default', { limit: 100 });
      const versions = () => fresh.listVersions('default', 'cats', { limit: 100 });
      t.same(await costs(models), { rows: rows + 1, calls: 1 + 2 * (rows + 1) }, 'one listing each, and one manifest');
      t.same(await costs(models), { rows: rows + 1, calls: 1 + (rows + 1) }, 'which is read once');
      const left = rows - rows / 3;
      t.same(await costs(versions), { rows: left, calls: 1 + left }, 'one manifest each');
      t.same(await costs(versions), { rows: left, calls: 1 + left });
      calls.length = 0;
      await fresh.versions('default', 'cats');
      t.equal(calls.length, 1, 'the numbers of all versions');
      await fresh.resolve('default', 'cats', 'latest');
      calls.length = 0;
      await fresh.resolve('default', 'cats', 'latest');
      t.equal(calls.length, 2, 'a prediction asks for the listing and the manifest, at the same time');
    });
  });
}
