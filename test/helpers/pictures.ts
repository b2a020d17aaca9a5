/** Pictures in formats that no library at hand writes. */

interface BmpOptions {
  bits?: number;
  topDown?: boolean;
  /** With the header of OS/2. */
  old?: boolean;
  /** Say which bits are which colour. */
  fields?: boolean;
}

/** @param rgb 8-bit, `[height, width, 3]`; with a palette only its first two different colours are kept */
export function bmpOf(rgb: Buffer, width: number, { bits = 24, topDown, old, fields }: BmpOptions = {}): Buffer {
  const height = rgb.length / 3 / width;
  const stride = Math.floor((bits * width + 31) / 32) * 4;
  const colours = bits <= 8 ? 1 << bits : 0;
  const headerSize = old ? 12 : 40;
  const start = 14 + headerSize + (fields ? 12 : 0) + colours * 4;
  const file = Buffer.alloc(start + stride * height);
  file.write('BM');
  file.writeUInt32LE(file.length, 2);
  file.writeUInt32LE(start, 10);
  file.writeUInt32LE(headerSize, 14);
  if (old) {
    for (const [i, value] of [width, height, 1, bits].entries()) file.writeUInt16LE(value, 18 + 2 * i);
  } else {
    file.writeInt32LE(width, 18);
    file.writeInt32LE(topDown ? -height : height, 22);
    file.writeUInt16LE(1, 26);
    file.writeUInt16LE(bits, 28);
    file.writeUInt32LE(fields ? 3 : 0, 30);
  }
  if (fields) for (const [i, mask] of [0xff, 0xff00, 0xff0000].entries()) file.writeUInt32LE(mask, 54 + 4 * i);
  const first = [rgb[0]!, rgb[1]!, rgb[2]!];
  const isFirst = (at: number) => first.every((value, i) => rgb[at + i] === value);
  let other = 0;
  while (other < rgb.length && isFirst(other)) other += 3;
  if (colours > 0) {
    file.set([...first].reverse(), 54);
    file.set([...rgb.subarray(other, other + 3)].reverse(), 58);
  }
  for (let y = 0; y < height; y += 1) {
    const row = start + stride * (topDown ? y : height - 1 - y);
    for (let x = 0; x < width; x += 1) {
      const at = 3 * (y * width + x);
      const [red, green, blue] = [rgb[at]!, rgb[at + 1]!, rgb[at + 2]!];
      if (bits <= 8) {
        const place = row + Math.floor((x * bits) / 8);
        file[place]! |= Number(!isFirst(at)) << (8 - bits * ((x % (8 / bits)) + 1));
      } else if (bits === 16) {
        file.writeUInt16LE(((red >> 3) << 10) | ((green >> 3) << 5) | (blue >> 3), row + 2 * x);
      } else {
        const order = fields ? [red, green, blue] : [blue, green, red];
        file.set(order, row + (bits / 8) * x);
      }
    }
  }
  return file;
}

/** @param rgb 8-bit, `[height, width, 3]` */
export function ppmOf(rgb: Buffer, width: number, { most = 255 } = {}): Buffer {
  const header = Buffer.from(`P6\n${width} ${rgb.length / 3 / width}\n${most}\n`);
  if (most === 255) return Buffer.concat([header, rgb]);
  const samples = Buffer.alloc(2 * rgb.length);
  rgb.forEach((value, i) => {
    samples.writeUInt16BE(Math.round((value * most) / 255), 2 * i);
  });
  return Buffer.concat([header, samples]);
}
