import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp, { type Sharp } from 'sharp';
import t from 'tap';
import { sniffImage } from '../../../src/backbones/image/formats.js';
import { decodeImage, inspectImage, oddImage } from '../../../src/backbones/image/pixels.js';
import { bmpOf, ppmOf } from '../../helpers/pictures.js';
import type { Variation } from '../../../src/backbones/image/variations.js';
import { needs, SHARED } from '../../helpers/shared.js';

const LIMITS = { maxPixels: 50_000_000 };
const STRETCH = { input: { name: 'images', width: 32, height: 32 }, resize: { mode: 'stretch' as const } };
const CROP = { input: STRETCH.input, resize: { mode: 'crop' as const, short_side: 32 } };
const PLAIN: Variation = { flip: false, box: { left: 0, top: 0, width: 1, height: 1 }, rotation: 0, shear: 0 };

const RED = [220, 40, 40];
const GREEN = [40, 180, 60];
const BLUE = [40, 60, 200];
const YELLOW = [230, 220, 60];

/** A picture of four coloured quarters: red, green over blue, yellow. */
function quarters(width: number, height: number) {
  const pixels = Buffer.alloc(width * height * 3);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const [left, right] = y < height / 2 ? [RED, GREEN] : [BLUE, YELLOW];
      pixels.set(x < width / 2 ? left : right, (y * width + x) * 3);
    }
  }
  return sharp(pixels, { raw: { width, height, channels: 3 } });
}

function at(pixels: Uint8Array, x: number, y: number, width = 32): number[] {
  return [...pixels.subarray((y * width + x) * 3, (y * width + x) * 3 + 3)];
}

/** Colours in the middle of the four quarters, row by row. */
function corners(pixels: Uint8Array, width = 32, height = width): number[][] {
  const [x, y] = [width >> 2, height >> 2];
  return [
    at(pixels, x, y, width),
    at(pixels, width - x, y, width),
    at(pixels, x, height - y, width),
    at(pixels, width - x, height - y, width),
  ];
}

function near(actual: number[][], expected: number[][], tolerance = 6): boolean {
  return expected.every((colour, i) => colour.every((value, k) => Math.abs(value - actual[i]![k]!) <= tolerance));
}

function difference(a: Uint8Array, b: Uint8Array): { most: number; mean: number } {
  const gaps = a.map((value, i) => Math.abs(value - b[i]!));
  return { most: Math.max(...gaps), mean: gaps.reduce((x, y) => x + y, 0) / gaps.length };
}

t.test('the eight EXIF orientations of one photo give the same pixels', async (t) => {
  const upright = await quarters(64, 48).png().toBuffer();
  // How the pixels must lie in the file, so that the orientation turns them upright.
  const stored = [
    (image: Sharp) => image,
    (image: Sharp) => image.flop(),
    (image: Sharp) => image.rotate(180),
    (image: Sharp) => image.flip(),
    (image: Sharp) => image.rotate(270).flop(),
    (image: Sharp) => image.rotate(270),
    (image: Sharp) => image.rotate(90).flop(),
    (image: Sharp) => image.rotate(90),
  ];
  const expected = await decodeImage(upright, CROP, LIMITS);
  t.ok(near(corners(expected), [RED, GREEN, BLUE, YELLOW]));
  for (const [index, lay] of stored.entries()) {
    const raw = await lay(sharp(await quarters(64, 48).png().toBuffer()))
      .raw()
      .toBuffer({ resolveWithObject: true });
    const { width, height } = raw.info;
    const photo = await sharp(raw.data, { raw: { width, height, channels: 3 } })
      .withMetadata({ orientation: index + 1 })
      .jpeg({ quality: 95, chromaSubsampling: '4:4:4' })
      .toBuffer();
    t.equal((await sharp(photo).metadata()).orientation, index + 1);
    t.same(await inspectImage(photo, LIMITS), { width: 64, height: 48 }, 'the size is that of the upright photo');
    for (const card of [CROP, STRETCH]) {
      const pixels = await decodeImage(photo, card, LIMITS);
      const { mean } = difference(pixels, await decodeImage(upright, card, LIMITS));
      t.ok(mean < 2, `orientation ${index + 1}, ${card.resize.mode}: ${mean}`);
    }
    const varied = await decodeImage(photo, CROP, LIMITS, PLAIN);
    t.ok(near(corners(varied), [RED, GREEN, BLUE, YELLOW]), 'a variation is of the upright photo, too');
  }
});

