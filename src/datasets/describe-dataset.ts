import type { Modality } from '../backbones/modality.js';
import { AppError } from '../errors.js';
import type { ClassCount, Dataset, DatasetLayout, Example, LayoutWanted, RefusedFile } from '../schemas/datasets.js';
import { classWarnings, countClasses, countSplits } from './class-counts.js';
import { joinEqualContent, type LabelledFile } from './join-equal-content.js';
import { normalise } from './labels/label.js';
import type { ResolvedLayout } from './labels/contract.js';
import { resolveLayout } from './labels/layout.js';
import { nameSome } from './labels/name-some.js';
import type { ArchiveFindings } from './pack-content.js';

/** What the examples, once labelled, say about a data set; the rest is about the upload. */
export type Description = Omit<
  Dataset,
  'format' | 'id' | 'name' | 'created_at' | 'by' | 'modality' | 'archive_format' | 'bytes' | 'sha256'
>;

/** Most refused files in the details of an error. */
const MAX_DETAILS = 1000;
/** Most folders that are named as left out. */
const MAX_FOLDERS = 100;

/**
 * Label what was found in an archive, make one example of each content, and describe the result.
 * @returns the lines of the index, in the order of the pack, and the description.
 * @throws AppError `archive_empty`, `no_examples`, `no_labels`, `ambiguous_layout`.
 */
export async function describeDataset(
  findings: ArchiveFindings,
  modality: Pick<Modality, 'words' | 'mayBeContent'>,
  wanted?: LayoutWanted,
): Promise<{ examples: Example[]; description: Description }> {
  const { files, ignored, paths } = findings;
  const { words } = modality;
  if (paths.size === 0) throw new AppError('archive_empty', 'The archive holds no files.');
  if (files.length === 0)
    throw noExamples(inOrder([...findings.refused, ...findings.tables.map(asRefused)], paths), words);
  const resolved: ResolvedLayout = findings.rows
    ? { ...findings.rows, refused: [] }
    : await resolveLayout({
        names: files.map(({ name }) => name),
        digests: files.map(({ sha256 }) => sha256),
        tables: findings.tables,
        paths,
        modality,
        ...(wanted && { wanted }),
      });
  const unused = findings.tables.filter(({ name }) => !resolved.tables.includes(name));
  const labelled: LabelledFile[] = [];
  const unplaced: RefusedFile[] = [];
  for (const [i, file] of files.entries()) {
    const place = resolved.places[i]!;
    if ('label' in place) labelled.push({ ...file, label: place.label, ...(place.split && { split: place.split }) });
    else unplaced.push({ name: file.name, code: place.code, reason: place.reason });
  }
  const allRefused = inOrder([...findings.refused, ...unused.map(asRefused), ...unplaced, ...resolved.refused], paths);
  if (labelled.length === 0) throw noExamples(allRefused, words);
  const { examples, duplicates } = joinEqualContent(labelled);
  const classes = countClasses(examples);
  const conflicts = examples.filter(({ conflict }) => conflict);
  return {
    examples,
    description: {
      examples: examples.length,
      conflicts: conflicts.length,
      stored_bytes: findings.packBytes,
      splits: countSplits(examples),
      layout: { ...resolved.layout, ...leftOut(unplaced) },
      refused_count: allRefused.length,
      duplicate_count: duplicates.length,
      class_count: classes.length,
      classes,
      refused: allRefused,
      duplicates,
      ignored,
      warnings: [
        ...codePageWarning(findings.codePage, classes),
        ...resolved.warnings,
        ...classWarnings(classes, words),
        ...conflictWarnings(conflicts, words),
      ],
    },
  };
}

/** Folders of files that got no label. */
function leftOut(unplaced: RefusedFile[]): Pick<DatasetLayout, 'left_out'> {
  if (unplaced.length === 0) return {};
  const counts = new Map<string, number>();
  for (const { name } of unplaced) {
    const folder = name.split('/').slice(0, -1).join('/');
    counts.set(folder, (counts.get(folder) ?? 0) + 1);
  }
  return { left_out: [...counts].slice(0, MAX_FOLDERS).map(([folder, files]) => ({ folder, files })) };
}

/** In the order of the archive. */
function inOrder(refused: RefusedFile[], paths: Set<string>): RefusedFile[] {
  const places = new Map([...paths].map((path, place) => [path, place]));
  return refused.sort((a, b) => (places.get(normalise(a.name)) ?? 0) - (places.get(normalise(b.name)) ?? 0));
}

function asRefused({ name, otherwise }: ArchiveFindings['tables'][number]): RefusedFile {
  return { name, ...otherwise };
}

/** Names in a code page that only the sender knows. */
function codePageWarning(codePage: ArchiveFindings['codePage'], classes: ClassCount[]): string[] {
  if (!codePage) return [];
  const labels = classes.map(({ label }) => JSON.stringify(label)).join(', ');
  if (codePage.sure) return [`Names in the zip were read in the code page ${codePage.name}: ${labels}.`];
  return [
    `Names in the zip do not say their code page and were read as ${codePage.name}. The labels are ${labels}. If they look ` +
      'wrong, send the form field layout={"code_page":"shift_jis"} with the right one.',
  ];
}

function conflictWarnings(conflicts: Example[], { one, many }: Modality['words']): string[] {
  if (conflicts.length === 0) return [];
  const which = nameSome(
    conflicts.map(({ name, labels }) => `${name} (${labels.map((label) => JSON.stringify(label)).join(', ')})`),
  );
  const [have, are] = conflicts.length === 1 ? [`${one} has`, 'It is'] : [`${many} have`, 'They are'];
  return [
    `${conflicts.length} ${have} several labels: ${which}. ${are} left out of training. Keep each under one label and upload again.`,
  ];
}

function noExamples(refused: RefusedFile[], { one }: Modality['words']): AppError {
  const files = refused.length === 1 ? '1 file was' : `${refused.length} files were`;
  const counts = new Map<string, number>();
  for (const { code } of refused) counts.set(code, (counts.get(code) ?? 0) + 1);
  const [most] = [...counts].sort((a, b) => b[1] - a[1]).map(([code]) => code);
  const example = refused.find(({ code }) => code === most);
  const why = example ? ` ${example.name}: ${example.reason}` : '';
  const cut = refused.length > MAX_DETAILS ? ` The first ${MAX_DETAILS} are listed.` : '';
  return new AppError('no_examples', `No ${one} could be taken from the archive; ${files} refused.${why}${cut}`, {
    details: { refused_count: refused.length, refused: refused.slice(0, MAX_DETAILS) },
  });
}
