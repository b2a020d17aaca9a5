import type { TableFile } from './contract.js';
import { nameSome } from './name-some.js';

/** A line of YOLO: the number of a class, and a box or a polygon in shares of the image. */
const YOLO_LINE = /^\d+(\s+[01]?\.?\d+(e-?\d+)?){4,}\s*$/i;
/** Most texts of one format that are looked at. */
const LOOKED_AT = 5;

/**
 * Formats of annotations that are not read here, called by their names.
 * @param names of the files that were taken
 * @param paths of all files of the archive
 * @returns sentences
 */
export function foreignFormats(tables: TableFile[], names: string[], paths: ReadonlySet<string>): string[] {
  const stems = new Set(names.map(stemOf));
  const found: string[] = [];
  for (const { name, bytes } of tables) {
    if (/\.json$/i.test(name) && isCoco(bytes)) found.push(`${name} holds COCO annotations, which are not read here.`);
  }
  const yolo = tables.filter(({ name, bytes }) => /\.txt$/i.test(name) && stems.has(stemOf(name)) && isYolo(bytes));
  if (yolo.length > 0) {
    const shown = nameSome(yolo.slice(0, LOOKED_AT).map(({ name }) => name));
    found.push(`${shown} and the like hold boxes in the format of YOLO, which are not read here.`);
  }
  const voc = [...paths].filter((path) => /\.xml$/i.test(path) && stems.has(stemOf(path)));
  if (voc.length > 0) {
    const shown = nameSome(voc.slice(0, LOOKED_AT));
    found.push(`${shown} and the like hold annotations as in Pascal VOC, which are not read here.`);
  }
  return found;
}

function isCoco(bytes: Buffer): boolean {
  const start = bytes.toString('utf8', 0, Math.min(bytes.length, 1024)).trim();
  return start.startsWith('{') && ['"images"', '"annotations"', '"categories"'].every((key) => bytes.includes(key));
}

function isYolo(bytes: Buffer): boolean {
  const lines = bytes.toString('latin1', 0, 4096).split(/\r?\n/).slice(0, LOOKED_AT).filter(Boolean);
  return lines.length > 0 && lines.every((line) => YOLO_LINE.test(line));
}

/** Name without folder and ending. */
function stemOf(path: string): string {
  return path
    .split('/')
    .at(-1)!
    .replace(/(?<=.)\.[^.]*$/, '');
}
