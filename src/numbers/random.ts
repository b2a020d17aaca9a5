/**
 * training/ turns a data set into a published version: split, features, head, temperature, evaluation, report.
 *
 * This file: seeded random numbers. The same seed and purpose give the same numbers on every machine.
 */
import { createHash } from 'node:crypto';

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

/** A shuffled copy (Fisher–Yates). */
export function shuffled<T>(items: readonly T[], random: Random): T[] {
  const copy = [...items];
  for (let i = copy.length - 1; i > 0; i -= 1) {
    const j = Math.floor(random() * (i + 1));
    [copy[i], copy[j]] = [copy[j]!, copy[i]!];
  }
  return copy;
}
