import t from 'tap';
import type { Refusal } from '../../../src/datasets/archives/archive.js';
import { readClassFolders } from '../../../src/datasets/labels/class-folders.js';
import type { Place } from '../../../src/datasets/labels/label.js';

const IMAGES = { one: 'image', many: 'images' };

/** Short form of places: label, or split:label, or !code. */
function short(places: (Place | Refusal)[]): string[] {
  return places.map((place) => {
    if ('code' in place) return `!${place.code}`;
    return place.split ? `${place.split}:${place.label}` : place.label;
  });
}

const layouts: [what: string, names: string[], kind: string, root: string, places: string[]][] = [
  ['folders at the top', ['cat/1', 'dog/2'], 'class_folders', '', ['cat', 'dog']],
  ['folders below one root', ['pets/cat/1', 'pets/dog/2'], 'class_folders', 'pets', ['cat', 'dog']],
  ['folders far below', ['a/b/c/cat/1', 'a/b/c/dog/2'], 'class_folders', 'a/b/c', ['cat', 'dog']],
  ['one class', ['cat/1', 'cat/2'], 'class_folders', '', ['cat', 'cat']],
  ['folders at several depths', ['cat/1', 'big/dog/2'], 'class_folders', '', ['cat', 'dog']],
  ['nested classes', ['cat/1', 'cat/kitten/2', 'dog/3'], 'class_folders', '', ['cat', 'kitten', 'dog']],
  [
    'splits',
    ['train/cat/1', 'val/cat/2', 'test/dog/3'],
    'split_folders',
    '',
    ['train:cat', 'validation:cat', 'test:dog'],
  ],
  [
    'splits below a root, with other names and cases',
    ['x/Training/cat/1', 'x/DEV/cat/2', 'x/eval/cat/3', 'x/Valid/cat/4', 'x/testing/cat/5'],
    'split_folders',
    'x',
    ['train:cat', 'validation:cat', 'test:cat', 'validation:cat', 'test:cat'],
  ],
  ['splits with a folder between', ['train/x/cat/1', 'test/x/cat/2'], 'split_folders', '', ['train:cat', 'test:cat']],
  ['training only', ['train/cat/1', 'train/dog/2'], 'split_folders', '', ['train:cat', 'train:dog']],
  ['a lone test folder has no splits', ['test/cat/1', 'test/dog/2'], 'class_folders', 'test', ['cat', 'dog']],
  ['a class called train among others', ['bus/1', 'train/2'], 'class_folders', '', ['bus', 'train']],
  ['a file beside class folders', ['1', 'cat/1'], 'class_folders', '', ['!no_class_folder', 'cat']],
  [
    'files beside class folders, at every depth above',
    ['1', 'pets/2', 'pets/cat/3', 'pets/dog/4'],
    'class_folders',
    'pets',
    ['!no_class_folder', '!no_class_folder', 'cat', 'dog'],
  ],
  [
    'files beside split and class folders',
    ['1', 'x/2', 'x/train/3', 'x/train/cat/4', 'x/test/cat/5'],
    'split_folders',
    'x',
    ['!no_class_folder', '!no_class_folder', '!no_class_folder', 'train:cat', 'test:cat'],
  ],
  [
    'odd names',
    ['__proto__/1', 'constructor/2', 'CON/3', 'dot./4', '🐈/5'],
    'class_folders',
    '',
    ['__proto__', 'constructor', 'CON', 'dot.', '🐈'],
  ],
  ['two Unicode forms', ['cafe\u0301/1', 'caf\u00e9/2'], 'class_folders', '', ['caf\u00e9', 'caf\u00e9']],
  ['bad labels', ['cat/1', ' /2', `${'x'.repeat(201)}/3`], 'class_folders', '', ['cat', '!bad_label', '!bad_label']],
];

for (const [what, names, kind, root, places] of layouts) {
  t.test(`folders give labels: ${what}`, (t) => {
    const found = readClassFolders({ names, words: IMAGES });
    t.same({ kind: found.kind, root: found.root, places: short(found.places) }, { kind, root, places });
    t.end();
  });
}

t.test('no class folders at all are an error that says what is accepted', (t) => {
  t.throws(() => readClassFolders({ names: ['1.jpg', '2.jpg'], words: IMAGES }), {
    code: 'no_labels',
    message: /folder named after it.*labels\.csv/,
  });
  t.throws(() => readClassFolders({ names: ['train/1.jpg', 'test/2.jpg'], words: IMAGES }), {
    code: 'no_labels',
    message: /train, test name splits/,
  });
  t.throws(() => readClassFolders({ names: [' /1.jpg'], words: IMAGES }), {
    code: 'no_labels',
    message: /label is empty/,
  });
  t.end();
});

t.test('one label under two parents is an error that names both', (t) => {
  t.throws(() => readClassFolders({ names: ['a/cat/1', 'b/cat/2', 'b/dog/3'], words: IMAGES }), {
    code: 'ambiguous_layout',
    message: /"a\/cat" and "b\/cat".*Rename one, or add a labels\.csv/,
    details: { label: 'cat', folders: ['a/cat', 'b/cat'] },
  });
  t.throws(() => readClassFolders({ names: ['train/cat/1', 'test/cat/2', 'extra/cat/3'], words: IMAGES }), {
    code: 'ambiguous_layout',
  });
  t.throws(() => readClassFolders({ names: ['train/a/cat/1', 'test/b/cat/2'], words: IMAGES }), {
    code: 'ambiguous_layout',
  });
  t.end();
});
