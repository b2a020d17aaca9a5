import type { TSchema } from '@sinclair/typebox';

type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

/**
 * Say each schema that has a name once, under `components`, and refer to it everywhere else: generators make a type of each
 * component. Equal schemas are the same one.
 * @param document an OpenAPI document; it is changed
 */
export function nameSchemas(document: object, named: Record<string, TSchema>): void {
  const names = new Map(Object.entries(named).map(([name, schema]) => [textOf(schema as Json), name]));
  const used = new Map<string, Json>();
  const replaced = (value: Json, isNamed = false): Json => {
    if (value === null || typeof value !== 'object') return value;
    if (Array.isArray(value)) return value.map((item) => replaced(item));
    const name = isNamed ? undefined : names.get(textOf(value));
    if (name === undefined) {
      return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, replaced(inner)]));
    }
    if (!used.has(name)) {
      used.set(name, null); // it may hold itself
      used.set(name, replaced(value, true));
    }
    return { $ref: `#/components/schemas/${name}` };
  };
  const whole = document as { paths: Json; components: { schemas?: Record<string, Json> } };
  whole.paths = replaced(whole.paths);
  const sorted = [...used].sort(([a], [b]) => (a < b ? -1 : 1));
  whole.components.schemas = { ...whole.components.schemas, ...Object.fromEntries(sorted) };
}

/** Equal for equal schemas, whichever of two ways they are written in, and in whatever order. */
function textOf(schema: Json): string {
  return JSON.stringify(schema, (_key, value: unknown) => {
    if (value === null || typeof value !== 'object' || Array.isArray(value)) return value;
    const { const: only, patternProperties, ...rest } = value as Record<string, unknown>;
    const others = patternProperties && Object.values(patternProperties)[0];
    const same = {
      ...rest,
      ...(only !== undefined && { enum: [only] }),
      ...(others && { additionalProperties: others }),
    };
    return Object.fromEntries(Object.entries(same).sort(([a], [b]) => (a < b ? -1 : 1)));
  });
}
