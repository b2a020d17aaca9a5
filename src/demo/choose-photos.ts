import { normalise } from '../datasets/labels/label.js';
import { splitNamed } from '../datasets/labels/split-names.js';
import type { Dataset } from '../schemas/datasets.js';
import type { PhotoSource } from './photo-source.js';

export interface ChosenPhoto {
  name: string;
  /** undefined where the path does not tell it, as with a labels file. */
  label: string | undefined;
  bytes: Buffer;
}

export interface Choice {
  photos: ChosenPhoto[];
  /** Whether all of them lie in the test part, which no fit ever sees. */
  unseen: boolean;
}

/**
 * A few photos of a data set to try a model on: from its test part if it has one, and of every class in turn. The names
 * are read first, then those photos alone; the same source gives the same choice.
 */
export async function choosePhotos(source: PhotoSource, dataset: Dataset, count: number): Promise<Choice> {
  const refused = new Set(dataset.refused.map(({ name }) => name));
  const labels = new Set(dataset.classes.map(({ label }) => label));
  const unseen = dataset.layout.kind === 'split_folders' && (dataset.splits?.test ?? 0) > 0;
  const classes = new Map<string, string[]>();
  for await (const { name } of source.photos()) {
    const folders = name.split('/').slice(0, -1);
    if (refused.has(name) || (unseen && !folders.some((folder) => splitNamed(folder) === 'test'))) continue;
    const folder = normalise(folders.at(-1) ?? '');
    const label = labels.has(folder) ? folder : '';
    const names = classes.get(label);
    if (names) names.push(name);
    else classes.set(label, [name]);
  }
  const chosen = new Map(inTurn([...classes], count));
  const photos: ChosenPhoto[] = [];
  for await (const { name, read } of source.photos()) {
    const label = chosen.get(name);
    if (label !== undefined) photos.push({ name, label: label || undefined, bytes: await read() });
  }
  return { photos, unseen };
}

/** `count` pairs of name and label: of every class in turn, and of each class from all over its list. */
function inTurn(classes: [label: string, names: string[]][], count: number): [name: string, label: string][] {
  const turns = Math.ceil(count / Math.max(1, classes.length));
  const pairs = Array.from({ length: turns }, (_, turn) =>
    classes.flatMap(([label, names]): [string, string][] => {
      const place = Math.floor(((turn + 0.5) / turns) * names.length);
      return turn < names.length ? [[names[place]!, label]] : [];
    }),
  ).flat();
  // with more classes than photos, not only the first of the alphabet
  const step = Math.max(1, pairs.length / count);
  return Array.from({ length: Math.min(count, pairs.length) }, (_, i) => pairs[Math.floor(i * step)]!);
}
