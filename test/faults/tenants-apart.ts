/**
 * Every route of the OpenAPI document, with another key's ids in every place that takes one. Nothing of the other tenant may
 * show, nothing of it may change, and what is there must answer as what is not. And every route with a key of the same tenant
 * that has one scope only: what the table of scopes forbids is refused.
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ALL_SCOPES, type Scope, TENANT_SCOPES } from '../../src/access/scopes.js';
import type { Dataset } from '../../src/schemas/datasets.js';
import type { Job } from '../../src/schemas/jobs.js';
import type { VersionManifest } from '../../src/schemas/versions.js';
import { zip } from '../helpers/archives.js';
import { type Answer, filesBelow, form, type Send, send, until } from '../helpers/http.js';
import { photo, photos } from '../helpers/photos.js';
import { type TestService, withService } from '../helpers/service.js';
import { atLeast, exactly, type Figure, type RowOptions } from './figure.js';

export const name = 'Keys keep tenants apart';
export const goal =
  "no route shows or changes anything of another key's tenant, or tells whether it is there, or does what a key's scopes forbid";

/** Reachable without a key. */
const OPEN = new Set(['/', '/livez', '/readyz']);
const KEYS = { alice: 'graft_key-of-alice', bob: 'graft_key-of-bob', nobody: 'graft_key-of-nobody' };
const keyFor = (scope: Scope) => `graft_key-that-may-${scope}`;
type Who = keyof typeof KEYS;
const sha = (text: string) => createHash('sha256').update(text).digest('hex');

interface Operation {
  method: string;
  path: string;
  body?: Record<string, unknown>;
  /** What it asks of a key. */
  scope: Scope | undefined;
}
type Ids = Record<string, string>;

export async function run({ log }: RowOptions): Promise<Figure[]> {
  // An operator sees the jobs of all tenants: these are keys of tenants.
  const full = TENANT_SCOPES.join('+');
  const API_KEYS = [
    ...(['alice', 'bob'] as const).map((who) => `${who}:${sha(KEYS[who])}:${full}`),
    ...ALL_SCOPES.map((scope) => `alice:${sha(keyFor(scope))}:${scope}`),
  ].join();
  return withService({ env: { API_KEYS, LOG_LEVEL: 'error' } }, async (service) => {
    const image = await photo(0, 1);
    const alice = await tenantOf(service, 'alice', 'alices-model');
    const bob = await tenantOf(service, 'bob', 'bobs-model');
    // What both have, such as equal charts, tells nothing.
    const secrets = alice.marks.filter((mark) => !bob.marks.includes(mark));
    const operations = await operationsOf(service);
    const before = await contentOf(join(service.dataDir, 'tenants', 'alice'));
    const counts = { cells: 0, leaks: 0 };
    const cell = async (
      who: Who | undefined,
      operation: Operation,
      ids: Ids,
      judge: (answer: Answer) => string | undefined,
    ) => {
      for (const request of requestsOf(operation, ids, image)) {
        counts.cells += 1;
        const answer = await send(service.url, request.path, {
          ...request,
          headers: { ...(who && { authorization: `Bearer ${KEYS[who]}` }), ...request.headers },
        });
        const fault = answer.status >= 500 || answer.status === 0 ? `status ${answer.status}` : judge(answer);
        if (fault === undefined) continue;
        counts.leaks += 1;
        log(`${request.method} ${request.path} as ${who ?? 'nobody'}: ${fault}: ${answer.text.slice(0, 200)}`);
      }
    };
    /** What of Alice an answer shows, but for what the request itself named. */
    const shows = (ids: Ids) => (answer: Answer) => {
      const asked = Object.values(ids);
      const found = secrets.filter((mark) => !asked.some((id) => id.includes(mark)) && answer.text.includes(mark));
      return found.length > 0 ? `shows ${found.join(', ')}` : undefined;
    };

    // The others' ids; each answer must be the one for ids that nobody has.
    for (const operation of operations.filter(({ path }) => path.includes('{'))) {
      const nowhere: Answer[] = [];
      await cell('bob', operation, NOWHERE, (answer) => void nowhere.push(answer));
      await cell('bob', operation, alice.ids, (answer) => {
        const like = nowhere.shift()!;
        if (answer.status < 400) return `answers ${answer.status}`;
        const same = anonymous(answer, alice.ids) === anonymous(like, NOWHERE) && answer.status === like.status;
        return same ? shows(alice.ids)(answer) : `differs from what is not there: ${like.text.slice(0, 200)}`;
      });
      for (const [parameter, tricks] of Object.entries(climbs())) {
        if (!operation.path.includes(`{${parameter}}`)) continue;
        for (const trick of tricks) {
          const ids = { ...bob.ids, [parameter]: trick };
          await cell('bob', operation, ids, (answer) => (answer.status < 400 ? 'is taken' : shows(ids)(answer)));
        }
      }
    }
    // Lists, bodies that name ids, and the same names under one's own key; what deletes comes last.
    const own = [...operations].sort((a, b) => Number(a.method === 'DELETE') - Number(b.method === 'DELETE'));
    for (const operation of own) await cell('bob', operation, { ...bob.ids, ...bodyIds(alice.ids) }, shows(alice.ids));
    for (const operation of operations.filter(({ path }) => !OPEN.has(path))) {
      for (const who of [undefined, 'nobody'] as const) {
        await cell(who, operation, alice.ids, (answer) =>
          answer.status === 401 ? shows(alice.ids)(answer) : `answers ${answer.status}, not 401`,
        );
      }
    }
    const forbidden = { cells: 0, passed: 0 };
    for (const operation of operations.filter(({ path }) => !OPEN.has(path))) {
      for (const scope of ALL_SCOPES.filter((other) => other !== operation.scope)) {
        for (const request of requestsOf(operation, alice.ids, image)) {
          forbidden.cells += 1;
          const authorization = `Bearer ${keyFor(scope)}`;
          const answer = await send(service.url, request.path, {
            ...request,
            headers: { authorization, ...request.headers },
          });
          if (answer.status === 403) continue;
          forbidden.passed += 1;
          log(`${request.method} ${request.path} with ${scope}: ${answer.status} ${answer.text.slice(0, 200)}`);
        }
      }
    }
    const after = await contentOf(join(service.dataDir, 'tenants', 'alice'));
    const changed = [...new Set([...before.keys(), ...after.keys()])].filter(
      (key) => before.get(key) !== after.get(key),
    );
    for (const path of changed) log(`changed: ${path}`);
    log(`${operations.length} operations, ${counts.cells} cells`);
    return [
      atLeast('operations', operations.length, 25),
      atLeast('cells tried', counts.cells, 200),
      exactly('leaks', counts.leaks, 0),
      atLeast('cells of operation × scope', forbidden.cells, 200),
      exactly('of these, let through though the table forbids it', forbidden.passed, 0),
      exactly('files of the other tenant that changed', changed.length, 0),
    ];
  });
}

