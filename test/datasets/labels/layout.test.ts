import t from 'tap';
import { mayBeImage } from '../../../src/backbones/image/names.js';
import type { LayoutInput } from '../../../src/datasets/labels/contract.js';
import { resolveLayout } from '../../../src/datasets/labels/layout.js';
import type { LayoutWanted } from '../../../src/schemas/datasets.js';

interface Archive {
  /** Paths of images. */
  names: string[];
  /** Path to text. */
  tables?: Record<string, string>;
  /** Names of images whose bytes are those of another one. */
  copies?: Record<string, string>;
  /** Paths of files of other kinds. */
  others?: string[];
  wanted?: LayoutWanted;
}

/** How an archive is understood, in short: path to label, split:label or !code. */
async function understood({ names, tables = {}, copies = {}, others = [], wanted }: Archive) {
  const canonical = /(^|\/)(labels\.csv|metadata\.(csv|jsonl))$/;
  const input: LayoutInput = {
    names,
    digests: names.map((name) => copies[name] ?? name),
    tables: Object.entries(tables).map(([name, text]) => ({
      name,
      bytes: Buffer.from(text),
      canonical: canonical.test(name),
    })),
    paths: new Set([...names, ...others, ...Object.keys(tables)]),
    modality: { words: { one: 'image', many: 'images' }, mayBeContent: mayBeImage },
    ...(wanted && { wanted }),
  };
  const { layout, places, warnings } = await resolveLayout(input);
  const short = places.map((place) =>
    'code' in place ? `!${place.code}` : [place.split, place.label].filter(Boolean).join(':'),
  );
  return { layout, places: short, warnings: warnings.join('\n') };
}

