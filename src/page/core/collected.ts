/** Photos that are sorted into classes in this tab, before they are sent. */
import { signal } from '@preact/signals';
import type { Picked, PickedFile } from './drops.js';
import { send } from './uploads.js';

export interface CollectedClass {
  id: number;
  name: string;
  photos: File[];
}

let lastId = 0;
export const newClass = (name = '', photos: File[] = []): CollectedClass => ({ id: ++lastId, name, photos });

export const classes = signal<CollectedClass[]>([]);
/** Where pasted photos go. */
export const activeClass = signal(0);

/** Begin with some photos as the first class. */
export function collect(name: string, photos: File[]): void {
  classes.value = [newClass(name, photos), newClass()];
  activeClass.value = classes.value[1]!.id;
}

export function change(id: number, to: (one: CollectedClass) => Partial<CollectedClass>): void {
  classes.value = classes.value.map((one) => (one.id === id ? { ...one, ...to(one) } : one));
}

/** Photos of whatever was dropped onto a class, whichever folders they lay in. */
export function photosOf(picked: Picked): File[] {
  return picked.kind === 'folders' || picked.kind === 'photos' ? picked.files.map(({ content }) => content) : [];
}

/** Send them, a folder for each class. */
export async function sendCollected(name: string): Promise<void> {
  const files: PickedFile[] = classes.value.flatMap(({ name: label, photos }) => {
    const folder = label.trim().replaceAll('/', '-');
    return photos.map((content, place) => ({
      name: `${folder}/${place + 1}-${content.name.replaceAll('/', '-')}`,
      content,
    }));
  });
  await send({ name, archive: false, files });
}
