import { type Static, Type } from '@sinclair/typebox';
import { BackboneId, nullable, Sha256, strict } from './common.js';

/** What lies in `models/<id>/backbone.json`. Pre-processing is part of the graph: its input is uint8 [N, H, W, 3], RGB. */
export const BackboneCard = Type.Object({
  id: BackboneId,
  name: Type.String({ description: 'Name for people' }),
  file: Type.String({ description: 'ONNX file beside this card' }),
  sha256: Sha256,
  bytes: Type.Integer(),
  input: Type.Object({ name: Type.String(), width: Type.Integer(), height: Type.Integer() }),
  resize: Type.Union(
    [
      Type.Object({ mode: Type.Literal('stretch') }),
      Type.Object({ mode: Type.Literal('crop'), short_side: Type.Integer() }),
    ],
    {
      description:
        'How pixels are made: stretch the photo to the input size, or scale its short side and take the centre',
    },
  ),
  features: Type.Object({ name: Type.String(), dimensions: Type.Integer() }),
  maps: Type.Array(Type.Object({ name: Type.String(), channels: Type.Integer() }), {
    description: 'Spatial maps [N, C, h, w] whose means, side by side, are the features; empty where unknown',
  }),
  license: Type.String(),
  source: Type.String(),
  imagenet_top1: nullable(Type.Number({ description: 'Published top-1 accuracy of the network, percent' })),
});
export type BackboneCard = Static<typeof BackboneCard>;

/** Where a backbone is cut in two: a frozen trunk that is shared, and a top whose weights are a model's own. */
export const BackboneCut = Type.Object(
  {
    tensor: Type.String({ description: 'Map of the backbone at which it is cut, `[N, channels, height, width]`' }),
    channels: Type.Integer(),
    height: Type.Integer(),
    width: Type.Integer(),
    pooled: Type.Array(Type.Object({ name: Type.String(), dimensions: Type.Integer() }, strict), {
      description: 'Means of maps below the cut, which are features, too',
    }),
  },
  strict,
);
export type BackboneCut = Static<typeof BackboneCut>;

/** What lies in `backbones/<id>/card.json` in storage. */
export const InstalledBackbone = Type.Object({
  format: Type.Literal(1),
  card: BackboneCard,
  files: Type.Array(Type.Object({ path: Type.String(), bytes: Type.Integer(), sha256: Sha256 }), {
    description: 'Its files in storage; the one of the card is among them',
  }),
});
export type InstalledBackbone = Static<typeof InstalledBackbone>;
