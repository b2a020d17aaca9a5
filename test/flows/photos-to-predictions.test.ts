/** From photos to predictions, over HTTP alone, with real processes. */
import sharp, { type Sharp } from 'sharp';
import t from 'tap';
import type { Dataset } from '../../src/schemas/datasets.js';
import type { Job, JobEvent } from '../../src/schemas/jobs.js';
import type { HeldOutPrediction } from '../../src/schemas/predictions.js';
import type { Report } from '../../src/schemas/report.js';
import type { VersionManifest } from '../../src/schemas/versions.js';
import { zip } from '../helpers/archives.js';
import { form, send, until } from '../helpers/http.js';
import { photo, photos, pixels, submit } from '../helpers/photos.js';
import { serviceForTest } from '../helpers/service.js';

interface Answered {
  model: string;
  version: number;
  backbone: string;
  results: { name: string; predictions: { label: string; score: number }[] }[];
  timings: Record<string, number>;
}
interface Model {
  name: string;
  latest: VersionManifest;
  versions: number[];
  aliases: { alias: string; version: number }[];
}

const LABELS = ['apple', 'birch', 'cloud', 'daisy'];
const service = await serviceForTest(t);
const { url, json, ended } = service;
const files = await photos(LABELS, 24);
const archive = zip(files.map((file) => ({ ...file, stored: true })));
const settings = { model: 'leaves', seed: 7, head: 'linear' as const };
let dataset: Dataset;
let first: Job;

const predict = (bytes: Buffer, path = '/v1/models/leaves/predict', headers: Record<string, string> = {}) =>
  json<Answered>(path, { method: 'POST', body: new Uint8Array(bytes), headers });

function sseEvents(text: string): { id: string; event: string; data: JobEvent }[] {
  return text
    .split('\n\n')
    .filter((block) => block.startsWith('id:'))
    .map((block) => {
      const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(block)![1]!;
      return { id: field('id'), event: field('event'), data: JSON.parse(field('data')) as JobEvent };
    });
}

await t.test('an archive is taken in', async (t) => {
  const { body, headers } = form([{ name: 'file', value: archive, filename: 'leaves.zip', type: 'application/zip' }]);
  const answer = await send(url, '/v1/datasets', { method: 'POST', body, headers });
  t.equal(answer.status, 201, answer.text.slice(0, 300));
  dataset = JSON.parse(answer.text);
  t.match(dataset, { name: 'leaves.zip', examples: 96, refused: [], duplicates: [] });
  t.same(
    dataset.classes.map(({ label, examples: images }) => [label, images]),
    LABELS.map((label) => [label, 24]),
  );
});

await t.test('a job goes through its phases, its progress never falls, and its events can be followed', async (t) => {
  const created = await json<Job>('/v1/jobs', {
    method: 'POST',
    body: JSON.stringify({ dataset: dataset.id, ...settings }),
    headers: { 'content-type': 'application/json' },
    status: 202,
  });
  t.ok(['queued', 'running'].includes(created.status));
  t.match(created, { dataset: dataset.id, model: 'leaves', version: null, backbone: 'rootstock_s', error: null });
  const following = send(url, `/v1/jobs/${created.id}/events`, { headers: { accept: 'text/event-stream' } });
  const seen: Job[] = [];
  const look = async () => {
    seen.push(await json<Job>(`/v1/jobs/${created.id}`));
    return seen.at(-1)!.finished_at !== null;
  };
  await until(look, { timeoutMs: 120_000, everyMs: 15, what: 'the end of the job', state: () => seen.at(-1) });
  first = seen.at(-1)!;
  t.match(first, { status: 'succeeded', progress: 1, version: 1, phase: null, seconds_left: null, error: null });
  t.ok(first.accuracy! > 0.8, `accuracy ${first.accuracy}`);
  const order = ['queued', 'running', 'succeeded'];
  for (const [i, job] of seen.entries()) {
    const before = seen[i - 1];
    if (!before) continue;
    t.ok(job.progress >= before.progress, `progress ${before.progress} → ${job.progress}`);
    t.ok(order.indexOf(job.status) >= order.indexOf(before.status), `${before.status} → ${job.status}`);
  }
  const stream = await following;
  t.equal(stream.headers['content-type'], 'text/event-stream');
  const events = sseEvents(stream.text);
  t.same(
    events.map(({ id }) => Number(id)),
    events.map((_, i) => i + 1),
  );
  t.equal(events[0]!.event, 'created');
  t.equal(events.at(-1)!.event, 'succeeded');
  t.same(
    events.filter(({ event }) => event === 'phase').map(({ data }) => data.data.phase),
    ['extracting', 'training', 'evaluating', 'publishing'],
  );
  const list = await json<{ data: JobEvent[] }>(`/v1/jobs/${created.id}/events`);
  t.same(
    events.map(({ data }) => data),
    list.data,
    'JSON and SSE are the same events',
  );
  const rest = await send(url, `/v1/jobs/${created.id}/events`, {
    headers: { accept: 'text/event-stream', 'last-event-id': '3' },
  });
  t.same(sseEvents(rest.text), events.slice(3), 'Last-Event-ID resumes');
  const after = await json<{ data: JobEvent[] }>(`/v1/jobs/${created.id}/events?after=3`);
  t.same(after.data, list.data.slice(3));
});

