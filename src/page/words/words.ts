/** words/ are all texts of the page. A language is a file like `en.ts`; the compiler says what it lacks. */
import { en } from './en.js';

export type Words = typeof en;

export const words: Words = en;