const readings: [what: string, archive: Archive, places: string[], says?: RegExp][] = [
  [
    'ids without ending, and images without a label',
    {
      names: ['train/a1.jpg', 'train/b2.jpg', 'test/c3.jpg'],
      tables: { 'labels.csv': 'id,breed\na1,pug\nb2,collie', 'sample_submission.csv': 'id,pug,collie\nc3,0.5,0.5' },
    },
    ['train:pug', 'train:collie', '!not_listed'],
    /without their ending.*\n1 image without a label.*test\/c3\.jpg/s,
  ],
  [
    'a table beside bags of images, which are no classes',
    {
      names: ['part_1/I1.jpg', 'part_1/I2.jpg', 'part_2/I3.jpg', 'part_2/I4.jpg'],
      tables: { 'meta.csv': 'lesion,image_id,dx,age\nL1,I1,nv,50.0\nL2,I2,mel,51.5\nL3,I3,nv,50.0\nL4,I4,mel,40.0' },
    },
    ['nv', 'mel', 'nv', 'mel'],
    /not used: lesion, age/,
  ],
  [
    'one-hot tables in split folders',
    {
      names: ['train/1.jpg', 'train/2.jpg', 'valid/3.jpg'],
      tables: {
        'train/_classes.csv': 'filename, daisy, rose\n1.jpg, 1, 0\n2.jpg, 0, 1',
        'valid/_classes.csv': 'filename, daisy, rose\n3.jpg, 1, 0',
      },
    },
    ['train:daisy', 'train:rose', 'validation:daisy'],
  ],
  [
    'class folders for training and a table for validation, as in Tiny ImageNet',
    {
      names: [
        'tiny/train/n01/images/n01_0.JPEG',
        'tiny/train/n01/images/n01_1.JPEG',
        'tiny/train/n02/images/n02_0.JPEG',
        'tiny/val/images/val_0.JPEG',
        'tiny/val/images/val_1.JPEG',
        'tiny/val/images/val_2.JPEG',
        'tiny/val/images/val_3.JPEG',
        'tiny/test/images/test_0.JPEG',
      ],
      tables: {
        'tiny/val/val_annotations.txt':
          'val_0.JPEG\tn01\t0\t32\t44\t62\nval_1.JPEG\tn02\t52\t55\t57\t59\nval_2.JPEG\tn01\t0\t32\t44\t62\nval_3.JPEG\tn02\t52\t55\t57\t59',
        'tiny/wnids.txt': 'n01\nn02',
      },
    },
    [
      ...['train:n01', 'train:n01', 'train:n02'],
      ...['validation:n01', 'validation:n02', 'validation:n01', 'validation:n02', '!unlabelled'],
    ],
    /for training are those of the folders; tiny\/val\/val_annotations.txt labels what is held out/,
  ],
  [
    'class folders for training, and a table of the test part beside a flat folder',
    {
      names: ['Train/0/a.png', 'Train/1/b.png', 'Test/c.png', 'Test/d.png'],
      tables: { 'Test.csv': 'Width,ClassId,Path\n30,0,Test/c.png\n31,1,Test/d.png' },
    },
    ['train:0', 'train:1', 'test:0', 'test:1'],
  ],
  [
    'folds hold the same classes',
    { names: ['fold_1/cat/a.png', 'fold_2/cat/b.png', 'fold_1/dog/c.png', 'fold_2/dog/d.png'] },
    ['cat', 'cat', 'dog', 'dog'],
    /fold_1, fold_2 hold the same classes/,
  ],
  [
    'a column of folds is named, and how to use it',
    {
      names: ['i/a.png', 'i/b.png', 'i/c.png', 'i/d.png'],
      tables: { 'train.csv': 'image,label,fold\na.png,x,0\nb.png,y,0\nc.png,x,1\nd.png,y,1' },
    },
    ['x', 'y', 'x', 'y'],
    /fold of train.csv names no splits: its values are 0, 1.*"splits":{"0":"test"}/,
  ],
  [
    'a column of folds is used as the sender says',
    {
      names: ['i/a.png', 'i/b.png', 'i/c.png', 'i/d.png'],
      tables: { 'train.csv': 'image,label,fold\na.png,x,0\nb.png,y,0\nc.png,x,1\nd.png,y,1' },
      wanted: { columns: { split: 'fold' }, splits: { 0: 'test', 1: 'train' } },
    },
    ['test:x', 'test:y', 'train:x', 'train:y'],
  ],
  [
    'an export of Label Studio',
    {
      names: ['images/d0.jpg', 'images/r0.jpg'],
      tables: {
        'project.csv':
          'annotation_id,choice,image\n1,Daisy,/data/upload/1/a849c737-d0.jpg\n2,Rose,/data/upload/1/64f40d39-r0.jpg',
      },
    },
    ['Daisy', 'Rose'],
    /end of the path decided/,
  ],
  [
    'a table without header, with splits',
    {
      names: ['d0.jpg', 'r0.jpg'],
      tables: { 'import.csv': 'TRAIN,gs://my-bucket/flowers/d0.jpg,daisy\nTEST,gs://my-bucket/flowers/r0.jpg,rose' },
    },
    ['train:daisy', 'test:rose'],
  ],
  [
    'a table that holds no labels, beside class folders',
    {
      names: ['daisy/0.jpg', 'rose/0.jpg'],
      tables: {
        'metadata.jsonl': '{"file_name":"daisy/0.jpg","text":"a photo"}\n{"file_name":"rose/0.jpg","text":"a photo"}',
      },
    },
    ['daisy', 'rose'],
    /metadata\.jsonl gives no labels/,
  ],
  [
    'a table that may hold labels, beside class folders',
    {
      names: ['daisy/0.jpg', 'daisy/1.jpg', 'rose/0.jpg', 'rose/1.jpg'],
      tables: { 'about.csv': 'file,camera\ndaisy/0.jpg,A\ndaisy/1.jpg,B\nrose/0.jpg,A\nrose/1.jpg,B' },
    },
    ['daisy', 'daisy', 'rose', 'rose'],
    /about\.csv may hold labels, too, in file, camera; the folders were taken/,
  ],
  [
    'a table of the names of classes',
    {
      names: ['DATA/0/0.png', 'DATA/1/0.png'],
      tables: { 'labels.csv': 'ClassId,Name\n0,Speed limit (20km/h)\n1,Stop' },
    },
    ['Speed limit (20km/h)', 'Stop'],
    /labels\.csv gave the names of the classes: 0 is "Speed limit/,
  ],
  [
    'a JSON object of the names of classes',
    {
      names: ['i/7.jpg', 'i/8.jpg'],
      tables: { 'train.csv': 'image_id,label\n7.jpg,0\n8.jpg,1', 'names.json': '{"0":"daisy","1":"rose"}' },
    },
    ['daisy', 'rose'],
    /names\.json gave the names/,
  ],
  [
    'parts of the names of splits, repeated folders, and one that is neither',
    {
      names: [
        'seg_train/seg_train/sea/0.jpg',
        'seg_train/seg_train/ice/0.jpg',
        'seg_test/seg_test/sea/1.jpg',
        'seg_pred/seg_pred/2.jpg',
      ],
    },
    ['train:sea', 'train:ice', 'test:sea', '!beside_splits'],
    /images in seg_pred\/seg_pred \(1\)/,
  ],
  [
    'a flat test folder beside the class root',
    { names: ['abc_train/abc_train/A/1.jpg', 'abc_train/abc_train/B/1.jpg', 'abc_test/abc_test/A.jpg'] },
    ['train:A', 'train:B', '!no_class_folder'],
    /abc_test\/abc_test/,
  ],
  ['train and validate', { names: ['train/a/1.jpg', 'validate/a/2.jpg'] }, ['train:a', 'validation:a']],
  [
    'stray folders beside splits',
    { names: ['x/data/train/a/1.jpg', 'x/data/train/b/1.jpg', 'x/data/test/a/2.jpg', 'x/docs/shot.png'] },
    ['train:a', 'train:b', 'test:a', '!beside_splits'],
    /x\/docs \(1\)/,
  ],
  [
    'a copy of the tree within itself',
    {
      names: ['x/train/a/1.jpg', 'x/test/a/2.jpg', 'x/x/train/a/1.jpg', 'x/x/test/a/2.jpg'],
      copies: { 'x/x/train/a/1.jpg': 'x/train/a/1.jpg', 'x/x/test/a/2.jpg': 'x/test/a/2.jpg' },
    },
    ['train:a', 'test:a', '!beside_splits', '!beside_splits'],
    /x\/x/,
  ],
  [
    'folders at several depths',
    { names: ['rose/1.jpg', 'daisy/red/1.jpg', 'daisy/white/1.jpg'] },
    ['rose', 'red', 'white'],
    /different depths: daisy\/red, daisy\/white/,
  ],
  [
    'images that nobody has labelled',
    { names: ['daisy/1.jpg', 'rose/1.jpg', 'no_label/1.jpg'] },
    ['daisy', 'rose', '!unlabelled'],
    /no_label \(1\)/,
  ],
  [
    'a folder called images in each class',
    { names: ['train/n01/images/1.jpg', 'train/n02/images/2.jpg', 'val/n01/images/3.jpg'] },
    ['train:n01', 'train:n02', 'validation:n01'],
  ],
  [
    'bags of images, and a table with several labels in a cell',
    {
      names: ['images_001/images/1.png', 'images_002/images/2.png'],
      tables: {
        'Data_Entry_2017.csv': 'Image Index,Finding Labels,Patient Age\n1.png,Mass|Edema,58.5\n2.png,Mass,33.5',
      },
    },
    ['Mass|Edema', 'Mass'],
    /several labels, separated by "\|"/,
  ],
  [
    'class names that go on in one split',
    {
      names: ['train/adeno_left.lobe_T2/1.png', 'train/normal/2.png', 'test/adeno/3.png', 'test/normal/4.png'],
    },
    ['train:adeno', 'train:normal', 'test:adeno', 'test:normal'],
    /"adeno_left\.lobe_T2" as "adeno"/,
  ],
  [
    'a table for each class',
    {
      names: ['00000/1.ppm', '00001/1.ppm'],
      tables: {
        '00000/GT-00000.csv': 'Filename;Width;ClassId\n1.ppm;29;0',
        '00001/GT-00001.csv': 'Filename;Width;ClassId\n1.ppm;31;1',
      },
    },
    ['0', '1'],
    /Width/,
  ],
  [
    'names, where the sender says so',
    { names: ['images/Abyssinian_1.jpg', 'images/pug_2.jpg', 'images/x.jpg'], wanted: { kind: 'names' } },
    ['Abyssinian', 'pug', '!no_label'],
  ],
  [
    'columns, where the sender says so',
    {
      names: ['a.jpg', 'b.jpg', 'c.jpg', 'd.jpg'],
      tables: { 't.csv': 'file,colour,shape\na.jpg,red,round\nb.jpg,red,flat\nc.jpg,blue,round\nd.jpg,blue,flat' },
      wanted: { columns: { label: 'shape' } },
    },
    ['round', 'flat', 'round', 'flat'],
  ],
  [
    'folders that are splits, where the sender says so',
    {
      names: ['2019/a/1.jpg', '2020/a/2.jpg'],
      wanted: { kind: 'folders', splits: { '2019': 'train', '2020': 'test' } },
    },
    ['train:a', 'test:a'],
  ],
  [
    'folders instead of a table, where the sender says so',
    {
      names: ['a/1.jpg', 'b/2.jpg'],
      tables: { 'labels.csv': 'file_name,label\na/1.jpg,x\nb/2.jpg,y' },
      wanted: { kind: 'folders' },
    },
    ['a', 'b'],
  ],
];