await t.test('the model, its versions and its report agree with each other', async (t) => {
  const model = await json<Model>('/v1/models/leaves');
  t.match(model, { name: 'leaves', versions: [1], aliases: [] });
  t.same(model.latest, await json('/v1/models/leaves/versions/1'));
  t.same(await json('/v1/models/leaves/versions'), { data: [model.latest], has_more: false });
  const { aliases: _aliases, ...summary } = model;
  t.same((await json<{ data: Omit<Model, 'aliases'>[] }>('/v1/models')).data, [summary]);
  t.match(model.latest, { job: first.id, dataset: dataset.id, head: 'linear', labels: LABELS });
  t.equal(model.latest.accuracy, first.accuracy);

  const report = await json<Report>('/v1/models/leaves/versions/1/report');
  const { evaluation, split, timings } = report;
  const { confusion, classes, ...figures } = evaluation!;
  t.match(report, { model: 'leaves', job: first.id, dataset: { id: dataset.id, examples: 96, classes: 4 } });
  t.match(report.settings, { head: 'linear', seed: 7 });
  t.equal(split.train + split.validation + split.test, 96);
  t.equal(figures.on, 'cross_validation', 'so few examples are all held out once');
  t.equal(figures.examples, split.train);
  t.equal(split.test, 0);
  t.ok(figures.accuracy_interval![0]! <= figures.accuracy && figures.accuracy <= figures.accuracy_interval![1]!);
  t.equal(figures.baseline_accuracy, 0.25);
  t.match(first, { accuracy_interval: figures.accuracy_interval, baseline_accuracy: 0.25 });
  t.match(model.latest, { accuracy_interval: figures.accuracy_interval, baseline_accuracy: 0.25 });
  t.same(confusion.labels, LABELS);
  const total = confusion.matrix.flat().reduce((a, b) => a + b, 0);
  const near = (a: number | null, b: number | null, what: string) =>
    t.ok(a === b || Math.abs(a! - b!) < 1e-9, `${what}: ${a} = ${b}`);
  t.equal(total, figures.examples);
  near(figures.accuracy, confusion.matrix.reduce((sum, row, k) => sum + row[k]!, 0) / total, 'accuracy');
  near(first.accuracy, figures.accuracy, 'accuracy of the job');
  for (const [k, row] of classes.entries()) {
    const support = confusion.matrix[k]!.reduce((a, b) => a + b, 0);
    const predicted = confusion.matrix.reduce((sum, other) => sum + other[k]!, 0);
    const hits = confusion.matrix[k]![k]!;
    t.equal(row.label, LABELS[k]);
    t.equal(row.support, support);
    near(row.recall, support ? hits / support : null, 'recall');
    near(row.precision, predicted ? hits / predicted : null, 'precision');
    near(row.f1, support ? (2 * hits) / (support + predicted) : null, 'f1');
  }
  near(figures.balanced_accuracy, classes.reduce((sum, { recall }) => sum + recall!, 0) / 4, 'balanced accuracy');
  near(figures.macro_f1, classes.reduce((sum, { f1 }) => sum + f1!, 0) / 4, 'macro f1');
  t.equal(
    figures.calibration.bins.reduce((sum, { examples: images }) => sum + images, 0),
    figures.examples,
  );
  const asked = '/v1/models/leaves/versions/1/predictions';
  const { data: heldOut } = await json<{ data: HeldOutPrediction[] }>(`${asked}?limit=1000`);
  t.equal(heldOut.length, figures.examples, 'what it said of each of them can be read');
  for (const [k, label] of LABELS.entries()) {
    const own = heldOut.filter(({ labels }) => labels.includes(label));
    t.same(
      LABELS.map((other) => own.filter(({ predicted }) => predicted === other).length),
      confusion.matrix[k],
    );
  }
  const wrong = heldOut.filter(({ labels, predicted }) => !labels.includes(predicted));
  t.same(await json(`${asked}?wrong=true`), { data: wrong, has_more: false });
  const [one] = heldOut;
  t.same(await json(`${asked}?limit=1&label=${one!.labels[0]}&predicted=${one!.predicted}`), {
    data: [one],
    has_more: heldOut.filter((row) => row.labels[0] === one!.labels[0] && row.predicted === one!.predicted).length > 1,
  });
  t.ok(report.curves.length > 0);
  t.ok(timings.total_seconds >= timings.features_seconds);
  t.equal(timings.examples_cached, 0);
  for (const chart of ['curves', 'confusion']) {
    const svg = await send(url, `/v1/models/leaves/versions/1/report/${chart}.svg`);
    t.equal(svg.headers['content-type'], 'image/svg+xml');
    t.match(svg.text, /^<svg[\s\S]*<\/svg>\s*$/);
    t.ok((await sharp(svg.body).metadata()).width! > 100, `${chart}.svg can be drawn`);
  }
});

