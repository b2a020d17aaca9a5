import sharp, { type JpegOptions } from 'sharp';
import t from 'tap';
import { decodeImage, inspectImage } from '../../../src/backbones/image/pixels.js';
import { readPlainJpeg } from '../../../src/backbones/image/plain-jpeg.js';
import { photo, pixels, randomFrom } from '../../helpers/photos.js';

const card = { input: { name: 'images', width: 32, height: 32 }, resize: { mode: 'stretch' as const } };

const isPlainJpeg = (bytes: Buffer) => readPlainJpeg(bytes) !== undefined;

const limits = { maxPixels: 1e6 };

function encoded(options: JpegOptions, grey = false): Promise<Buffer> {
  const image = sharp(pixels(1, 2, 60, 44), { raw: { width: 60, height: 44, channels: 3 } });
  return (grey ? image.greyscale() : image).jpeg(options).toBuffer();
}

t.test('photos as cameras write them are plain', async (t) => {
  t.ok(isPlainJpeg(await photo(0, 1)));
  t.ok(isPlainJpeg(await encoded({ chromaSubsampling: '4:4:4' })));
  t.ok(isPlainJpeg(await encoded({ optimizeCoding: false }, true)), 'grey');
  t.notOk(isPlainJpeg(await encoded({ progressive: true })), 'several scans: decode it');
});

t.test('a photo that was cut off is not plain, wherever it was cut', async (t) => {
  const whole = await photo(0, 1);
  const wrong = Array.from(whole.keys()).filter((length) => isPlainJpeg(whole.subarray(0, length)));
  t.same(wrong, []);
});

t.test('the thumbnail in a photo does not stand for its end', async (t) => {
  const [whole, thumbnail] = [await photo(0, 1), await photo(1, 1, 16)];
  const header = Buffer.from([0xff, 0xe1, 0, 0]);
  header.writeUInt16BE(thumbnail.length + 2, 2);
  const both = Buffer.concat([whole.subarray(0, 2), header, thumbnail, whole.subarray(2)]);
  t.ok(isPlainJpeg(both));
  t.notOk(isPlainJpeg(both.subarray(0, -40)));
});

t.test('what is taken in by its headers decodes, whatever bytes are changed', async (t) => {
  const random = randomFrom(11);
  const profiled = sharp(await photo(0, 1)).withIccProfile('p3');
  const sources = [
    await photo(0, 1),
    await encoded({ chromaSubsampling: '4:4:4' }),
    await encoded({}, true),
    await profiled.jpeg().toBuffer(),
  ];
  let plain = 0;
  for (let i = 0; i < 1500; i += 1) {
    const bytes = Buffer.from(sources[i % sources.length]!);
    // Headers are where an error can be: two changes of three go there.
    const within = i % 3 === 0 ? bytes.length : Math.min(bytes.length, 640);
    for (let n = 1 + (i % 4); n > 0; n -= 1)
      bytes[2 + Math.floor(random() * (within - 2))] = Math.floor(random() * 256);
    const size = isPlainJpeg(bytes) && (await inspectImage(bytes, limits).catch(() => undefined));
    if (!size) continue;
    plain += 1;
    await decodeImage(bytes, card, limits).catch((error: Error) => t.fail(`variant ${i}: ${error.message}`));
    const { autoOrient } = await sharp(bytes).metadata();
    if (autoOrient.width !== size.width || autoOrient.height !== size.height) t.fail(`variant ${i}: ${size.width}`);
  }
  t.ok(plain > 250 && plain < 1450, `${plain} of 1500 are plain`);
});

t.test('the size is that of the photo as it is seen', async (t) => {
  const lying = await sharp(await photo(0, 1))
    .resize(40, 20, { fit: 'fill' })
    .withMetadata({ orientation: 6 })
    .jpeg()
    .toBuffer();
  t.match(readPlainJpeg(lying), { width: 40, height: 20, mayTurn: true });
  t.same(await inspectImage(lying, limits), { width: 20, height: 40 });
  await t.rejects(inspectImage(lying, { maxPixels: 199 }), { code: 'content_too_large' });
  await t.rejects(inspectImage(await encoded({}), { maxPixels: 659 }), { code: 'content_too_large' }, '60 × 44');
});
