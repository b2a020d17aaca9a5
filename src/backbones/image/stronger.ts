import type { BackboneCard } from '../../schemas/backbones.js';

/** The one that comes with Graft, so that nothing need be fetched, and what to take instead for photos. */
const SMALL = 'rootstock_s';
const USUAL = 'mobilenet_v2';
/** Measured by `npm run bench:accuracy`. */
const GAIN = 'on photos of clothing it was right on 89.2 % where rootstock_s was on 73.7 %, at the same speed';

/** What to take instead of the small backbone that comes with Graft. */
export function strongerBackbone(
  { id }: Pick<BackboneCard, 'id'>,
  installed: string[],
): { backbone: string; sentence: string } | undefined {
  if (id !== SMALL) return undefined;
  const others = installed.filter((other) => other !== SMALL);
  if (others.includes(USUAL)) {
    return { backbone: USUAL, sentence: `Train with the backbone ${USUAL}, which is installed: ${GAIN}.` };
  }
  if (others[0] !== undefined) {
    const sentence = `Train with the backbone ${others[0]}, which is installed: it is larger than rootstock_s.`;
    return { backbone: others[0], sentence };
  }
  return {
    backbone: USUAL,
    sentence: `Fetch a stronger backbone, npm run backbones -- pull ${USUAL} --default, and train with it: ${GAIN}.`,
  };
}
