import { AppError } from '../errors.js';

/**
 * The path of an entry as it is used from here on: `/`-separated, without `.` and empty segments.
 * A backslash counts as a separator, since it is one where many archives are made.
 * @returns an empty string for the root itself.
 * @throws AppError `archive_unsafe` that names the entry, if the path is absolute, climbs with `..` or holds a NUL.
 */
export function entryName(raw: string): string {
  const path = raw.replaceAll('\\', '/');
  const segments = path.split('/').filter((segment) => segment !== '' && segment !== '.');
  const fault = path.startsWith('/')
    ? 'an absolute path'
    : /^[A-Za-z]:/.test(path)
      ? 'the path of a drive'
      : segments.includes('..')
        ? 'a path that climbs out of the archive'
        : path.includes('\0')
          ? 'a path with a NUL character'
          : undefined;
  if (fault !== undefined) {
    throw new AppError('archive_unsafe', `The entry ${JSON.stringify(raw)} has ${fault}. Pack the folder again.`, {
      details: { entry: raw },
    });
  }
  return segments.join('/');
}