t.test('images of any colour space give three channels of sRGB', async (t) => {
  const grey = quarters(64, 64).greyscale();
  const files: [string, Buffer, number?][] = [
    ['JPEG', await quarters(64, 64).jpeg({ quality: 95, chromaSubsampling: '4:4:4' }).toBuffer()],
    ['progressive JPEG', await quarters(64, 64).jpeg({ quality: 95, progressive: true }).toBuffer()],
    ['PNG', await quarters(64, 64).png().toBuffer()],
    ['PNG with a palette', await quarters(64, 64).png({ palette: true }).toBuffer()],
    ['WebP', await quarters(64, 64).webp({ lossless: true }).toBuffer()],
    ['16-bit PNG', await quarters(64, 64).toColourspace('rgb16').png().toBuffer()],
    ['CMYK JPEG', await quarters(64, 64).toColourspace('cmyk').jpeg({ quality: 95 }).toBuffer(), 60],
    ['opaque alpha', await quarters(64, 64).ensureAlpha().png().toBuffer()],
  ];
  for (const [name, bytes, tolerance] of files) {
    const pixels = await decodeImage(bytes, STRETCH, LIMITS);
    t.equal(pixels.length, 32 * 32 * 3, name);
    t.ok(near(corners(pixels), [RED, GREEN, BLUE, YELLOW], tolerance), `${name}: ${corners(pixels)}`);
    t.equal((await decodeImage(bytes, STRETCH, LIMITS, PLAIN)).length, 32 * 32 * 3, `${name}, varied`);
  }
  t.equal((await sharp(files[5]![1]).metadata()).depth, 'ushort');
  t.equal((await sharp(files[6]![1]).metadata()).space, 'cmyk');
  for (const bytes of [
    await grey.clone().png().toBuffer(),
    await grey.clone().toColourspace('b-w').jpeg().toBuffer(),
  ]) {
    for (const [red, green, blue] of corners(await decodeImage(bytes, STRETCH, LIMITS))) {
      t.ok(red === green && green === blue, 'grey stays grey');
    }
  }
  const greyAlpha = await sharp({ create: { width: 9, height: 9, channels: 4, background: '#80808000' } })
    .toColourspace('b-w')
    .png()
    .toBuffer();
  t.same(at(await decodeImage(greyAlpha, STRETCH, LIMITS), 5, 5), [255, 255, 255]);
});

t.test('transparency is laid on white', async (t) => {
  const half = { r: 0, g: 0, b: 0, alpha: 0.5 };
  const bytes = await sharp({ create: { width: 20, height: 20, channels: 4, background: half } })
    .png()
    .toBuffer();
  for (const variation of [undefined, PLAIN]) {
    const [red] = at(await decodeImage(bytes, STRETCH, LIMITS, variation), 10, 10);
    t.ok(Math.abs(red! - 127) <= 2, String(red));
  }
});

t.test('of an animated WebP the first frame counts', async (t) => {
  const frames = Buffer.concat([Buffer.alloc(8 * 8 * 3, 255), Buffer.alloc(8 * 8 * 3, 0)]);
  const bytes = await sharp(frames, { raw: { width: 8, height: 16, channels: 3, pageHeight: 8 } })
    .webp({ lossless: true, loop: 0, delay: [100, 100] })
    .toBuffer();
  t.ok(bytes.includes('ANIM'), 'it is animated');
  t.same(await inspectImage(bytes, LIMITS), { width: 8, height: 8, one_colour: 1 });
  t.ok((await decodeImage(bytes, STRETCH, LIMITS)).every((value) => value === 255));
});