const NOWHERE: Ids = {
  dataset: `ds_${'0'.repeat(26)}`,
  job: `job_${'0'.repeat(26)}`,
  model: 'nobodys-model',
  version: '1',
  alias: 'production',
  path: 'labels.json',
  sha256: '0'.repeat(64),
};

/** Ways out of a place in the URL, into the folder beside it. */
function climbs(): Record<string, string[]> {
  const up = [
    '..',
    '%2e%2e',
    '..%2falice',
    '..%2f..%2falice%2fmodels%2falices-model',
    'x%00',
    '%2fetc%2fpasswd',
    'a%5c..%5cb',
  ];
  return {
    id: up,
    model: up,
    version: [...up, '-1', '01x'],
    alias: up,
    path: [...up, '../manifest.json', '..%2fclaim.json'],
    sha256: [...up, '0'.repeat(63)],
  };
}

/** What a body of Bob's names: Alice's data set. */
function bodyIds({ dataset }: Ids): Ids {
  return { bodyDataset: dataset! };
}

async function operationsOf({ url }: TestService): Promise<Operation[]> {
  const { paths } = JSON.parse((await send(url, '/openapi.json')).text) as {
    paths: Record<string, Record<string, { description: string; requestBody?: { content: Record<string, unknown> } }>>;
  };
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { requestBody, description }]) => ({
      method: method.toUpperCase(),
      path,
      scope: /Scope: `(\w+)`/.exec(description)?.[1] as Scope | undefined,
      ...(requestBody && { body: requestBody.content }),
    })),
  );
}

