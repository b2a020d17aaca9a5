/**
 * catalog/ brings public networks: which there are, where their files lie, and how they become backbones. Not here: how bytes
 * are fetched (outbound/), how a network becomes a backbone (image/import/), where backbones are kept (`../installed.ts`).
 *
 * This file: the list, `models/catalog.json`.
 */
import { readFile } from 'node:fs/promises';
import { type Static, Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { AppError } from '../../errors.js';
import { BackboneId, Sha256 } from '../../schemas/common.js';
import { PRESETS } from '../image/import/preprocessing.js';

const strict = { additionalProperties: false };
const text = Type.String({ minLength: 1 });

export const CatalogNetwork = Type.Object(
  {
    id: BackboneId,
    name: text,
    family: text,
    exporter: Type.String({ description: 'What wrote the ONNX file, and with whose weights' }),
    file: Type.String({ pattern: '^[A-Za-z0-9._-]+\\.onnx$', description: 'Name of the file' }),
    paths: Type.Array(Type.String({ pattern: '^[^/:?#][^:?#]*\\.onnx$' }), {
      minItems: 1,
      description: 'Where the file lies below the base address; tried in this order',
    }),
    bytes: Type.Integer({ minimum: 1 }),
    sha256: Sha256,
    license: text,
    imagenet_top1: Type.Union([Type.Number({ minimum: 0, maximum: 100 }), Type.Null()], {
      description: 'As published for these weights at this size, in percent; null where nobody did',
    }),
    preset: Type.Union(
      Object.keys(PRESETS).map((name) => Type.Literal(name)),
      { description: 'Pre-processing' },
    ),
    input_px: Type.Integer({ minimum: 1, description: 'Width and height of the input' }),
    gmacs: Type.Optional(
      Type.Number({
        exclusiveMinimum: 0,
        description: 'Multiplications with additions that an image takes, in billions, as published: how slow it is',
      }),
    ),
    good_for: Type.Optional(Type.String({ minLength: 1, maxLength: 14, description: 'What one would take it for' })),
    note: Type.Union([text, Type.Null()]),
    tried: Type.Optional(
      Type.Boolean({ description: 'Whether who wrote the list ever fetched the file from there; default: true' }),
    ),
  },
  strict,
);
export type CatalogNetwork = Static<typeof CatalogNetwork>;

export const Catalog = Type.Object(
  {
    base: Type.String({ pattern: '^https://[^?#]+[^/?#]$', description: 'Address that a mirror replaces' }),
    networks: Type.Array(CatalogNetwork),
    missing: Type.Array(Type.Object({ id: BackboneId, name: text, advice: text }, strict), {
      description: 'Networks that people ask for and that cannot be pulled',
    }),
  },
  strict,
);
export type Catalog = Static<typeof Catalog>;

/** @throws AppError `internal` when the file is not a catalog: it is ours. */
export async function readCatalog(file: string): Promise<Catalog> {
  const catalog: unknown = JSON.parse(await readFile(file, 'utf8'));
  if (Value.Check(Catalog, catalog)) return catalog;
  const fault = Value.Errors(Catalog, catalog).First();
  throw new AppError('internal', `The catalog ${file} is not valid: ${fault?.path} ${fault?.message}.`);
}

/** The most accurate of the other networks that are about as fast; undefined where none is known. */
export function nextBest(catalog: Catalog, { id, gmacs = 0 }: CatalogNetwork): CatalogNetwork | undefined {
  const isAlike = ({ gmacs: other = 0 }: CatalogNetwork) => other > 0 && other <= 1.5 * gmacs && other >= gmacs / 3;
  return catalog.networks
    .filter((other) => other.id !== id && isAlike(other))
    .sort((a, b) => (b.imagenet_top1 ?? 0) - (a.imagenet_top1 ?? 0))[0];
}

/**
 * The network of this id.
 * @throws AppError `not_found` that says what there is, or how to come by one that is not in the catalog
 */
export function findNetwork(catalog: Catalog, id: string): CatalogNetwork {
  const network = catalog.networks.find((candidate) => candidate.id === id);
  if (network) return network;
  const missing = catalog.missing.find((candidate) => candidate.id === id);
  if (missing) throw new AppError('not_found', `${missing.name} cannot be pulled. ${missing.advice}`);
  const ids = catalog.networks.map((candidate) => candidate.id);
  throw new AppError('not_found', `The catalog has no ${JSON.stringify(id)}. It has: ${ids.join(', ')}.`, {
    details: { known: ids },
  });
}