await t.test('EXIF orientation 1 to 8 does not change the answer', async (t) => {
  const [width, height] = [64, 48];
  const upright = Buffer.concat([pixels(0, 1, width, height / 2), pixels(2, 1, width, height / 2)]);
  const raw = (image: Buffer, w: number, h: number) => sharp(image, { raw: { width: w, height: h, channels: 3 } });
  const turn = async (image: Sharp) => {
    const { data, info } = await image.raw().toBuffer({ resolveWithObject: true });
    return raw(data, info.width, info.height);
  };
  const flopped = async () => turn(raw(upright, width, height).flop());
  const stored: (() => Promise<Sharp>)[] = [
    async () => raw(upright, width, height),
    flopped,
    async () => turn(raw(upright, width, height).rotate(180)),
    async () => turn(raw(upright, width, height).flip()),
    async () => turn((await flopped()).rotate(270)),
    async () => turn(raw(upright, width, height).rotate(270)),
    async () => turn((await flopped()).rotate(90)),
    async () => turn(raw(upright, width, height).rotate(90)),
  ];
  const answers: { orientation: number; format: string; predictions: { label: string; score: number }[] }[] = [];
  let upJpeg: Map<string, number> | undefined;
  for (const [i, make] of stored.entries()) {
    for (const format of ['png', 'webp'] as const) {
      const image = (await make()).withMetadata({ orientation: i + 1 });
      const bytes = await (format === 'png' ? image.png() : image.webp({ lossless: true })).toBuffer();
      t.same(await sharp(bytes).autoOrient().removeAlpha().raw().toBuffer(), upright, 'the test turns it rightly');
      answers.push({ orientation: i + 1, format, predictions: (await predict(bytes)).results[0]!.predictions });
    }
    const jpeg = await (await make())
      .withMetadata({ orientation: i + 1 })
      .jpeg({ quality: 100, chromaSubsampling: '4:4:4' })
      .toBuffer();
    const { predictions } = (await predict(jpeg)).results[0]!;
    upJpeg ??= new Map(predictions.map(({ label, score }) => [label, score]));
    for (const { label, score } of predictions) {
      // JPEG is not the same after a turn, but nearly.
      t.ok(Math.abs(score - upJpeg.get(label)!) < 0.05, `JPEG ${i + 1}: ${label} ${score} ≈ ${upJpeg.get(label)}`);
    }
  }
  for (const { orientation, format, predictions } of answers) {
    t.same(predictions, answers[0]!.predictions, `${format}, orientation ${orientation}`);
  }
});

await t.test(
  'a new version is served the moment its job has succeeded, and no prediction fails meanwhile',
  async (t) => {
    const bytes = await photo(1, 77);
    let going = true;
    const versions: number[][] = [[], [], []];
    const statuses = new Map<number, number>();
    const loops = versions.map(async (seen) => {
      while (going) {
        const answer = await send(url, '/v1/models/leaves/predict', { method: 'POST', body: bytes });
        statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
        if (answer.status === 200) seen.push((JSON.parse(answer.text) as Answered).version);
      }
    });
    const job = await submit(service, { dataset: dataset.id, ...settings });
    const done = await ended(job.id);
    const next = await predict(bytes);
    going = false;
    await Promise.all(loops);
    t.match(done, { status: 'succeeded', version: 2 });
    t.equal(next.version, 2);
    t.same([...statuses.keys()], [200], 'every prediction was answered');
    t.comment(`${statuses.get(200)} predictions while it trained`);
    for (const seen of versions) {
      t.equal(seen[0], 1);
      t.same(seen, [...seen].sort(), 'no answer goes back to the version before');
    }
  },
);

await t.test('the second run takes all features from the cache and ends with the same digest', async (t) => {
  const [one, two] = await Promise.all([
    json<VersionManifest>('/v1/models/leaves/versions/1'),
    json<VersionManifest>('/v1/models/leaves/versions/2'),
  ]);
  t.equal(two.digest, one.digest, 'same data, settings and seed');
  const report = await json<Report>('/v1/models/leaves/versions/2/report');
  t.equal(report.timings.examples_cached, 96);
  t.equal(report.timings.examples_per_second, null);
});
