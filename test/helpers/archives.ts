/** Archives for tests, written byte by byte so that every field can lie. */
import { crc32, deflateRawSync } from 'node:zlib';

export interface ZipFile {
  name: string | Buffer;
  bytes?: Buffer | string;
  /** Default: deflated. */
  stored?: boolean;
  /** What the directory says instead of the truth. */
  says?: { method?: number; flags?: number; crc32?: number; bytes?: number; compressedBytes?: number; offset?: number };
  /** Name in the local header, where it differs. */
  localName?: string;
  /** File mode of Unix, such as 0o120777 for a symbolic link. */
  mode?: number;
  extra?: Buffer;
}

/** A zip of these files. `entryCount` overrides what the end record says. */
export function zip(files: ZipFile[], { entryCount = files.length }: { entryCount?: number } = {}): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name, bytes = '', stored = false, says = {}, localName, mode, extra = Buffer.alloc(0) } of files) {
    const content = Buffer.from(bytes);
    const data = stored ? content : deflateRawSync(content);
    const method = says.method ?? (stored ? 0 : 8);
    // 0x800: the name is UTF-8. A name given as bytes comes without the flag.
    const flags = says.flags ?? (typeof name === 'string' ? 0x800 : 0);
    const common = (nameBytes: Buffer) => {
      const fields = Buffer.alloc(26);
      fields.writeUInt16LE(20, 0);
      fields.writeUInt16LE(flags, 2);
      fields.writeUInt16LE(method, 4);
      fields.writeUInt32LE(says.crc32 ?? crc32(content), 10);
      fields.writeUInt32LE(says.compressedBytes ?? data.length, 14);
      fields.writeUInt32LE(says.bytes ?? content.length, 18);
      fields.writeUInt16LE(nameBytes.length, 22);
      fields.writeUInt16LE(extra.length, 24);
      return fields;
    };
    const local = Buffer.from(localName ?? name);
    parts.push(Buffer.from('PK\x03\x04'), common(local), local, extra, data);
    const central = Buffer.from(name);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(((mode ?? 0) << 16) >>> 0, 6);
    tail.writeUInt32LE(says.offset ?? offset, 10);
    // 3: made on Unix, so that the mode counts.
    directory.push(Buffer.from('PK\x01\x02'), Buffer.from([20, mode ? 3 : 0]), common(central), tail, central, extra);
    offset += 30 + local.length + extra.length + data.length;
  }
  const central = Buffer.concat(directory);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(entryCount, 8);
  end.writeUInt16LE(entryCount, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...parts, central, end]);
}

export interface TarFile {
  name: string;
  bytes?: Buffer | string;
  /** Type flag: `0` file, `1` hard link, `2` symbolic link, `3` and `4` devices, `5` folder, `6` fifo, `x` PAX. */
  type?: string;
  linkName?: string;
  /** Size in the header, where it lies. */
  says?: { bytes?: number };
  /** Written as a PAX header before the file. */
  pax?: Record<string, string>;
}

/** A tar of these files; `end: false` leaves out its end marker. */
export function tar(files: TarFile[], { end = true }: { end?: boolean } = {}): Buffer {
  const blocks = files.flatMap(({ pax, ...file }) =>
    pax ? [tarBlocks({ name: 'pax', type: 'x', bytes: paxRecords(pax) }), tarBlocks(file)] : [tarBlocks(file)],
  );
  return Buffer.concat([...blocks, Buffer.alloc(end ? 1024 : 0)]);
}

function tarBlocks({ name, bytes = '', type = '0', linkName = '', says = {} }: TarFile): Buffer {
  const content = Buffer.from(bytes);
  const header = Buffer.alloc(512);
  header.write(name, 0, 100);
  header.write('0000644\0', 100);
  header.write(`${(says.bytes ?? content.length).toString(8).padStart(11, '0')}\0`, 124);
  header.write('00000000000\0', 136);
  header.write('        ', 148);
  header.write(type, 156);
  header.write(linkName, 157, 100);
  header.write('ustar\x0000', 257);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return Buffer.concat([header, content, Buffer.alloc((512 - (content.length % 512)) % 512)]);
}

function paxRecords(pax: Record<string, string>): string {
  return Object.entries(pax)
    .map(([key, value]) => {
      const rest = ` ${key}=${value}\n`;
      let length = Buffer.byteLength(rest);
      while (length !== Buffer.byteLength(rest) + String(length).length) {
        length = Buffer.byteLength(rest) + String(length).length;
      }
      return length + rest;
    })
    .join('');
}
