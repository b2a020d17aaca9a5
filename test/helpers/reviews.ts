import { randomFrom } from './photos.js';

const WORDS = {
  kitchen: 'pan stove knife soup salt oven flour plate spoon recipe crème 好吃 naïve'.split(' '),
  garden: 'soil spade rose hedge seed rain lawn bulb fence beetle größe 花园 été'.split(' '),
  harbour: 'boat anchor tide gull rope mast crane pier salt wind hull сеть порт'.split(' '),
};
const COMMON = 'the a of and to in it is was for, with — on. at!'.split(' ');

export const TOPICS = Object.keys(WORDS) as Topic[];
export type Topic = keyof typeof WORDS;

/** A text that is about something: every third word belongs to it. */
export function textAbout(topic: Topic, seed: number): string {
  const random = randomFrom(seed);
  const one = (list: string[]) => list[Math.floor(random() * list.length)]!;
  return Array.from({ length: 20 }, (_, i) => one(i % 3 === 0 ? WORDS[topic] : COMMON)).join(' ');
}

/** A table of texts, so many of each topic. */
export function tableOfTexts(each: number, topics: Topic[] = TOPICS): string {
  const rows = Array.from({ length: each }, (_, i) =>
    topics.map((topic, k) => `"${textAbout(topic, 1000 * k + i + 1)}",${topic}`),
  );
  return `text,label\n${rows.flat().join('\n')}\n`;
}
