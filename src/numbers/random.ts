/**
 * numbers/ holds arithmetic that several rooms need: seeded random numbers, scores, feature matrices. It knows arrays and
 * nothing of what they mean; what belongs to one kind of head lies in heads/, what a report says in training/.
 *
 * This file: seeded random numbers. The same seed and purpose give the same numbers on every machine.
 */
import { createHash } from 'node:crypto';

/** Uniform numbers in [0, 1). */
export type Random = () => number;

/** Uniform numbers in [0, 1) by sfc32 (Chris Doty-Humphrey, PractRand), seeded by SHA-256 of seed and purpose. */
export function seededRandom(seed: number, purpose: string): Random {
  const digest = createHash('sha256').update(`${seed}\n${purpose}`).digest();
  let [a, b, c, counter] = [0, 4, 8, 12].map((offset) => digest.readInt32LE(offset)) as [
    number,
    number,
    number,
    number,
  ];
  return () => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + sum) | 0;
    return (sum >>> 0) / 4_294_967_296;
  };
}

/** Standard normal numbers (Box and Muller, 1958), two uniform ones each. */
export function gaussianFrom(random: Random): () => number {
  return () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** Shuffle in place (Fisher–Yates). @returns `items` */
export function shuffle<T extends unknown[] | Int32Array>(items: T, random: Random): T {
  for (let i = items.length - 1; i > 0; i -= 1) {
    const j = Math.floor(random() * (i + 1));
    [items[i], items[j]] = [items[j]!, items[i]!];
  }
  return items;
}

/** A shuffled copy. */
export function shuffled<T>(items: readonly T[], random: Random): T[] {
  return shuffle([...items], random);
}
