import { AppError } from '../../errors.js';

/** Longer and deeper than any folder of examples; far beyond, names alone could fill the memory. */
const MAX_CHARACTERS = 1024;
const MAX_FOLDERS = 64;

/**
 * The path of an entry as it is used from here on: `/`-separated, without `.` and empty segments.
 * A backslash counts as a separator, since it is one where many archives are made.
 * @returns an empty string for the root itself.
 * @throws AppError `archive_unsafe` that names the entry, if the path is absolute, climbs with `..`, holds a NUL or is
 * too long.
 */
export function entryName(raw: string): string {
  const path = raw.replaceAll('\\', '/');
  const segments = path.split('/').filter((segment) => segment !== '' && segment !== '.');
  const fault = faultOf(path, segments);
  if (fault !== undefined) {
    const shown = JSON.stringify(raw.slice(0, MAX_CHARACTERS));
    throw new AppError('archive_unsafe', `The entry ${shown} has ${fault}. Pack the folder again.`, {
      details: { entry: raw.slice(0, MAX_CHARACTERS) },
    });
  }
  return segments.join('/');
}

function faultOf(path: string, segments: string[]): string | undefined {
  if (path.startsWith('/')) return 'an absolute path';
  if (/^[A-Za-z]:/.test(path)) return 'the path of a drive';
  if (segments.includes('..')) return 'a path that climbs out of the archive';
  if (path.includes('\0')) return 'a path with a NUL character';
  if (path.length > MAX_CHARACTERS) return `a path of ${path.length} characters; at most ${MAX_CHARACTERS} are taken`;
  if (segments.length > MAX_FOLDERS) return `a path of ${segments.length} folders; at most ${MAX_FOLDERS} are taken`;
  return undefined;
}
