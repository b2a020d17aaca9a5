import { join } from 'node:path';
import type { Test } from 'tap';
import type { Storage } from '../../src/storage/contract.js';
import { FileStorage } from '../../src/storage/file-storage.js';
import { MemoryStorage } from './memory-storage.js';

/** The drivers that tests of rooms above storage run on: what holds on both holds on an object store. */
export const DRIVERS: Record<string, (t: Pick<Test, 'testdir'>) => Storage> = {
  'on disk': (t) => new FileStorage({ root: join(t.testdir(), 'data') }),
  'with eventual deletes': () => new MemoryStorage(),
};
