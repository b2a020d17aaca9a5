import t from 'tap';
import { entryKind } from '../../src/datasets/entry-kind.js';

t.test('a path says what can only be junk, labels, an archive or hidden', (t) => {
  const kinds = {
    junk: [
      '.ipynb_checkpoints/a.jpg',
      'rose/@eaDir/1.jpg/thumb.jpg',
      '.Trash-1000/files/old.jpg',
      '.git/x',
      '$RECYCLE.BIN/1.jpg',
      '.DS_Store',
      'cat/Thumbs.db',
      'desktop.ini',
      '__MACOSX/cat/._1.jpg',
      'cat/._1.jpg',
    ],
    labels_file: ['labels.csv', 'train/Metadata.JSONL', 'a/b/metadata.csv'],
    archive: ['more.zip', 'cat/x.tar.gz', 'x.TGZ', 'x.7z'],
    hidden: ['.gitkeep', 'cat/.hidden'],
    table: ['other.csv', 'cat/list.TXT', 'train.tsv', 'names.json'],
    file: ['README.md', '1.jpg', 'cat/1', 'cat/photo.', 'cat/x.heic', 'jpg'],
  };
  for (const [kind, paths] of Object.entries(kinds)) for (const path of paths) t.equal(entryKind(path), kind, path);
  t.end();
});
