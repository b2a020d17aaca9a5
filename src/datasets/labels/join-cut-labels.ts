import type { Refusal } from '../archives/archive.js';
import type { Place } from './label.js';

/**
 * Classes whose names go on in one split and end in another, such as `adenocarcinoma_left.lower.lobe` for training and
 * `adenocarcinoma` for the test: where each has one partner alone, they are one class under the shorter name.
 */
export function joinCutLabels(places: (Place | Refusal)[]): { places: (Place | Refusal)[]; warnings: string[] } {
  const labels = { train: new Set<string>(), held: new Set<string>() };
  for (const place of places) {
    if ('label' in place && place.split) labels[place.split === 'train' ? 'train' : 'held'].add(place.label);
  }
  const untrained = [...labels.held].filter((label) => !labels.train.has(label));
  const untested = [...labels.train].filter(
    (label) => !labels.held.has(label) || untrained.some((cut) => goesOn(label, cut)),
  );
  const joined = new Map<string, string>();
  for (const label of untrained) {
    const partners = untested.filter((other) => goesOn(other, label) || goesOn(label, other));
    if (partners.length !== 1) continue;
    const [short, long] = [label, partners[0]!].sort((a, b) => a.length - b.length) as [string, string];
    joined.set(long, short);
  }
  if (joined.size === 0) return { places, warnings: [] };
  const pairs = [...joined].map(([long, short]) => `${JSON.stringify(long)} as ${JSON.stringify(short)}`);
  return {
    places: places.map((place) =>
      'label' in place ? { ...place, label: joined.get(place.label) ?? place.label } : place,
    ),
    warnings: [
      `Classes whose names differ between the splits were matched by their common beginning: ${pairs.join(', ')}. Give each ` +
        'class one name if that is wrong.',
    ],
  };
}

/** Whether a name is another one with more behind a separator. */
function goesOn(long: string, short: string): boolean {
  return long.length > short.length && long.startsWith(short) && /[\s._-]/.test(long[short.length]!);
}
