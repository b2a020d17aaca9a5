import type { Modality } from '../backbones/modality.js';
import { AppError } from '../errors.js';
import type { Dataset, Example, RefusedFile } from '../schemas/datasets.js';
import { classWarnings, countClasses, countSplits } from './class-counts.js';
import { joinEqualContent, type LabelledFile } from './join-equal-content.js';
import { normalise } from './labels/label.js';
import { readLabelsFile } from './labels/labels-file.js';
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

/**
 * Label what was found in an archive, make one example of each content, and describe the result.
 * @returns the lines of the index, in the order of the pack, and the description.
 * @throws AppError `archive_empty`, `no_examples`, `no_labels`, `ambiguous_layout`.
 */
export async function describeDataset(
  findings: ArchiveFindings,
  { words }: Pick<Modality, 'words'>,
): Promise<{ examples: Example[]; description: Description }> {
  const { files, refused, ignored, paths } = findings;
  if (paths.size === 0) throw new AppError('archive_empty', 'The archive holds no files.');
  if (files.length === 0) throw noExamples(refused, words);
  const labelsFiles = [];
  for (const { name, bytes } of findings.labelsFiles) labelsFiles.push(await readLabelsFile(name, bytes));
  const resolved = resolveLayout({
    names: files.map(({ name }) => name),
    labelsFiles,
    has: (path) => paths.has(normalise(path)),
    words,
  });
  const labelled: LabelledFile[] = [];
  const unplaced: RefusedFile[] = [];
  for (const [i, file] of files.entries()) {
    const place = resolved.places[i]!;
    if ('label' in place) labelled.push({ ...file, label: place.label, ...(place.split && { split: place.split }) });
    else unplaced.push({ name: file.name, code: place.code, reason: place.reason });
  }
  const allRefused = [...refused, ...unplaced, ...resolved.refused];
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
      layout: resolved.layout,
      refused_count: allRefused.length,
      duplicate_count: duplicates.length,
      class_count: classes.length,
      classes,
      refused: allRefused,
      duplicates,
      ignored,
      warnings: [...resolved.warnings, ...classWarnings(classes, words), ...conflictWarnings(conflicts, words)],
    },
  };
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
  const cut = refused.length > MAX_DETAILS ? ` The first ${MAX_DETAILS} are listed.` : '';
  return new AppError('no_examples', `No ${one} could be taken from the archive; ${files} refused.${cut}`, {
    details: { refused_count: refused.length, refused: refused.slice(0, MAX_DETAILS) },
  });
}
