import { type Static, Type } from '@sinclair/typebox';
import { AccuracyInterval, BackboneId, DatasetId, nullable, Sha256, strict } from './common.js';

/** What every backbone says of itself; a modality adds what content it takes. */
export const BackboneCard = Type.Object({
  id: BackboneId,
  name: Type.String({ description: 'Name for people' }),
  modality: Type.String({ minLength: 1, description: 'Kind of content that it takes, such as `image`' }),
  recipe: Type.String({
    minLength: 1,
    description: 'Names how content is made ready for it; another recipe gives other features',
  }),
  file: Type.String({ description: 'File beside this card' }),
  sha256: Sha256,
  bytes: Type.Integer(),
  features: Type.Object({
    name: Type.String(),
    dimensions: Type.Integer(),
    kind: Type.Optional(
      Type.Union([Type.Literal('dense'), Type.Literal('sparse')], { description: 'Default: dense', default: 'dense' }),
    ),
    dense_columns: Type.Optional(
      Type.Integer({ description: 'Of sparse features the last columns, which every example has; default: 0' }),
    ),
  }),
  license: Type.String(),
  source: Type.String(),
});
export type BackboneCard = Static<typeof BackboneCard>;

/** Where a backbone is cut in two: a frozen trunk that is shared, and a top whose weights are a model's own. */
export const BackboneCut = Type.Object(
  {
    tensor: Type.String({ description: 'Tensor of the backbone at which it is cut' }),
    dims: Type.Array(Type.Integer(), {
      description: 'Its dimensions for one image: `[channels, height, width]` of a map, `[places, channels]` of tokens',
    }),
    beside: Type.Array(Type.Object({ tensor: Type.String(), dims: Type.Array(Type.Integer()) }, strict), {
      description:
        'What goes past it: means of maps below the cut, which are features, too, or a map that a later block reads',
    }),
  },
  strict,
);
export type BackboneCut = Static<typeof BackboneCut>;

const TrainablePart = Type.Object({
  cut: BackboneCut,
  weights: Type.Integer({ description: 'Numbers behind the cut that are trained' }),
  values: Type.Integer({ description: 'Numbers that one image has in all tensors behind the cut' }),
});

/** What of a backbone can be trained for one model, found when it was imported. */
const TrainableBlocks = Type.Object({
  blocks: Type.Array(TrainablePart, { description: 'Behind the first cut lies one block, behind the next two, …' }),
  whole: Type.Optional(
    nullable(TrainablePart, {
      description: 'All layers, cut at what the first convolution reads; null: something is in the way',
    }),
  ),
  limit: nullable(Type.String({ description: 'What is in the way of the next deeper cut' })),
});

const ofImages = {
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
  maps: Type.Array(Type.Object({ name: Type.String(), channels: Type.Integer() }), {
    description: 'Spatial maps [N, C, h, w] whose means, side by side, are the features; empty where unknown',
  }),
  imagenet_top1: nullable(Type.Number({ description: 'Published top-1 accuracy of the network, percent' })),
  top: Type.Optional(TrainableBlocks),
};

/** A backbone of images. Pre-processing is part of its graph: the input is uint8 [N, H, W, 3], RGB. */
export const ImageBackboneCard = Type.Object({ ...BackboneCard.properties, ...ofImages });
export type ImageBackboneCard = Static<typeof ImageBackboneCard>;

/** A card as it is shown, with what its modality adds. */
export const PublicBackboneCard = Type.Omit(
  Type.Object({
    ...BackboneCard.properties,
    ...Type.Partial(Type.Object(ofImages)).properties,
    trainable_blocks: Type.Optional(
      Type.Integer({ description: 'Blocks at its top that `trainable: top` can train at most' }),
    ),
    trainable_all: Type.Optional(Type.Boolean({ description: 'Whether `trainable: all` can train it' })),
    trainable_limit: Type.Optional(
      nullable(Type.String({ description: 'Why no more of them; null where the network has no more' })),
    ),
  }),
  ['file', 'maps', 'top'],
);

/** What lies in `backbones/<id>/card.json` in storage. */
export const InstalledBackbone = Type.Object({
  format: Type.Literal(1),
  card: BackboneCard,
  files: Type.Array(Type.Object({ path: Type.String(), bytes: Type.Integer(), sha256: Sha256 }), {
    description: 'Its files in storage; the one of the card is among them',
  }),
});
export type InstalledBackbone = Static<typeof InstalledBackbone>;

/** A backbone that is installed, and what this server does with it. */
export const ServedBackbone = Type.Composite(
  [
    PublicBackboneCard,
    Type.Object({
      default: Type.Boolean(),
      loaded: Type.Boolean({ description: 'Whether this server has it in memory' }),
      provider: Type.Union([Type.String(), Type.Null()], { description: 'What it runs on: cpu, cuda, webgpu' }),
      unavailable_providers: Type.Array(Type.String(), {
        description: 'What was tried before, and why it does not run there',
      }),
    }),
  ],
  { additionalProperties: false },
);

/** A public network that can be pulled. */
export const CatalogRow = Type.Object(
  {
    id: BackboneId,
    name: Type.String({ description: 'Name for people' }),
    family: Type.String(),
    bytes: Type.Integer({ description: 'Size of the download' }),
    license: Type.String(),
    imagenet_top1: nullable(Type.Number({ description: 'As published, in percent' })),
    gmacs: nullable(Type.Number({ description: 'Multiplications with additions that an image takes, in billions' })),
    good_for: nullable(Type.String({ description: 'What one would take it for' })),
    input_px: Type.Integer(),
    note: nullable(Type.String()),
    installed: Type.Boolean(),
  },
  strict,
);
export type CatalogRow = Static<typeof CatalogRow>;

export const BackboneCatalog = Type.Object(
  {
    data: Type.Array(CatalogRow),
    has_more: Type.Boolean(),
    pull_allowed: Type.Boolean({ description: 'Whether this key may pull them (ALLOW_PULL)' }),
  },
  strict,
);
export type BackboneCatalog = Static<typeof BackboneCatalog>;

/** How an installed backbone did on a few examples of a data set. */
export const TriedBackbone = Type.Object(
  {
    backbone: BackboneId,
    accuracy: Type.Number({ description: 'Of a linear head, by cross-validation' }),
    accuracy_interval: AccuracyInterval,
    examples_per_second: Type.Number({ description: 'From content to features, on the machine of the job' }),
    features: Type.Integer(),
  },
  strict,
);
export type TriedBackbone = Static<typeof TriedBackbone>;

/** What a job of kind `recommend` brings. */
export const Recommendation = Type.Object(
  {
    data: Type.Array(TriedBackbone, { description: 'The most accurate first' }),
    examples: Type.Integer({ description: 'That were tried, at most 200' }),
    backbone: BackboneId,
    sentence: Type.String({ description: 'What to take, and why' }),
  },
  strict,
);
export type Recommendation = Static<typeof Recommendation>;

export const RecommendBackbone = Type.Object({ dataset: DatasetId }, strict);

export const PullBackbone = Type.Object(
  {
    id: Type.Unsafe<string>({ ...BackboneId, description: 'A network of the catalog' }),
    default: Type.Optional(
      Type.Boolean({ default: false, description: 'Jobs that name no backbone use it from then on, on every server' }),
    ),
  },
  strict,
);
