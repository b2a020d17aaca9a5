import t from 'tap';
import { strongerBackbone } from '../../src/backbones/image/stronger.js';
import type { BackboneCard } from '../../src/schemas/backbones.js';
import type { DataFindings, Evaluation } from '../../src/schemas/report.js';
import { type AdviceOptions, adviceFor } from '../../src/training/advice.js';

const ROOTSTOCK = { id: 'rootstock_s' } as BackboneCard;
const DATA = { confusable_classes: { total: 0, items: [] } } as unknown as DataFindings;

function evaluation(change: Partial<Evaluation> = {}): Evaluation {
  const classes = [
    { label: 'cat', precision: 0.9, recall: 0.5, f1: 0.6, support: 20, train_examples: 10 },
    { label: 'dog', precision: 0.9, recall: 0.95, f1: 0.9, support: 40, train_examples: 90 },
    { label: 'emu', precision: 1, recall: 1, f1: 1, support: 40, train_examples: 90 },
  ];
  return { accuracy: 0.8, untested: [], classes, ...change } as Evaluation;
}

function advice(change: Partial<AdviceOptions> = {}) {
  const modality = { words: { one: 'image', many: 'images' }, stronger: strongerBackbone };
  return adviceFor({
    evaluation: evaluation(),
    data: DATA,
    card: ROOTSTOCK,
    modality,
    installed: ['rootstock_s'],
    ...change,
  });
}

t.test('what helps most: a backbone that is a command away, and examples of the class that is missed', (t) => {
  t.match(advice(), [
    { kind: 'stronger_backbone', backbone: 'mobilenet_v2', sentence: /npm run backbones -- pull mobilenet_v2/ },
    { kind: 'more_examples', labels: ['cat'], sentence: /30 more images of cat: it has 10, and 10 of the 12 mistakes/ },
  ]);
  t.end();
});

t.test('a backbone that is installed is named instead; a larger one has nothing above it', (t) => {
  const installed = ['mine', 'mobilenet_v2', 'rootstock_s'];
  t.match(advice({ installed })[0], { backbone: 'mobilenet_v2', sentence: /which is installed/ });
  t.match(advice({ installed: ['mine', 'rootstock_s'] })[0], { backbone: 'mine', sentence: /which is installed/ });
  t.notMatch(advice({ card: { id: 'mobilenet_v2' } as BackboneCard }), [{ kind: 'stronger_backbone' }]);
  t.end();
});

t.test('an untested class comes first, and pairs that are taken for each other last', (t) => {
  const data = {
    confusable_classes: { total: 1, items: [{ labels: ['cat', 'dog'], confused: [4, 5], share: 0.31 }] },
  } as unknown as DataFindings;
  t.match(
    advice({ evaluation: evaluation({ untested: ['gnu'] }), data }).map(({ sentence }) => sentence),
    [/images of gnu: none could be held out/, /backbone/, /images of cat/, /cat and dog must be two classes: 31 %/],
  );
  t.end();
});

t.test('where nearly all is right, nothing is asked for', (t) => {
  const classes = evaluation().classes.map((row) => ({ ...row, recall: 1 }));
  t.same(advice({ evaluation: evaluation({ accuracy: 0.99, classes }) }), []);
  t.end();
});
