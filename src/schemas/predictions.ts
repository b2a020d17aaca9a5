import { type Static, Type } from '@sinclair/typebox';
import { BackboneId, ModelName, nullable, Sha256, strict, VersionNumber } from './common.js';

const Size = { width: Type.Integer(), height: Type.Integer() };
const Png = Type.String({ description: 'PNG as a data URL (`data:image/png;base64,…`)' });

/**
 * Why an example got its label. `map`, `overlay` and `no_map` are told by backbones of images, `words`, `bias` and `logit` by
 * those of texts.
 */
export const Explanation = Type.Object(
  {
    label: Type.String({ description: 'The class that is explained' }),
    map: Type.Optional(
      nullable(
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
            ...strict,
            description:
              'Class activation map: 16-bit grey, value = min + grey / 65535 · (max − min). Exact: the mean of the values plus `bias` is `logit`',
          },
        ),
      ),
    ),
    overlay: Type.Optional(
      nullable(
        Type.Object(
          {
            ...Size,
            png: Png,
            limit: Type.Number({ description: 'Value plus bias ± from which on the colour is full' }),
          },
          {
            ...strict,
            description:
              'The map on the image as the backbone saw it: red speaks for the class, blue against it, grey neither',
          },
        ),
      ),
    ),
    words: Type.Optional(
      Type.Array(
        Type.Object(
          {
            text: Type.String({ description: 'What stands between two blanks' }),
            start: Type.Integer({ description: 'Where it begins in the text, in UTF-16 units' }),
            end: Type.Integer({ description: 'Where it ends' }),
            share: Type.Number({ description: 'What it adds to the score of the class' }),
          },
          strict,
        ),
        {
          description:
            'What each word adds to the score of the class, in order. Exact: the shares and `bias` add up to `logit`; at most 1,000 words are named',
        },
      ),
    ),
    bias: Type.Optional(Type.Number({ description: 'Of texts: what the class scores without any word' })),
    logit: Type.Optional(
      Type.Number({ description: 'Of texts: score of the class before the softmax, over the mean of all classes' }),
    ),
    no_map: Type.Optional(nullable(Type.String({ description: 'Why there is no map; null: there is one' }))),
    nearest: Type.Array(
      Type.Object(
        {
          sha256: Sha256,
          name: Type.String({ description: 'Path inside the archive of the data set' }),
          label: Type.String(),
          similarity: Type.Number({ description: 'Cosine of the standardised features, −1 to 1' }),
        },
        strict,
      ),
      { description: 'The training examples that are most alike, best first' },
    ),
    nearest_among: Type.Integer({
      description: 'Training examples that the version remembers; 0: its top was trained, or it is older than this',
    }),
  },
  strict,
);
export type Explanation = Static<typeof Explanation>;

/** What a version says of the examples of one request. */
export const Prediction = Type.Object(
  {
    model: ModelName,
    version: VersionNumber,
    backbone: BackboneId,
    results: Type.Array(
      Type.Object({
        name: Type.String({ description: 'File name in the form, or the place in the request' }),
        predictions: Type.Array(Type.Object({ label: Type.String(), score: Type.Number() })),
        explanation: Type.Optional(Explanation),
        error: Type.Optional(
          Type.Object(
            { code: Type.String(), detail: Type.String() },
            { ...strict, description: 'Why it has no predictions; only with `partial`' },
          ),
        ),
      }),
      { description: 'One per example, in order' },
    ),
    timings: Type.Object({
      decode_ms: Type.Number(),
      queue_ms: Type.Number(),
      inference_ms: Type.Number(),
      total_ms: Type.Number(),
    }),
  },
  strict,
);
export type Prediction = Static<typeof Prediction>;

/** What a version said of an example that it had not seen when it was measured. */
export const HeldOutPrediction = Type.Object(
  {
    sha256: Sha256,
    name: Type.String({ description: 'Path inside the archive' }),
    labels: Type.Array(Type.String(), { description: 'Labels that it has' }),
    predicted: Type.String({ description: 'Label that the version gave it' }),
    scores: Type.Array(Type.Object({ label: Type.String(), score: Type.Number() }, strict), {
      description:
        'Probabilities to 6 digits, the likeliest label first: of all labels up to 100, else of the ten likeliest and of its own',
    }),
  },
  strict,
);
export type HeldOutPrediction = Static<typeof HeldOutPrediction>;
