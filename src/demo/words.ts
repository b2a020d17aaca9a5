/** How the demo calls what a data set holds. */
export interface DemoWords {
  one: string;
  many: string;
}

export const PHOTOS: DemoWords = { one: 'photo', many: 'photos' };
export const TEXTS: DemoWords = { one: 'text', many: 'texts' };

export function wordsOf({ modality }: { modality: string }): DemoWords {
  return modality === 'text' ? TEXTS : PHOTOS;
}