t.test('other kinds are refused by name, whatever the file is called', async (t) => {
  const ascii = (text: string) => Buffer.from(`${text}${'\0'.repeat(40)}`, 'latin1');
  const cases: [Buffer, RegExp][] = [
    [Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'), /SVG.*Export it as PNG/],
    [Buffer.from('<?xml version="1.0"?><svg/>'), /SVG/],
    [Buffer.from('version https://git-lfs.github.com/spec/v1\noid sha256:4d7a'), /pointer of Git LFS.*git lfs pull/],
    [Buffer.from('<!DOCTYPE html><html><body>404</body></html>'), /HTML page/],
    [ascii('%PDF-1.7'), /PDF/],
    [ascii('\0\0\x01\0\x01\0'), /ICO/],
    [ascii('\0\0\0\x0cjP  \r\n\x87\n'), /JPEG 2000/],
    [ascii('\0\0\0\x0cJXL \r\n\x87\n'), /JPEG XL/],
    [Buffer.from([0xff, 0x0a, 0xfa, 0x7f]), /JPEG XL/],
    [ascii('\0\0\0\x18ftypheic\0\0\0\0mif1heic'), /HEIC.*Most Compatible/],
    [ascii('\0\0\0\x18ftypmp42\0\0\0\0isommp42'), /video/],
    [Buffer.concat([Buffer.alloc(400), Buffer.from('TRUEVISION-XFILE.\0')]), /TGA/],
    [Buffer.concat([Buffer.alloc(128), Buffer.from('DICM')]), /DICOM/],
    [Buffer.from('P3\n1 1\n255\n0 0 0\n'), /Netpbm as text/],
    [ascii('II*\0\x10\0\0\0CR'), /raw picture/],
    [ascii('MZ'), /not an image/],
    [Buffer.from([0xff]), /not an image/],
  ];
  for (const [bytes, what] of cases) {
    await t.rejects(decodeImage(bytes, STRETCH, LIMITS), { code: 'content_unsupported', message: what });
    await t.rejects(inspectImage(bytes, LIMITS), { code: 'content_unsupported' });
  }
  t.throws(() => sniffImage(new Uint8Array()), { code: 'content_invalid', message: /empty/ });
});

t.test('another kind behind the magic bytes of one that is accepted is not decoded', async (t) => {
  const gif = await quarters(8, 8).gif().toBuffer();
  const svg = Buffer.from('<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>');
  for (const magic of [Buffer.from([0xff, 0xd8, 0xff]), Buffer.from('\x89PNG\r\n\x1a\n', 'latin1')]) {
    for (const body of [gif, svg]) {
      const bytes = Buffer.concat([magic, body]);
      await t.rejects(decodeImage(bytes, STRETCH, LIMITS), { code: 'content_invalid' });
      await t.rejects(inspectImage(bytes, LIMITS), { code: 'content_invalid' });
    }
  }
});

t.test('a file that breaks off is found out, at every place', async (t) => {
  const files = [
    await quarters(200, 200).jpeg().toBuffer(),
    await quarters(200, 200).jpeg({ progressive: true }).toBuffer(),
    await quarters(200, 200).png({ compressionLevel: 0 }).toBuffer(),
    await quarters(200, 200).webp().toBuffer(),
  ];
  for (const [index, whole] of files.entries()) {
    await t.resolves(inspectImage(whole, LIMITS));
    for (const share of [0.1, 0.5, 0.9]) {
      const cut = whole.subarray(0, Math.floor(whole.length * share));
      await t.rejects(inspectImage(cut, LIMITS), { code: 'content_invalid' }, `file ${index}, ${share} of it`);
      await t.rejects(decodeImage(cut, STRETCH, LIMITS), { code: 'content_invalid' });
    }
  }
});

t.test('a JPEG that lacks only its end marker is whole, and one that lacks rows is not', async (t) => {
  for (const progressive of [false, true]) {
    const whole = await quarters(200, 200).jpeg({ progressive }).toBuffer();
    for (const cut of [1, 2]) {
      const bytes = whole.subarray(0, whole.length - cut);
      t.same(await inspectImage(bytes, LIMITS), { width: 200, height: 200 });
      t.same(await decodeImage(bytes, STRETCH, LIMITS), await decodeImage(whole, STRETCH, LIMITS));
    }
    for (const cut of [40, 200, 600]) {
      const bytes = whole.subarray(0, whole.length - cut);
      await t.rejects(inspectImage(bytes, LIMITS), { code: 'content_invalid', message: /premature end/ }, `${cut}`);
    }
  }
});

t.test('the same pixels are the same in every container without loss, however large', async (t) => {
  const photo = quarters(900, 700).blur(3);
  const png = await photo.clone().png().toBuffer();
  const { data, info } = await photo.clone().raw().toBuffer({ resolveWithObject: true });
  const containers = {
    WebP: await photo.clone().webp({ lossless: true }).toBuffer(),
    TIFF: await photo.clone().tiff({ compression: 'lzw' }).toBuffer(),
    'tiled TIFF': await photo.clone().tiff({ tile: true, compression: 'deflate' }).toBuffer(),
    BMP: bmpOf(data, info.width),
    'BMP of 32 bits, from the top': bmpOf(data, info.width, { bits: 32, topDown: true }),
    PPM: ppmOf(data, info.width),
    'PPM of 16 bits': ppmOf(data, info.width, { most: 65_535 }),
    'progressive PNG': await photo.clone().png({ progressive: true }).toBuffer(),
  };
  for (const [name, bytes] of Object.entries(containers)) {
    for (const card of [STRETCH, CROP]) {
      t.same(await decodeImage(bytes, card, LIMITS), await decodeImage(png, card, LIMITS), name);
    }
    t.match(await inspectImage(bytes, LIMITS), { width: 900, height: 700 }, name);
  }
  // A picture of few colours is the same as GIF, and AVIF without loss is nearly so.
  const plain = await quarters(64, 64).png().toBuffer();
  t.same(
    await decodeImage(await quarters(64, 64).gif().toBuffer(), STRETCH, LIMITS),
    await decodeImage(plain, STRETCH, LIMITS),
  );
  const avif = await quarters(64, 64).avif({ lossless: true, chromaSubsampling: '4:4:4' }).toBuffer();
  t.ok(near(corners(await decodeImage(avif, STRETCH, LIMITS)), [RED, GREEN, BLUE, YELLOW]), 'AVIF');
});

t.test('of an animated GIF the first frame counts, of a TIFF the first page', async (t) => {
  const frames = Buffer.concat([Buffer.alloc(8 * 8 * 3, 255), Buffer.alloc(8 * 8 * 3, 0)]);
  const raw = { width: 8, height: 16, channels: 3 as const, pageHeight: 8 };
  for (const bytes of [
    await sharp(frames, { raw })
      .gif({ loop: 0, delay: [100, 100] })
      .toBuffer(),
    await sharp(frames, { raw }).tiff().toBuffer(),
  ]) {
    t.match(await inspectImage(bytes, LIMITS), { width: 8, height: 8, one_colour: 1 });
    t.ok((await decodeImage(bytes, STRETCH, LIMITS)).every((value) => value === 255));
  }
});

t.test('bitmaps with palettes, 16 bits and bit fields are read; compressed and broken ones are refused', async (t) => {
  const two = (bits: number, change: Parameters<typeof bmpOf>[2] = {}) =>
    bmpOf(Buffer.from([255, 0, 0, 0, 0, 255, 255, 0, 0, 0, 0, 255]), 2, { bits, ...change });
  const sides = async (bytes: Buffer) => {
    const pixels = await decodeImage(bytes, STRETCH, LIMITS);
    return [at(pixels, 2, 16), at(pixels, 29, 16)];
  };
  for (const bytes of [
    two(24),
    two(32),
    two(16),
    two(8),
    two(4),
    two(1),
    two(24, { old: true }),
    two(32, { fields: true }),
  ]) {
    t.same(await sides(bytes), [
      [255, 0, 0],
      [0, 0, 255],
    ]);
  }
  const whole = two(24);
  const spoilt = (change: (copy: Buffer) => void) => {
    const copy = Buffer.from(whole);
    change(copy);
    return copy;
  };
  const invalid: Buffer[] = [
    whole.subarray(0, whole.length - 1),
    whole.subarray(0, 40),
    spoilt((copy) => copy.writeInt32LE(0, 18)),
    spoilt((copy) => copy.writeInt32LE(-2, 18)),
    spoilt((copy) => copy.writeUInt16LE(7, 28)),
    spoilt((copy) => copy.writeUInt32LE(0xffffffff, 10)),
    spoilt((copy) => copy.writeUInt32LE(13, 14)),
  ];
  for (const bytes of invalid) await t.rejects(decodeImage(bytes, STRETCH, LIMITS), { code: /content_/ });
  const packed = spoilt((copy) => copy.writeUInt32LE(1, 30));
  await t.rejects(decodeImage(packed, STRETCH, LIMITS), { code: 'content_unsupported', message: /RLE8.*PNG/ });
  const large = spoilt((copy) => copy.writeInt32LE(2 ** 30, 18));
  await t.rejects(inspectImage(large, LIMITS), { code: 'content_too_large', message: /MAX_IMAGE_PIXELS/ });
});

t.test('PGM and PPM with comments and other largest values are read, and broken ones refused', async (t) => {
  const grey = Buffer.concat([Buffer.from('P5 # made by hand\n2 # wide\n1\n100\n'), Buffer.from([0, 100])]);
  const pixels = await decodeImage(grey, STRETCH, LIMITS);
  t.same(
    [at(pixels, 2, 16), at(pixels, 29, 16)],
    [
      [0, 0, 0],
      [255, 255, 255],
    ],
  );
  for (const [text, code] of [
    ['P6\n2 2\n255\nab', 'content_invalid'],
    ['P6\n0 2\n255\n', 'content_invalid'],
    ['P6\n2 2\n0\n', 'content_invalid'],
    ['P6\n2 2\n70000\n', 'content_invalid'],
    ['P6\nx', 'content_invalid'],
    ['P6\n99999 99999\n255\n', 'content_too_large'],
  ] as const) {
    await t.rejects(inspectImage(Buffer.from(text), LIMITS), { code }, text);
  }
});

t.test('a plain JPEG may be larger, for it is made smaller as it is read; others name size and setting', async (t) => {
  const limits = { maxPixels: 10_000 };
  const plain = await quarters(190, 190).jpeg().toBuffer();
  t.match(await inspectImage(plain, limits), { width: 190, height: 190 });
  for (const orientation of [3, 6, 8]) {
    const turned = await quarters(190, 150).jpeg().withMetadata({ orientation }).toBuffer();
    const upright = await sharp(await quarters(190, 150).jpeg().toBuffer())
      .rotate({ 3: 180, 6: 90, 8: 270 }[orientation]!)
      .png()
      .toBuffer();
    const [found, wanted] = [await decodeImage(turned, CROP, limits), await decodeImage(upright, CROP, LIMITS)];
    t.ok(near(corners(found), corners(wanted)), `turned by ${orientation}: ${corners(found)}`);
    t.match(await inspectImage(turned, limits), orientation === 3 ? { width: 190 } : { width: 150 });
  }
  t.ok(near(corners(await decodeImage(plain, STRETCH, limits)), [RED, GREEN, BLUE, YELLOW]));
  t.equal((await decodeImage(plain, STRETCH, limits, PLAIN)).length, 32 * 32 * 3);
  for (const bytes of [
    await quarters(190, 190).jpeg({ progressive: true }).toBuffer(),
    await quarters(190, 190).png().toBuffer(),
    await quarters(190, 190).tiff().toBuffer(),
    await quarters(210, 210).jpeg().toBuffer(),
  ]) {
    const refusal = {
      code: 'content_too_large',
      message: /(190|210) × (190|210) pixels.*at most 10000.*MAX_IMAGE_PIXELS/,
    };
    await t.rejects(decodeImage(bytes, STRETCH, limits), refusal);
    await t.rejects(inspectImage(bytes, limits), refusal);
  }
});

t.test('images that show nothing are accepted, and what is odd about them is said', async (t) => {
  const plain = (background: string, width = 300, height = 200) =>
    sharp({ create: { width, height, channels: 4, background } });
  const dark = Uint16Array.from({ length: 64 * 64 }, (_, i) => i % 4096);
  const odd: [bytes: Buffer, says: RegExp | undefined][] = [
    [await plain('#000').png().toBuffer(), /one colour/],
    [await plain('#808080').jpeg().toBuffer(), /one colour/],
    [await plain('#fff').webp().toBuffer(), /one colour/],
    [await plain('#00000000').png().toBuffer(), /transparent/],
    [await plain('#f00', 1, 1).png().toBuffer(), /1 × 1 pixels/],
    [await plain('#f00', 300, 1).png().toBuffer(), /300 × 1 pixels/],
    [
      await sharp(dark, { raw: { width: 64, height: 64, channels: 1 } })
        .toColourspace('grey16')
        .png()
        .toBuffer(),
      /looks black/,
    ],
    [await quarters(200, 200).png().toBuffer(), undefined],
    [await quarters(200, 200).jpeg().toBuffer(), undefined],
  ];
  for (const [bytes, says] of odd) {
    const found = oddImage(await inspectImage(bytes, LIMITS));
    if (says) t.match(found, says);
    else t.equal(found, undefined);
  }
});

t.test('an image with too many pixels is refused by its header, before it is decoded', async (t) => {
  const small = await quarters(100, 100).png().toBuffer();
  await t.resolves(inspectImage(small, { maxPixels: 10_000 }));
  const refusal = { code: 'content_too_large', message: /9999/ };
  await t.rejects(inspectImage(small, { maxPixels: 9_999 }), refusal);
  await t.rejects(decodeImage(small, STRETCH, { maxPixels: 9_999 }), refusal);
  // Says 20,000 × 20,000 in its header and holds one row: were it decoded, it would be found broken.
  const lying = await quarters(64, 48).jpeg().toBuffer();
  const frame = lying.indexOf(Buffer.from([0xff, 0xc0]));
  lying.writeUInt16BE(20_000, frame + 5);
  lying.writeUInt16BE(20_000, frame + 7);
  await t.rejects(inspectImage(lying, LIMITS), { code: 'content_too_large' });
  await t.rejects(decodeImage(lying, STRETCH, LIMITS, PLAIN), { code: 'content_too_large' });
});

t.test('stretch shows the whole photo; crop keeps its proportions and shows the centre', async (t) => {
  // 120 × 40: a blue third, a red third, a blue third.
  const pixels = Buffer.alloc(120 * 40 * 3);
  for (let i = 0; i < 120 * 40; i += 1) pixels.set(i % 120 >= 40 && i % 120 < 80 ? RED : BLUE, i * 3);
  const wide = await sharp(pixels, { raw: { width: 120, height: 40, channels: 3 } })
    .png()
    .toBuffer();
  const stretched = await decodeImage(wide, STRETCH, LIMITS);
  t.ok(near([at(stretched, 4, 16), at(stretched, 16, 16), at(stretched, 28, 16)], [BLUE, RED, BLUE]));
  const cropped = await decodeImage(wide, CROP, LIMITS);
  t.ok(near([at(cropped, 1, 16), at(cropped, 16, 16), at(cropped, 30, 16)], [RED, RED, RED], 12));
  const tall = await sharp(wide).rotate(90).png().toBuffer();
  t.ok(near([at(await decodeImage(tall, CROP, LIMITS), 16, 1)], [RED], 12));
});

t.test('a short side longer than the input cuts a margin away', async (t) => {
  // 100 × 100: a blue frame of 20 around red. Short side 64, input 32: the centre half, which is red.
  const framed = await sharp({ create: { width: 60, height: 60, channels: 3, background: { r: 220, g: 40, b: 40 } } })
    .extend({ top: 20, bottom: 20, left: 20, right: 20, background: { r: 40, g: 60, b: 200 } })
    .png()
    .toBuffer();
  const card = { input: STRETCH.input, resize: { mode: 'crop' as const, short_side: 64 } };
  const pixels = await decodeImage(framed, card, LIMITS);
  t.ok(near([at(pixels, 0, 0), at(pixels, 31, 31), at(pixels, 0, 31)], [RED, RED, RED], 12));
  const whole = await decodeImage(framed, CROP, LIMITS);
  t.ok(near([at(whole, 0, 0)], [BLUE]));
});

t.test('input and short side that are not square or not equal give the size that the card says', async (t) => {
  const bytes = await quarters(90, 70).png().toBuffer();
  for (const resize of [{ mode: 'stretch' as const }, { mode: 'crop' as const, short_side: 20 }]) {
    const card = { input: { name: 'images', width: 48, height: 24 }, resize };
    const pixels = await decodeImage(bytes, card, LIMITS);
    t.equal(pixels.length, 48 * 24 * 3);
    t.ok(near(corners(pixels, 48, 24), [RED, GREEN, BLUE, YELLOW]));
  }
  const dot = await quarters(1, 1).png().toBuffer();
  t.equal((await decodeImage(dot, CROP, LIMITS)).length, 32 * 32 * 3, 'one pixel is enough');
});

t.test('a variation does what it says', async (t) => {
  const bytes = await quarters(64, 64).png().toBuffer();
  const vary = async (change: Partial<Variation>) =>
    corners(await decodeImage(bytes, STRETCH, LIMITS, { ...PLAIN, ...change }));
  t.ok(near(await vary({}), [RED, GREEN, BLUE, YELLOW]), 'none');
  t.ok(near(await vary({ flip: true }), [GREEN, RED, YELLOW, BLUE]), 'flip mirrors left to right');
  t.ok(near(await vary({ rotation: 90 }), [BLUE, RED, YELLOW, GREEN]), 'rotation is clockwise');
  t.ok(near(await vary({ rotation: -90 }), [GREEN, YELLOW, RED, BLUE]), 'and may be negative');
  t.ok(near(await vary({ rotation: 180 }), [YELLOW, BLUE, GREEN, RED]), '180°');
  const quarter = { width: 0.5, height: 0.5 };
  t.ok(near(await vary({ box: { left: 0, top: 0, ...quarter } }), [RED, RED, RED, RED], 12), 'the upper left quarter');
  t.ok(near(await vary({ box: { left: 0.5, top: 0, ...quarter } }), [GREEN, GREEN, GREEN, GREEN], 12), 'upper right');
  t.ok(near(await vary({ box: { left: 0, top: 0.5, ...quarter } }), [BLUE, BLUE, BLUE, BLUE], 12), 'lower left');
  const out = { left: -0.5, top: -0.5, width: 2, height: 2 };
  t.ok(near(await vary({ box: out }), [RED, GREEN, BLUE, YELLOW], 12), 'zoomed out, its edge is repeated');
  const sheared = await decodeImage(bytes, STRETCH, LIMITS, { ...PLAIN, shear: 0.5 });
  t.ok(
    near([at(sheared, 12, 2), at(sheared, 20, 29)], [GREEN, BLUE], 12) ||
      near([at(sheared, 20, 2), at(sheared, 12, 29)], [RED, YELLOW], 12),
    'sheared, the upper half moves against the lower',
  );
});

t.test('the same bytes and variation give the same pixels', async (t) => {
  const bytes = await quarters(333, 222).jpeg().toBuffer();
  const variation = { flip: true, box: { left: 0.1, top: -0.05, width: 0.8, height: 1.1 }, rotation: 7.3, shear: 0.1 };
  for (const option of [undefined, variation]) {
    const all = await Promise.all([1, 2, 3, 4].map(() => decodeImage(bytes, CROP, LIMITS, option)));
    for (const pixels of all) t.same(difference(pixels, all[0]!).most, 0);
  }
});

t.test(
  'photos and broken files of the wild are decoded or refused, and nothing else',
  needs('bad-inputs', 'libvips-edge'),
  async (t) => {
    const folder = join(SHARED, 'bad-inputs', 'libvips-edge');
    const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    let refused = 0;
    for (const file of files.slice(0, 100)) {
      try {
        const pixels = await decodeImage(readFileSync(join(file.parentPath, file.name)), CROP, LIMITS);
        t.equal(pixels.length, 32 * 32 * 3, file.name);
      } catch (error) {
        refused += 1;
        t.match(error, { name: 'AppError', code: /^content_/ }, file.name);
      }
    }
    t.ok(refused > 0 && files.length > 0);
  },
);
