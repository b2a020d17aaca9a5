/**
 * image/ is the modality of photos: what makes pixels of them, the sessions that turn pixels into features, maps, copies,
 * variations; import/ makes backbones of other people's networks. Graph surgery lies in onnx/.
 *
 * This file: all of it behind the contract that other rooms know.
 */
import { ImageBackboneCard } from '../../schemas/backbones.js';
import type { Modality } from '../modality.js';
import { openImageBackbone, type Pixels } from './image-backbone.js';
import { MEDIA_TYPES, sniffImage } from './formats.js';
import { mayBeImage } from './names.js';
import { inspectImage, oddImage } from './pixels.js';
import { type PictureSignature, pictureSignature, pictureSimilarity, SAME_PICTURE } from './similarity.js';
import { strongerBackbone } from './stronger.js';
import { imageUsage } from './usage.js';
import { drawVariation } from './variations.js';

/** @param limits of one image: pixels when decoded, bytes of its file */
export function imageModality(limits: { maxPixels: number; maxBytes: number }): Modality<Pixels, PictureSignature> {
  const withLimits = <T extends { card: unknown }>(options: T) => ({
    ...options,
    card: options.card as ImageBackboneCard, // it fits `cardSchema`
    limits,
  });
  return {
    id: 'image',
    words: { one: 'image', many: 'images' },
    maxBytes: limits.maxBytes,
    maxBytesSetting: 'MAX_EXAMPLE_BYTES',
    cardSchema: ImageBackboneCard,
    onnx: true,
    mayBeContent: mayBeImage,
    inspect: async (content) => ({ ...(await inspectImage(content, limits)) }),
    mediaType: (start) => MEDIA_TYPES[sniffImage(start)],
    odd: oddImage,
    stronger: strongerBackbone,
    vary: drawVariation,
    similarity: {
      signature: (content) => pictureSignature(content, limits),
      compare: pictureSimilarity,
      copies: SAME_PICTURE,
    },
    usage: (card) => imageUsage(card as ImageBackboneCard),
    open: (options) => openImageBackbone(withLimits(options)),
    // Loaded when it is needed: few processes read graphs.
    openTrunk: async (options) => (await import('./image-trunk.js')).openImageTrunk(withLimits(options)),
  };
}
