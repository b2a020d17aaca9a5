import t from 'tap';
import type { ImageBackboneCard } from '../../src/schemas/backbones.js';
import type { Report } from '../../src/schemas/report.js';
import { figuresOf } from '../../src/training/figures.js';
import { modelCard } from '../../src/training/model-card.js';
import { IMAGES } from '../helpers/backbones.js';

const BACKBONE: ImageBackboneCard = {
  id: 'rootstock_s',
  name: 'Rootstock-S',
  modality: 'image',
  recipe: 'pixels-2',
  file: 'model.onnx',
  sha256: 'b'.repeat(64),
  bytes: 1,
  input: { name: 'images', width: 96, height: 80 },
  resize: { mode: 'crop', short_side: 110 },
  features: { name: 'features', dimensions: 4 },
  maps: [],
  license: 'Apache-2.0',
  source: 'here',
  imagenet_top1: null,
};
const LABELS = ['cat|dog', 'line\nbreak'];

function report(change: Partial<Report> = {}): Report {
  const scored = { logits: Float32Array.of(2, 0, 2, 0), y: Int32Array.of(0, 1), classes: 2 };
  return {
    model: 'pets',
    job: 'job_x',
    dataset: { id: 'ds_x', sha256: 'd'.repeat(64), examples: 7, conflicts: 0, classes: 2 },
    backbone: { id: 'rootstock_s', sha256: BACKBONE.sha256, dimensions: 4 },
    engines: { backbone: 'ort', head: 'tfjs' },
    split: { source: 'seeded', train: 5, validation: 0, test: 2, folds: 5, final_fit: 5 },
    settings: { head: 'linear', weight_decay: 0.1 },
    candidates: [],
    evaluation: figuresOf(scored, { on: 'cross_validation', labels: LABELS, trainCounts: [3, 2], temperature: 1 }),
    curves: [],
    timings: { features_seconds: 1, examples_per_second: 1, examples_cached: 0, head_seconds: 1, total_seconds: 2 },
    skipped: [],
    warnings: [],
    created_at: '2026-01-02T03:04:05.000Z',
    ...change,
  };
}

const cardOf = (about: Report, backbone = BACKBONE) =>
  modelCard({ report: about, labels: LABELS, backbone, modality: IMAGES });

t.test('it says what the model is, how good it is and how to run it', (t) => {
  const card = cardOf(report());
  t.match(card, /^# pets\n/);
  t.match(card, /2 classes: a linear head .* on 2026-01-02/);
  t.match(card, /Accuracy 50\.0 % \(95 % interval 9 to 91 %; guessing gets 50 %\) on 2 images .*\(cross-validation\)/);
  t.match(card, /`\[N, 80, 96, 3\]`/);
  t.match(card, /scale the short side to 110 pixels and take the centre 96 × 80/);
  t.match(card, /"weight_decay": 0\.1/);
  t.notMatch(card, /## Mind/);
  t.match(cardOf(report(), { ...BACKBONE, resize: { mode: 'stretch' } }), /stretch the photo to 96 × 80/);
  t.end();
});

t.test('labels cannot break its table', (t) => {
  const rows = cardOf(report())
    .split('\n')
    .filter((line) => line.startsWith('| '));
  t.same(rows.slice(1), ['| cat\\|dog | 50.0 % | 100.0 % | 1 | 3 |', '| line break | – | 0.0 % | 1 | 2 |']);
  t.end();
});

t.test('without held-out images it says so; warnings are repeated', (t) => {
  const card = cardOf(report({ evaluation: null, warnings: ['Few images.'] }));
  t.match(card, /its accuracy is not known/);
  t.match(card, /## Mind\n- Few images\./);
  t.end();
});
