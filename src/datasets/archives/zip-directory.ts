import {
  type Entry,
  fromRandomAccessReaderPromise,
  getFileNameLowLevel,
  RandomAccessReader,
  type ZipFile,
} from 'yauzl';
import { AppError } from '../../errors.js';
import { type ArchiveLimits, maxUnpackedBytes, sentence, tooManyEntries } from './archive.js';
import { type CodePage, codePageOf } from './code-page.js';
import { entryName } from './entry-name.js';
import type { ReadAhead } from './read-ahead.js';

/** What the central directory says of one file. */
export interface ZipRecord {
  name: string;
  method: number;
  crc32: number;
  compressedBytes: number;
  bytes: number;
  /** Where the local header lies. */
  offset: number;
  /** Where the next local header, or the central directory, begins: the file must end before. */
  end: number;
  kind: 'file' | 'link' | 'special';
  /** By which its name was read, where it does not say. */
  codePage?: CodePage;
}

export const STORED = 0;
const DEFLATED = 8;

/** Signature of a record of the directory, and its bytes without name, extra field and comment. */
const RECORD = 0x02014b50;
const RECORD_BYTES = 46;

/** Ways of packing that other programs write, by their number in the directory. */
const OTHER_METHODS = new Map([
  [9, 'Deflate64'],
  [12, 'bzip2'],
  [14, 'LZMA'],
  [93, 'Zstandard'],
  [95, 'xz'],
  [98, 'PPMd'],
]);

/** Bytes of a local header without its name and extra field. */
export const LOCAL_HEADER_BYTES = 30;

/**
 * Read the central directory, which alone decides what is in a zip, and refuse what is hostile before a byte is inflated:
 * encryption, paths that leave the archive, files that overlap, too many files, too much growth.
 * @throws AppError `archive_damaged`, `archive_encrypted`, `archive_unsafe`, `archive_too_large`.
 */
export async function readZipDirectory(ahead: ReadAhead, limits: ArchiveLimits): Promise<ZipRecord[]> {
  const { size } = ahead;
  const { records, start } = await readEntries(ahead, limits);
  const total = records.reduce((sum, record) => sum + record.bytes, 0);
  refuseOverlaps(records, start);
  if (total > maxUnpackedBytes(size, limits)) {
    throw new AppError(
      'archive_too_large',
      `The archive would unpack to ${total} bytes, more than ${limits.maxRatio} times its size.`,
      { details: { bytes: size, unpacked_bytes: total, max_ratio: limits.maxRatio } },
    );
  }
  const files = records.filter((record) => record.name !== '');
  refuseForeignMethod(files);
  return files;
}

export function isReadMethod(method: number): boolean {
  return method === STORED || method === DEFLATED;
}

export function methodName(method: number): string {
  const name = OTHER_METHODS.get(method);
  return name ? `${name} (method ${method})` : `method ${method}`;
}

/** Where not one file could be read, the directory alone says so. */
function refuseForeignMethod(files: ZipRecord[]): void {
  const foreign = files.find(({ method }) => !isReadMethod(method));
  if (!foreign || files.some(({ method }) => isReadMethod(method))) return;
  const explorer = foreign.method === 9 ? ' Windows Explorer writes it for more than 2 GB.' : '';
  throw new AppError(
    'not_an_archive',
    `The files of this zip are compressed with ${methodName(foreign.method)}, which is not read here.${explorer} Pack the ` +
      'folder again with another program, as a zip with the method Deflate (7-Zip, zip -r) or as a tar.gz.',
    { details: { method: foreign.method } },
  );
}

async function readEntries(ahead: ReadAhead, limits: ArchiveLimits): Promise<{ records: ZipRecord[]; start: number }> {
  try {
    // Names are decoded below, so that an unsafe one is named and not just an error of the library.
    const zip = await fromRandomAccessReaderPromise(new YauzlReader(ahead), ahead.size, {
      decodeStrings: false,
      autoClose: false,
    });
    const start = cursor(zip);
    zip.entryCount = Math.max(zip.entryCount, await countRecords(ahead, start, limits.maxEntries));
    if (zip.entryCount > limits.maxEntries) throw tooManyEntries(zip.entryCount, limits.maxEntries);
    const entries: Entry[] = [];
    for await (const entry of zip.eachEntry()) entries.push(entry);
    const foreign = entries.filter(isForeign).map(({ fileNameRaw }) => fileNameRaw);
    const codePage = foreign.length > 0 ? codePageOf(foreign, limits.codePage) : undefined;
    return { records: entries.map((entry) => toRecord(entry, start, codePage)), start };
  } catch (error) {
    // yauzl's own errors carry a message and no code; all else is ours or the disk's.
    if (!(error instanceof Error) || error instanceof AppError || 'code' in error) throw error;
    if (error.message.includes('encryption')) throw encrypted('The archive');
    throw new AppError('archive_damaged', `The zip cannot be read: ${sentence(error)}`, { cause: error });
  }
}

