import { LRUCache } from 'lru-cache';
import type { Backbone } from '../backbones/contract.js';
import { Exemplars } from '../heads/exemplars.js';
import { isLayers, type ServedHead } from '../heads/served-head.js';
import { weightedRow } from '../heads/sparse-head.js';
import type { FeatureRow } from '../numbers/features.js';
import type { Registry } from '../registry/registry.js';
import type { VersionManifest } from '../schemas/versions.js';

/** What an explanation is asked for. */
export interface ExplainOptions {
  /** Class to explain; undefined: the predicted one. */
  label: string | undefined;
  /** Nearest training examples to name. */
  nearest: number;
  /** Pictures are so many times as large; default: 1. */
  scale?: number | undefined;
}

/** Why an example got its label; beside these fields those of its backbone's `explain`. */
export interface Explanation extends Record<string, unknown> {
  label: string;
  nearest: { sha256: string; name: string; label: string; similarity: number }[];
  nearest_among: number;
}

/** Memory for the training examples of versions that were explained lately. */
const EXEMPLAR_BYTES = 64 * 1024 * 1024;

/** Says why an example got its label. What it needs beside the head is loaded when a version is first explained. */
export class Explainer {
  readonly #registry: Pick<Registry, 'read'>;
  readonly #exemplars: LRUCache<string, Exemplars, { tenant: string; manifest: VersionManifest }>;

  constructor(options: { registry: Pick<Registry, 'read'> }) {
    this.#registry = options.registry;
    this.#exemplars = new LRUCache({
      maxSize: EXEMPLAR_BYTES,
      sizeCalculation: ({ bytes }) => Math.max(1, bytes),
      fetchMethod: (_key, _stale, { context }) => this.#load(context.tenant, context.manifest),
    });
  }

  /**
   * @param options prepared: what the backbone was given; features: what it made of that
   * @throws AppError `version_damaged`
   */
  async explain(options: {
    tenant: string;
    manifest: VersionManifest;
    head: ServedHead;
    backbone: Backbone;
    prepared: unknown;
    features: FeatureRow;
    label: string;
    nearest: number;
    scale?: number | undefined;
  }): Promise<Explanation> {
    const { tenant, manifest, head, backbone, prepared, features, label, nearest, scale } = options;
    const [reasons, exemplars] = await Promise.all([
      backbone.explain?.(prepared, head, manifest.labels.indexOf(label), scale),
      nearest > 0 ? this.#exemplarsOf(tenant, manifest) : undefined,
    ]);
    return {
      label,
      ...reasons,
      nearest: exemplars?.nearest(isLayers(head) ? features : weightedRow(head, features), nearest) ?? [],
      nearest_among: exemplars?.examples ?? 0,
    };
  }

  async #exemplarsOf(tenant: string, manifest: VersionManifest): Promise<Exemplars | undefined> {
    if (!manifest.files.some(({ path }) => path === 'exemplars/features.bin')) return undefined;
    const key = `${tenant}/${manifest.model}/${manifest.version}/${manifest.job}`;
    return this.#exemplars.fetch(key, { context: { tenant, manifest } });
  }

  async #load(tenant: string, manifest: VersionManifest): Promise<Exemplars> {
    const [examples, features] = await Promise.all([
      this.#registry.read(tenant, manifest, 'exemplars/examples.json'),
      this.#registry.read(tenant, manifest, 'exemplars/features.bin'),
    ]);
    return new Exemplars({ examples: examples.toString('utf8'), features });
  }
}
