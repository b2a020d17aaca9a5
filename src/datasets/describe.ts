import { AppError } from '../errors.js';
import type { Dataset, DatasetEntry, RefusedFile } from '../schemas/datasets.js';
import { classWarnings, countClasses, countSplits } from './class-counts.js';
import { leaveOutDuplicates } from './duplicates.js';
import { normalise } from './labels/label.js';
import { readLabelsFile } from './labels/labels-file.js';
import { resolveLayout } from './labels/layout.js';
import type { Findings } from './pack-content.js';

/** What the images, once labelled, say about a data set; the rest is about the upload. */
export type Description = Omit<Dataset, 'id' | 'name' | 'created_at' | 'format' | 'bytes' | 'sha256'>;

/** Most refused files in the details of an error. */
const MAX_DETAILS = 1000;

/**
 * Label what was found in an archive, leave out duplicates, and describe the result.
 * @returns the lines of the index, in the archive's order, and the description.
 * @throws AppError `archive_empty`, `no_examples`, `no_labels`, `ambiguous_layout`.
 */
export async function describe(findings: Findings): Promise<{ entries: DatasetEntry[]; description: Description }> {
  const { images, refused, ignored, paths } = findings;
  if (paths.size === 0) throw new AppError('archive_empty', 'The archive holds no files.');
  if (images.length === 0) throw noImages(refused);
  const labelsFiles = [];
  for (const { name, bytes } of findings.labelsFiles) labelsFiles.push(await readLabelsFile(name, bytes));
  const resolved = resolveLayout({
    names: images.map(({ name }) => name),
    labelsFiles,
    has: (path) => paths.has(normalise(path)),
  });
  const labelled: DatasetEntry[] = [];
  const unplaced: RefusedFile[] = [];
  for (const [i, image] of images.entries()) {
    const place = resolved.places[i]!;
    if ('label' in place) labelled.push({ ...image, label: place.label, ...(place.split && { split: place.split }) });
    else unplaced.push({ name: image.name, code: place.code, reason: place.reason });
  }
  const allRefused = [...refused, ...unplaced, ...resolved.refused];
  if (labelled.length === 0) throw noImages(allRefused);
  const { entries, duplicates } = leaveOutDuplicates(labelled);
  const classes = countClasses(entries);
  const contradictions = duplicates.filter(({ kind }) => kind === 'other_label').length;
  const warnings = [...resolved.warnings, ...classWarnings(classes)];
  if (contradictions > 0) {
    warnings.push(
      `Images with the same bytes have different labels: see the ${contradictions} duplicates other_label.`,
    );
  }
  return {
    entries,
    description: {
      examples: entries.length,
      splits: countSplits(entries),
      layout: resolved.layout,
      refused_count: allRefused.length,
      duplicate_count: duplicates.length,
      class_count: classes.length,
      classes,
      refused: allRefused,
      duplicates,
      ignored,
      warnings,
    },
  };
}

function noImages(refused: RefusedFile[]): AppError {
  const files = refused.length === 1 ? '1 file was' : `${refused.length} files were`;
  const cut = refused.length > MAX_DETAILS ? ` The first ${MAX_DETAILS} are listed.` : '';
  return new AppError('no_examples', `No image could be taken from the archive; ${files} refused.${cut}`, {
    details: { refused_count: refused.length, refused: refused.slice(0, MAX_DETAILS) },
  });
}
