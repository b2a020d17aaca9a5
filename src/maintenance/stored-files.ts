import { createHash } from 'node:crypto';
import { FormatRegistry, type Static, type TSchema, TypeRegistry } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { readJson, type Storage } from '../storage/contract.js';

FormatRegistry.Set('date-time', (value) => !Number.isNaN(Date.parse(value)));

// Our enumerations are `Type.Unsafe`, of which TypeBox itself knows nothing.
TypeRegistry.Set<{ enum?: unknown[] }>('Unsafe', (schema, value) => schema.enum?.includes(value) ?? true);

/** What `readChecked` found: the value, that nothing is there, or why it cannot be used. */
export type Checked<T> = { value: T } | { missing: true } | { fault: string };

/** Read a JSON file and hold it against its schema. */
export async function readChecked<T extends TSchema>(
  storage: Storage,
  key: string,
  schema: T,
): Promise<Checked<Static<T>>> {
  let value: unknown;
  try {
    value = await readJson(storage, key);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return { fault: 'it is not JSON' };
  }
  if (value === undefined) return { missing: true };
  const first = Value.Errors(schema, value).First();
  return first ? { fault: `${first.path || 'it'}: ${first.message}` } : { value: value as Static<T> };
}

/** SHA-256 (hex) and size of a stored file; undefined where there is none. */
export async function digestOf(storage: Storage, key: string): Promise<{ sha256: string; bytes: number } | undefined> {
  const object = await storage.get(key);
  if (!object) return undefined;
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of object.stream as AsyncIterable<Buffer>) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  return { sha256: hash.digest('hex'), bytes };
}

/** Milliseconds since the youngest of these files was written; undefined where none is there. */
export async function ageOf(storage: Storage, keys: string[]): Promise<number | undefined> {
  const heads = await Promise.all(keys.map((key) => storage.head(key)));
  const times = heads.flatMap((head) => (head ? [head.modifiedAt.getTime()] : []));
  return times.length === 0 ? undefined : Date.now() - Math.max(...times);
}