/** Every way to call an operation: with each kind of body, and reads also as HEAD, in part, or as a stream. */
function requestsOf({ method, path, body }: Operation, ids: Ids, image: Buffer): (Send & { path: string })[] {
  const filled = path.replace(/\{([^}]+)\}/g, (_, parameter: string) => {
    const id = parameter === 'id' ? (ids.id ?? (path.includes('/jobs/') ? ids.job : ids.dataset)) : ids[parameter];
    if (id === undefined) throw new Error(`${path}: no id is known here for {${parameter}}; add it to this row`);
    return id;
  });
  if (method === 'GET') {
    const reads = [
      {},
      { range: 'bytes=0-9' },
      { accept: 'text/event-stream' },
      { 'x-tenant': 'alice', 'x-forwarded-user': 'alice' },
    ];
    const after = path.includes('{') || OPEN.has(path) ? [] : [`?after=${ids.model}`, '?limit=1000'];
    return [
      ...reads.map((headers) => ({ method, path: filled, headers: headers as Record<string, string> })),
      ...(path.endsWith('/events') ? [] : [{ method: 'HEAD', path: filled }]),
      ...(path.startsWith('/v1/') && path.split('/').length === 3 && !path.endsWith('backbones')
        ? after.map((query) => ({ method, path: filled + query }))
        : []),
    ];
  }
  if (!body) return [{ method, path: filled }];
  return Object.keys(body).flatMap((type): (Send & { path: string })[] => {
    if (type === 'multipart/form-data') {
      const parts = form([
        { name: 'model', value: ids.model! },
        { name: 'file', value: image, filename: 'x.jpg' },
      ]);
      return [{ method, path: filled, ...parts }];
    }
    if (type !== 'application/json') return [{ method, path: filled, body: image, headers: { 'content-type': type } }];
    const bodies = [
      { version: 1 },
      { dataset: ids.bodyDataset ?? ids.dataset, model: ids.model },
      { images: [image.toString('base64')] },
    ];
    return bodies.map((value) => ({
      method,
      path: filled,
      body: JSON.stringify(value),
      headers: { 'content-type': type, 'idempotency-key': 'the-same' },
    }));
  });
}

/** A tenant with a data set, a model, an alias, a job that ended; and what may be seen of it nowhere else. */
async function tenantOf(
  service: TestService,
  who: 'alice' | 'bob',
  model: string,
): Promise<{ ids: Ids; marks: string[] }> {
  const authorization = `Bearer ${KEYS[who]}`;
  const json = async <T>(path: string, init: Send = {}): Promise<T> => {
    const answer = await send(service.url, path, { ...init, headers: { authorization, ...init.headers } });
    if (answer.status >= 300) throw new Error(`${path}: ${answer.status} ${answer.text}`);
    return JSON.parse(answer.text) as T;
  };
  const labels = [`${who}s-secret-cat`, `${who}s-secret-dog`];
  const archive = zip(await photos(labels, 4, { seed: who.length }));
  const parts = form([{ name: 'file', value: archive, filename: `${who}s-archive.zip` }]);
  const dataset = await json<Dataset>('/v1/datasets', { method: 'POST', ...parts });
  const submit = async (seed: number) => {
    const { id } = await json<Job>('/v1/jobs', {
      method: 'POST',
      body: JSON.stringify({ dataset: dataset.id, model, head: 'linear', seed, description: `${who}s description` }),
      headers: { 'content-type': 'application/json', 'idempotency-key': `the-same-${seed}` },
    });
    return until(
      async () => {
        const job = await json<Job>(`/v1/jobs/${id}`);
        return job.finished_at !== null && job;
      },
      { timeoutMs: 60_000, everyMs: 100, what: 'the end of a job' },
    );
  };
  const job = await submit(1);
  if (job.status !== 'succeeded') throw new Error(`${who}'s job ${job.status}: ${job.error?.message}`);
  await json(`/v1/models/${model}/aliases/production`, {
    method: 'PUT',
    body: '{"version":1}',
    headers: { 'content-type': 'application/json' },
  });
  const version = await json<VersionManifest>(`/v1/models/${model}/versions/1`);
  const digests = version.files.map(({ sha256 }) => sha256);
  return {
    ids: {
      dataset: dataset.id,
      job: job.id,
      model,
      version: '1',
      alias: 'production',
      path: 'labels.json',
      sha256: dataset.classes[0]!.digests![0]!,
    },
    marks: [
      ...labels,
      dataset.id,
      dataset.sha256,
      job.id,
      model,
      `${who}s-archive.zip`,
      `${who}s description`,
      version.digest,
      ...digests,
    ],
  };
}

/** An answer without what is different each time: the ids that were asked for, and the id of the request. */
function anonymous({ text, headers }: Answer, ids: Ids): string {
  let plain = text.replace(/"request_id":"[^"]*"/, '');
  for (const id of [ids.dataset!, ids.job!, ids.model!, ids.sha256!]) plain = plain.replaceAll(id, '…');
  return `${headers['content-type']} ${plain}`;
}

async function contentOf(folder: string): Promise<Map<string, string>> {
  const paths = await filesBelow(folder);
  return new Map(
    await Promise.all(
      paths.map(async (path) => [path, sha((await readFile(join(folder, path))).toString('latin1'))] as const),
    ),
  );
}
