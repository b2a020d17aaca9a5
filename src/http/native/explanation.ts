import { type TSchema, Type } from '@sinclair/typebox';
import { AppError } from '../../errors.js';
import type { ExplainOptions } from '../../prediction/explainer.js';
import { Sha256 } from '../../schemas/common.js';
import type { VersionManifest } from '../../schemas/versions.js';

/** Each has two pictures in its answer and a pass of the backbone of its own. */
const MAX_EXPLAINED = 16;
const MAX_NEAREST = 50;

/** Part of the query of a prediction. */
export const ExplainQuery = {
  explain: Type.Boolean({ default: false, description: `Say why, too; at most ${MAX_EXPLAINED} images per request` }),
  class: Type.Optional(Type.String({ description: 'Label to explain; default: the predicted one' })),
  nearest: Type.Integer({
    minimum: 0,
    maximum: MAX_NEAREST,
    default: 5,
    description: 'Most similar training images to name in an explanation',
  }),
};

const nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
const Size = { width: Type.Integer(), height: Type.Integer() };
const Png = Type.String({ description: 'PNG as a data URL (`data:image/png;base64,…`)' });

/** Why an image got its label. */
export const Explanation = Type.Object(
  {
    label: Type.String({ description: 'The class that is explained' }),
    map: nullable(
      Type.Object(
        {
          ...Size,
          png: Png,
          min: Type.Number({ description: 'Value of black (0)' }),
          max: Type.Number({ description: 'Value of white (65535)' }),
          bias: Type.Number(),
          logit: Type.Number({ description: 'Score of the class before the softmax' }),
        },
        {
          additionalProperties: false,
          description:
            'Class activation map: 16-bit grey, value = min + grey / 65535 · (max − min). Exact: the mean of the values plus `bias` is `logit`',
        },
      ),
    ),
    overlay: nullable(
      Type.Object(
        {
          ...Size,
          png: Png,
          limit: Type.Number({ description: 'Value plus bias ± from which on the colour is full' }),
        },
        {
          additionalProperties: false,
          description:
            'The map on the image as the backbone saw it: red speaks for the class, blue against it, grey neither',
        },
      ),
    ),
    no_map: nullable(Type.String({ description: 'Why there is no map; null: there is one' })),
    nearest: Type.Array(
      Type.Object(
        {
          sha256: Sha256,
          name: Type.String({ description: 'Path inside the archive of the data set' }),
          label: Type.String(),
          similarity: Type.Number({ description: 'Cosine of the standardised features, −1 to 1' }),
        },
        { additionalProperties: false },
      ),
      { description: 'The training images that are most alike, best first' },
    ),
    nearest_among: Type.Integer({
      description: 'Training images that the version remembers; 0: its top was trained, or it is older than this',
    }),
  },
  { additionalProperties: false },
);

/**
 * What the query asks to be explained; undefined: nothing.
 * @throws AppError `invalid_request` for a class that the model does not have
 */
export function explainOptions(
  query: { explain: boolean; class?: string; nearest: number },
  { labels, model }: Pick<VersionManifest, 'labels' | 'model'>,
): ExplainOptions | undefined {
  const { class: label, nearest } = query;
  if (!query.explain) {
    if (label === undefined) return undefined;
    throw new AppError('invalid_request', 'querystring: class is the class to explain; add explain=true.');
  }
  if (label !== undefined && !labels.includes(label)) {
    throw new AppError(
      'invalid_request',
      `querystring: class '${label}' is none of the ${labels.length} classes of '${model}', such as '${labels[0]}'.`,
      { details: { classes: labels.slice(0, 100) } },
    );
  }
  return { label, nearest };
}

/** @throws AppError `too_large` */
export function refuseTooManyExplained(images: number): void {
  if (images <= MAX_EXPLAINED) return;
  throw new AppError('too_large', `${images} images to explain in one request; at most ${MAX_EXPLAINED}.`);
}
