import { buffer } from 'node:stream/consumers';
import { ZipFile } from 'yazl';
import { seededRandom } from '../numbers/random.js';
import { DRAWN_KINDS, drawPhoto } from './draw-photo.js';

/** Photos of each kind to learn from. */
export const PER_KIND = 60;
const SEED = 7;
/** Every archive has the same bytes. */
const DRAWN_AT = new Date(Date.UTC(2026, 0, 1));

/** The n-th photo of a kind, the same every time: a JPEG. @param n from 1; those up to `PER_KIND` are to learn from */
export function drawnPhoto(kind: (typeof DRAWN_KINDS)[number], n: number): Promise<Buffer> {
  return drawPhoto(kind, seededRandom(SEED, `${kind} ${n}`));
}

/** The photos to learn from as a zip, a folder for each kind. It takes some seconds. */
export async function drawnArchive(): Promise<Buffer> {
  const zip = new ZipFile();
  for (const kind of DRAWN_KINDS) {
    const photos = await Promise.all(Array.from({ length: PER_KIND }, (_, n) => drawnPhoto(kind, n + 1)));
    for (const [n, photo] of photos.entries()) {
      zip.addBuffer(photo, `${kind}/${n + 1}.jpg`, { compress: false, mtime: DRAWN_AT });
    }
  }
  zip.end();
  return buffer(zip.outputStream);
}
