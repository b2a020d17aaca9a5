import { seededRandom, shuffled } from '../numbers/random.js';

/** 4,369 examples of 1,920 bytes. More would make a version larger than what it is for. */
const MAX_BYTES = 8 * 1024 * 1024;
const MAX_EXEMPLARS = 5000;

/**
 * The training examples that a version remembers: all, or of many a seeded choice in which the classes take turns, so that
 * a small class is there, too.
 * @param examples indices; y: class of each example; bytesEach: that an example takes
 */
export function chooseExemplars(examples: number[], y: Int32Array, bytesEach: number, seed: number): number[] {
  const most = Math.min(MAX_EXEMPLARS, Math.floor(MAX_BYTES / bytesEach));
  if (examples.length <= most) return examples;
  const classes = new Map<number, number[]>();
  for (const example of shuffled(examples, seededRandom(seed, 'exemplars'))) {
    const members = classes.get(y[example]!);
    if (members) members.push(example);
    else classes.set(y[example]!, [example]);
  }
  const chosen: number[] = [];
  for (let turn = 0; chosen.length < most; turn += 1) {
    for (const members of classes.values())
      if (turn < members.length && chosen.length < most) chosen.push(members[turn]!);
  }
  return chosen.sort((a, b) => a - b);
}
