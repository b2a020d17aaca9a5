import type { ImageBackboneCard } from '../../schemas/backbones.js';

/** How to give an image to a downloaded model, exactly as the API does; lines of Markdown. */
export function imageUsage(card: ImageBackboneCard): string[] {
  const { input, resize } = card;
  const pixels =
    resize.mode === 'stretch'
      ? `stretch the photo to ${input.width} × ${input.height}`
      : `scale the short side to ${resize.short_side} pixels and take the centre ${input.width} × ${input.height}`;
  return [
    `Input \`${input.name}\`: RGB pixels, uint8, \`[N, ${input.height}, ${input.width}, 3]\`. Apply the EXIF orientation, then ${pixels}. Nothing else: normalising is part of the network. Exactly the pixels of the API:`,
    '',
    '```js',
    "import { InferenceSession, Tensor } from 'onnxruntime-node';",
    "import sharp from 'sharp';",
    '',
    `const pixels = await ${pixelRecipe(card)};`,
    "const session = await InferenceSession.create('model.onnx');",
    `const input = new Tensor('uint8', pixels, [1, ${input.height}, ${input.width}, 3]);`,
    `const { probabilities } = await session.run({ ${input.name}: input });`,
    '```',
    '',
    '- `model.onnx` (download with `format=onnx`) goes from pixels to probabilities in any ONNX runtime.',
  ];
}

/** How `decodeImage` makes pixels, as an expression that anybody can run. */
function pixelRecipe({ input, resize }: ImageBackboneCard): string {
  const { width, height } = input;
  const scaled =
    resize.mode === 'stretch'
      ? `.resize(${width}, ${height}, { fit: 'fill' })`
      : cropRecipe(resize.short_side, width, height);
  return `sharp('photo.jpg').autoOrient()${scaled}.flatten({ background: '#fff' }).toColourspace('srgb').raw().toBuffer()`;
}

function cropRecipe(side: number, width: number, height: number): string {
  const [outerWidth, outerHeight] = [Math.max(side, width), Math.max(side, height)];
  const [left, top] = [(outerWidth - width) >> 1, (outerHeight - height) >> 1];
  return `.resize(${outerWidth}, ${outerHeight}).extract({ left: ${left}, top: ${top}, width: ${width}, height: ${height} })`;
}