for (const [what, archive, places, says] of readings) {
  t.test(`an archive is understood: ${what}`, async (t) => {
    const found = await understood(archive);
    t.same(found.places, places);
    if (says) t.match(found.warnings, says);
  });
}

const refusals: [what: string, archive: Archive, code: string, says: RegExp][] = [
  [
    'labels in the names of files of one folder',
    { names: ['images/pug_1.jpg', 'images/pug_2.jpg', 'images/cat_1.jpg', 'images/cat_2.jpg'] },
    'no_labels',
    /begin with pug, cat\. .*layout=\{"kind":"names","pattern":"\{label\}_\{number\}"\}/,
  ],
  [
    'a table that promises labels and names other files',
    { names: ['a/1.jpg', 'b/2.jpg'], tables: { 'labels.csv': 'file_name,label\nx.jpg,x' } },
    'no_labels',
    /labels\.csv gives no labels: no column of it names files.*layout=\{"kind":"folders"\}/,
  ],
  [
    'columns that may both hold the labels',
    {
      names: ['a.jpg', 'b.jpg', 'c.jpg', 'd.jpg'],
      tables: { 't.csv': 'file,colour,shape\na.jpg,red,round\nb.jpg,red,flat\nc.jpg,blue,round\nd.jpg,blue,flat' },
    },
    'ambiguous_layout',
    /colour, shape/,
  ],
  [
    'annotations of COCO',
    { names: ['1.jpg', '2.jpg'], tables: { 'instances.json': '{"images":[],"annotations":[],"categories":[]}' } },
    'no_labels',
    /instances\.json holds COCO annotations/,
  ],
  [
    'boxes of YOLO beside images',
    {
      names: ['train/images/1.jpg', 'train/images/2.jpg', 'valid/images/3.jpg'],
      tables: {
        'train/labels/1.txt': '0 0.5 0.5 0.2 0.3\n1 0.1 0.2 0.3 0.4\n',
        'valid/labels/3.txt': '0 0.5 0.5 0.25 1',
      },
    },
    'no_labels',
    /train\/labels\/1\.txt, valid\/labels\/3\.txt.*YOLO, which are not read here/,
  ],
  [
    'annotations of Pascal VOC',
    { names: ['JPEGImages/1.jpg', 'JPEGImages/2.jpg'], others: ['Annotations/1.xml', 'Annotations/2.xml'] },
    'no_labels',
    /Annotations\/1\.xml.*Pascal VOC/,
  ],
  [
    'a table of the test part whose classes are not those of the folders for training',
    {
      names: ['train/cat/1.jpg', 'train/dog/2.jpg', 'test/3.jpg', 'test/4.jpg'],
      tables: { 'test.csv': 'file,label\ntest/3.jpg,0\ntest/4.jpg,1' },
    },
    'ambiguous_layout',
    /test\.csv labels what is held out with names that no folder for training has: 0, 1\. The folders are cat, dog/,
  ],
  [
    'a second tree that is no copy',
    { names: ['x/train/a/1.jpg', 'x/test/a/2.jpg', 'x/x/train/a/3.jpg', 'x/x/test/a/4.jpg'] },
    'ambiguous_layout',
    /"x\/test\/a" and "x\/x\/train\/a"/,
  ],
  [
    'a table that is not there',
    { names: ['a/1.jpg'], tables: { 'x.csv': 'a,b\n1,2' }, wanted: { table: 'y.csv' } },
    'no_labels',
    /no table y\.csv\. It has x\.csv/,
  ],
  [
    'a pattern without a label',
    { names: ['a.jpg'], wanted: { kind: 'names', pattern: 'x' } },
    'no_labels',
    /needs \{label\} once/,
  ],
  [
    'a pattern that fits nothing',
    { names: ['a.jpg'], wanted: { kind: 'names', pattern: '{label}_{number}' } },
    'no_labels',
    /No name fits/,
  ],
  [
    'a column that is not there',
    {
      names: ['a.jpg'],
      tables: { 't.csv': 'file,label\na.jpg,x' },
      wanted: { table: 't.csv', columns: { label: 'class' } },
    },
    'no_labels',
    /no column "class"\. It has file, label/,
  ],
];

for (const [what, archive, code, says] of refusals) {
  t.test(`an archive is refused with what to do: ${what}`, async (t) => {
    await t.rejects(understood(archive), { code, message: says });
  });
}