function toRecord(entry: Entry, directoryStart: number, codePage: CodePage | undefined): ZipRecord {
  const foreign = codePage !== undefined && isForeign(entry);
  const raw = foreign && codePage.decoder ? codePage.decoder.decode(entry.fileNameRaw) : fileName(entry);
  const name = entryName(raw);
  if (entry.isEncrypted()) throw encrypted(`The entry ${JSON.stringify(raw)}`);
  return {
    name: raw.replaceAll('\\', '/').endsWith('/') ? '' : name,
    method: entry.compressionMethod,
    crc32: entry.crc32,
    compressedBytes: entry.compressedSize,
    bytes: entry.uncompressedSize,
    offset: entry.relativeOffsetOfLocalHeader,
    end: directoryStart,
    kind: unixKind(entry),
    ...(foreign && { codePage }),
  };
}

/**
 * The name of an entry. Without the UTF-8 flag the format means code page 437, but macOS writes UTF-8 and sets no flag:
 * bytes that are valid UTF-8 are taken as that.
 */
function fileName(entry: Entry): string {
  const utf8Flag = 0x800;
  const flags = entry.generalPurposeBitFlag | (isUtf8(entry.fileNameRaw) ? utf8Flag : 0);
  return getFileNameLowLevel(flags, entry.fileNameRaw, entry.extraFields, true);
}

const UTF_8 = new TextDecoder('utf-8', { fatal: true });

/** Whether a name neither says its encoding nor is UTF-8. */
function isForeign(entry: Entry): boolean {
  const unicodePath = 0x7075;
  return !isUtf8(entry.fileNameRaw) && !entry.extraFields.some(({ id }) => id === unicodePath);
}

function isUtf8(bytes: Buffer): boolean {
  try {
    UTF_8.decode(bytes);
    return true;
  } catch {
    return false;
  }
}

/** Zips made on Unix (3) and macOS (19) keep the file mode in the upper half of the external attributes. */
function unixKind(entry: Entry): ZipRecord['kind'] {
  if (![3, 19].includes(entry.versionMadeBy >>> 8)) return 'file';
  const format = (entry.externalFileAttributes >>> 16) & 0o170000;
  if (format === 0o120000) return 'link';
  return format === 0 || format === 0o100000 ? 'file' : 'special';
}

/** Sort by place in the file: each must end before the next begins. Sets `end`. */
function refuseOverlaps(records: ZipRecord[], directoryStart: number): void {
  const byOffset = records.toSorted((a, b) => a.offset - b.offset);
  for (const [i, record] of byOffset.entries()) {
    const next = byOffset[i + 1];
    record.end = next?.offset ?? directoryStart;
    if (record.offset + LOCAL_HEADER_BYTES + record.compressedBytes <= record.end) continue;
    const details = { entry: record.name };
    if (next === undefined) {
      throw new AppError('archive_damaged', `The zip is cut off within the entry ${JSON.stringify(record.name)}.`, {
        details,
      });
    }
    throw new AppError(
      'archive_unsafe',
      `The entries ${JSON.stringify(record.name)} and ${JSON.stringify(next.name)} share bytes of the archive.`,
      { details },
    );
  }
}

/**
 * The count in the end record is 16 bits wide, and macOS lets it run over: the records themselves are counted.
 * @returns at most one more than `most`
 */
async function countRecords(ahead: ReadAhead, start: number, most: number): Promise<number> {
  let count = 0;
  for (let position = start; count <= most && position + RECORD_BYTES <= ahead.size; count += 1) {
    const record = await ahead.read(position, RECORD_BYTES);
    if (record.readUInt32LE(0) !== RECORD) break;
    position += RECORD_BYTES + record.readUInt16LE(28) + record.readUInt16LE(30) + record.readUInt16LE(32);
  }
  return count;
}

/** Where yauzl stands in the directory (its type says boolean). */
function cursor(zip: ZipFile): number {
  return Number(zip.readEntryCursor);
}

function encrypted(what: string): AppError {
  return new AppError('archive_encrypted', `${what} is encrypted. Send it without a password.`);
}

/** Serves yauzl's many small reads: its own streams cost 0.1 ms a read. */
class YauzlReader extends RandomAccessReader {
  readonly #ahead: ReadAhead;

  constructor(ahead: ReadAhead) {
    super();
    this.#ahead = ahead;
  }

  override read(
    buffer: Buffer,
    offset: number,
    length: number,
    position: number,
    callback: (error: Error | null) => void,
  ): void {
    if (!(position >= 0 && position + length <= this.#ahead.size)) {
      callback(new Error('unexpected end of the file'));
      return;
    }
    this.#ahead.read(position, length).then(
      (bytes) => {
        bytes.copy(buffer, offset);
        callback(null);
      },
      (error) => callback(error),
    );
  }
}
