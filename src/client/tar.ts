/** A file that goes into an archive. */
export interface TarFile {
  /** Path inside the archive. */
  name: string;
  content: Blob;
}

type BlobParts = NonNullable<ConstructorParameters<typeof Blob>[0]>;

const BLOCK = 512;
/** Bytes of a path in the header of an entry. */
const MAX_NAME = 100;

/**
 * A tar of files, which are referenced and not copied: it takes no memory but for its headers. Long and foreign names stand in
 * records of PAX. Format: POSIX.1-2001, ustar.
 */
export function tarOf(files: TarFile[]): Blob {
  const parts: BlobParts = [];
  for (const { name, content } of files) {
    const bytes = new TextEncoder().encode(name);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: what is not ASCII
    if (bytes.length > MAX_NAME || !/^[\x00-\x7f]*$/.test(name)) {
      const record = paxRecord('path', name);
      parts.push(header('pax', record.length, 'x'), record, padding(record.length));
    }
    parts.push(header(name, content.size, '0'), content, padding(content.size));
  }
  parts.push(new Uint8Array(2 * BLOCK));
  return new Blob(parts, { type: 'application/x-tar' });
}

function padding(size: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array((BLOCK - (size % BLOCK)) % BLOCK);
}

/** `<length> path=<name>\n`, where the length counts its own digits. */
function paxRecord(key: string, value: string): Uint8Array<ArrayBuffer> {
  const rest = new TextEncoder().encode(` ${key}=${value}\n`);
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return new Uint8Array([...new TextEncoder().encode(String(length)), ...rest]);
}

function header(name: string, size: number, type: string): Uint8Array<ArrayBuffer> {
  const block = new Uint8Array(BLOCK);
  const write = (text: string, at: number, most: number) => {
    block.set(new TextEncoder().encode(text).subarray(0, most), at);
  };
  write(name, 0, MAX_NAME);
  write('0000644\0', 100, 8);
  write('0000000\0', 108, 8);
  write('0000000\0', 116, 8);
  write(`${size.toString(8).padStart(11, '0')}\0`, 124, 12);
  write('00000000000\0', 136, 12);
  write('        ', 148, 8);
  write(type, 156, 1);
  write('ustar\0', 257, 6);
  write('00', 263, 2);
  const sum = block.reduce((total, byte) => total + byte, 0);
  write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 8);
  return block;
}
