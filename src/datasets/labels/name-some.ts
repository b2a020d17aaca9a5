/** How many of many names are written out in a sentence. */
const SHOWN = 5;

/** `a, b and 7 more`. */
export function nameSome(names: string[]): string {
  const shown = names.slice(0, SHOWN);
  const more = names.length - shown.length;
  return more > 0 ? `${shown.join(', ')} and ${more} more` : shown.join(', ');
}
