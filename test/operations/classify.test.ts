import t from 'tap';
import { LOCAL } from '../../src/access/key-ring.js';
import type { Scope } from '../../src/access/scopes.js';
import { AppError } from '../../src/errors.js';
import { classifyOperation, type Example } from '../../src/operations/classify.js';
import type { OperationsDependencies } from '../../src/operations/dependencies.js';
import type { Explain } from '../../src/operations/explain.js';
import type { VersionManifest } from '../../src/schemas/versions.js';

const caller = { ...LOCAL, tenant: 'alice', requestId: 'r' };
const version = (number: number) =>
  ({ model: 'm', version: number, labels: ['a', 'b'], backbone: { id: 'light' } }) as VersionManifest;
const EXAMPLES: Example[] = [{ name: 'one', bytes: new Uint8Array(1) }];

/** What happened, in order; storage answers when it is told to. */
function world({ lastKnown, most = 4 }: { lastKnown?: VersionManifest; most?: number } = {}) {
  const log: string[] = [];
  let resolve!: (version: VersionManifest) => void;
  let reject!: (error: Error) => void;
  const resolving = new Promise<VersionManifest>((...settle) => {
    [resolve, reject] = settle;
  });
  resolving.catch(() => undefined);
  const dependencies = {
    registry: {
      resolve: (_tenant: string, _model: string, reference: unknown) => {
        log.push(`asked for ${JSON.stringify(reference)}`);
        return resolving;
      },
      lastKnown: () => lastKnown,
    },
    predictor: {
      predict: async ({ manifest, examples }: { manifest: VersionManifest; examples: Example[] }) => {
        log.push(`predicts with version ${manifest.version}`);
        const results = examples.map(() => ({ predictions: [{ label: `by ${manifest.version}`, score: 1 }] }));
        return { results, timings: {} };
      },
    },
    limits: { MAX_PREDICT_EXAMPLES: most },
  } as unknown as OperationsDependencies;
  const request = {
    caller,
    model: 'm',
    reference: 'latest' as const,
    read: async () => {
      log.push('read');
      return { topK: 1, examples: EXAMPLES };
    },
  };
  return { log, resolve, reject, dependencies, request, classify: classifyOperation(dependencies) };
}

const turn = () => new Promise((done) => setImmediate(done));

t.test('of a request for a model that is not there nothing is read', async (t) => {
  const { classify, request, log, reject } = world();
  const answer = classify(request);
  await turn();
  t.same(log, ['asked for "latest"'], 'nor before it is known');
  reject(new AppError('model_not_found', 'None.'));
  await t.rejects(answer, { code: 'model_not_found' });
  t.same(log, ['asked for "latest"']);
});

t.test('work begins with the version that was served last, while storage is asked', async (t) => {
  const known = version(1);
  const { classify, request, log, resolve } = world({ lastKnown: known });
  const answer = classify(request);
  await turn();
  t.same(log, ['asked for "latest"', 'read', 'predicts with version 1']);
  resolve(known);
  t.match(await answer, { version: 1, results: [{ name: 'one', predictions: [{ label: 'by 1' }] }] });
  t.equal(log.length, 3, 'and it is done once');
});

t.test('where storage names another, that one answers', async (t) => {
  const { classify, request, log, resolve } = world({ lastKnown: version(1) });
  const answer = classify(request);
  await turn();
  resolve(version(2));
  t.match(await answer, { version: 2, results: [{ predictions: [{ label: 'by 2' }] }] });
  t.same(log.slice(2), ['predicts with version 1', 'predicts with version 2']);
});

t.test('a model that was deleted meanwhile answers nothing', async (t) => {
  const { classify, request, reject } = world({ lastKnown: version(1) });
  const answer = classify(request);
  await turn();
  reject(new AppError('model_not_found', 'Gone.'));
  await t.rejects(answer, { code: 'model_not_found' });
});

t.test('the alias latest is the newest version', async (t) => {
  const { classify, request, log, resolve } = world();
  resolve(version(3));
  await classify({ ...request, reference: { alias: 'latest' } });
  await classify({ ...request, reference: { alias: 'best' } });
  t.same(
    log.filter((line) => line.startsWith('asked')),
    ['asked for "latest"', 'asked for {"alias":"best"}'],
  );
});

t.test('more examples than allowed are refused, and more than can be explained', async (t) => {
  const { classify, request, resolve } = world({ most: 20 });
  resolve(version(1));
  const asked = (count: number, explain?: Explain) => ({
    ...request,
    read: async () => ({ topK: 1, examples: new Array<Example>(count).fill(EXAMPLES[0]!), explain }),
  });
  await t.rejects(classify(asked(21)), { code: 'too_large', message: /21 .*at most 20/ });
  await t.rejects(classify(asked(17, {})), { code: 'too_large', message: /17 .*at most 16/ });
  t.match(await classify(asked(16, {})), { version: 1 });
  await t.rejects(classify(asked(1, { label: 'dog' })), {
    code: 'invalid_request',
    message: /'dog' is none of the 2 classes of 'm', such as 'a'/,
    details: { classes: ['a', 'b'] },
  });
});

t.test('a key that may only predict sees no training examples', async (t) => {
  const { classify, request, resolve } = world();
  resolve(version(1));
  const asked = (scopes: Scope[], explain: Explain) =>
    classify({
      ...request,
      caller: { ...caller, scopes: new Set(scopes) },
      read: async () => ({ topK: 1, examples: EXAMPLES, explain }),
    });
  await t.rejects(asked(['predict'], { nearest: 1 }), { code: 'forbidden', message: /needs the scope `read`/ });
  for (const explain of [{}, { nearest: 0 }]) t.match(await asked(['predict'], explain), { version: 1 });
  t.match(await asked(['predict', 'read'], { nearest: 1 }), { version: 1 });
});
