/** Eighths of a block, so that a short bar still moves smoothly. */
const PARTS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/** A bar of at most `width` characters; what is missing is filled with `rest`. */
export function bar(share: number, width: number, rest = ' '): string {
  const eighths = Math.round(Math.min(1, Math.max(0, share || 0)) * width * 8);
  const drawn = '█'.repeat(Math.floor(eighths / 8)) + PARTS[eighths % 8]!;
  return drawn + rest.repeat(width - drawn.length);
}
