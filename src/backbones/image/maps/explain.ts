import type { Head } from '../../../heads/head.js';
import { onlyLayers, type ServedHead } from '../../../heads/served-head.js';
import type { ImageBackboneCard } from '../../../schemas/backbones.js';
import { classActivationMap, type FeatureMap } from './class-activation-map.js';
import { mapPicture, overlayPicture } from './map-pictures.js';

/** Where in an image the score of a class comes from: fields of the public explanation; PNGs as data URLs. */
export interface ImageExplanation extends Record<string, unknown> {
  map: { width: number; height: number; bias: number; logit: number; min: number; max: number; png: string } | null;
  overlay: { width: number; height: number; limit: number; png: string } | null;
  /** Why there is no map. */
  no_map: string | null;
}

/** The answer of a backbone whose maps are not what the head reads. */
export function withoutMap(reason: string): ImageExplanation {
  return { map: null, overlay: null, no_map: reason };
}

/**
 * @param options pixels: uint8 `[height, width, 3]`, as the backbone sees them; maps: asked for where the head has a map
 * @throws AppError `backbone_invalid`
 */
export async function explainImage(options: {
  card: ImageBackboneCard;
  head: ServedHead;
  classIndex: number;
  pixels: Uint8Array;
  /** The overlay is so many times as wide and as high as the image. Default: 1. */
  scale?: number | undefined;
  maps: (pixels: Uint8Array) => Promise<FeatureMap[]>;
}): Promise<ImageExplanation> {
  const { card, classIndex, pixels, scale, maps } = options;
  const head = onlyLayers(options.head);
  const reason = whyNoMap(head, card);
  if (reason !== null) return withoutMap(reason);
  const activation = classActivationMap(await maps(pixels), head.layers[0]!, classIndex);
  const [map, overlay] = await Promise.all([
    mapPicture(activation),
    overlayPicture(activation, pixels, card.input, scale),
  ]);
  const { bias, logit } = activation;
  const { width, height, min, max } = map;
  return {
    map: { width, height, bias, logit, min, max, png: dataUrl(map.png) },
    overlay: { ...overlay, png: dataUrl(overlay.png) },
    no_map: null,
  };
}

/** A sentence, or null where the score is a mean over positions. */
function whyNoMap(head: Head, card: ImageBackboneCard): string | null {
  if (head.layers.length > 1) {
    return 'The head has a hidden layer, so its score is no mean over positions; a linear head has a map (train with head linear).';
  }
  const channels = card.maps.reduce((sum, map) => sum + map.channels, 0);
  if (channels !== head.layers[0]!.inputs) {
    return `Backbone '${card.id}' has no maps whose means are its features; import it again if its network has any.`;
  }
  return null;
}

function dataUrl(png: Buffer): string {
  return `data:image/png;base64,${png.toString('base64')}`;
}
