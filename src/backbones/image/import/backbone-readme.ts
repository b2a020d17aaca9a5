import type { ImportedBackbone } from './imported-backbone.js';
import { PRESETS } from './preprocessing.js';

/** A short model card for people, in Markdown. */
export function backboneReadme({
  card,
  preset,
  presetReason,
  parts,
  classes,
}: Omit<ImportedBackbone, 'files'>): string {
  const { input, resize, features } = card;
  const rows = parts.levels.map(
    ({ name, channels, height, width }, i) =>
      `| \`map_${i + 1}\` | ${channels} | ${height}×${width} | mean of \`${name}\` |`,
  );
  if (parts.vector) {
    const what = parts.vector.firstToken ? 'first token of ' : '';
    rows.push(`| \`map_${rows.length + 1}\` | ${parts.vector.dimensions} | 1×1 | ${what}\`${parts.vector.name}\` |`);
  }
  return `# ${card.name}

A frozen backbone for Graft: \`${card.file}\`, ${card.bytes} bytes, sha256 \`${card.sha256}\`.

- Input \`${input.name}\`: uint8 \`[N, ${input.height}, ${input.width}, 3]\`, RGB. ${
    resize.mode === 'crop'
      ? `Scale the short side to ${resize.short_side} px and take the centre.`
      : 'Stretch the photo to this size.'
  }
- Pre-processing, inside the graph: \`${preset}\`, ${PRESETS[preset].words} (${presetReason}).
- Output \`${features.name}\`: float32 \`[N, ${features.dimensions}]\`, these parts side by side:

| map | values | size | what |
|---|---|---|---|
${rows.join('\n')}

- ${classes === undefined ? 'The file had no classifier behind its features.' : `A classifier of ${classes} classes was cut off.`}
- License: ${card.license}
- Source: ${card.source}
- ImageNet top-1, as published: ${card.imagenet_top1 === null ? 'unknown' : `${card.imagenet_top1} %`}
`;
}
