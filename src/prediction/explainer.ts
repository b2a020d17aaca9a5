import { LRUCache } from 'lru-cache';
import type { Backbone } from '../backbones/backbones.js';
import { classActivationMap } from '../backbones/image/class-activation-map.js';
import { mapPicture, overlayPicture } from '../backbones/image/map-pictures.js';
import { Exemplars } from '../heads/exemplars.js';
import type { Head } from '../heads/head.js';
import type { Registry } from '../registry/registry.js';
import type { VersionManifest } from '../schemas/versions.js';

/** What an explanation is asked for. */
export interface ExplainOptions {
  /** Class to explain; undefined: the predicted one. */
  label: string | undefined;
  /** Nearest training images to name. */
  nearest: number;
}

/** Why an image got its label. */
export interface Explanation {
  label: string;
  map: {
    width: number;
    height: number;
    bias: number;
    logit: number;
    min: number;
    max: number;
    png: string;
  } | null;
  overlay: { width: number; height: number; limit: number; png: string } | null;
  no_map: string | null;
  nearest: { sha256: string; name: string; label: string; similarity: number }[];
  nearest_among: number;
}

/** Memory for the training images of versions that were explained lately. */
const EXEMPLAR_BYTES = 64 * 1024 * 1024;

/** Says why an image got its label. What it needs beside the head is loaded when a version is first explained. */
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
   * @param options pixels: uint8 `[height, width, 3]`, as the backbone sees them; features: what it made of them, `[D]`
   * @throws AppError `version_damaged`
   */
  async explain(options: {
    tenant: string;
    manifest: VersionManifest;
    head: Head;
    backbone: Backbone;
    pixels: Uint8Array;
    features: Float32Array;
    label: string;
    nearest: number;
  }): Promise<Explanation> {
    const { tenant, manifest, head, backbone, pixels, features, label, nearest } = options;
    const noMap = whyNoMap(head, backbone, manifest);
    const [pictures, exemplars] = await Promise.all([
      noMap === null ? this.#pictures(head, backbone, pixels, manifest.labels.indexOf(label)) : undefined,
      nearest > 0 ? this.#exemplarsOf(tenant, manifest) : undefined,
    ]);
    return {
      label,
      map: pictures?.map ?? null,
      overlay: pictures?.overlay ?? null,
      no_map: noMap,
      nearest: exemplars?.nearest(features, nearest) ?? [],
      nearest_among: exemplars?.examples ?? 0,
    };
  }

  async #pictures(head: Head, backbone: Backbone, pixels: Uint8Array, classIndex: number) {
    const activation = classActivationMap(await backbone.maps(pixels), head.layers[0]!, classIndex);
    const [map, overlay] = await Promise.all([
      mapPicture(activation),
      overlayPicture(activation, pixels, backbone.card.input),
    ]);
    const { bias, logit } = activation;
    const { width, height, min, max } = map;
    return {
      map: { width, height, bias, logit, min, max, png: dataUrl(map.png) },
      overlay: { ...overlay, png: dataUrl(overlay.png) },
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

/** A sentence, or null where the score is a mean over positions. */
function whyNoMap(head: Head, { card }: Backbone, { top }: VersionManifest): string | null {
  if (top)
    return 'The top of this model was trained, and maps come from the shared backbone only; train with trainable none.';
  if (head.layers.length > 1) {
    return 'The head has a hidden layer, so its score is no mean over positions; a linear head has a map (train with head linear).';
  }
  const channels = card.maps.reduce((sum, map) => sum + map.channels, 0);
  if (channels !== head.layers[0]!.inputs) {
    return `Backbone '${card.id}' has no maps whose means are its features; import it again if its network has any.`;
  }
  return null;
}

function dataUrl(png: Buffer): string {
  return `data:image/png;base64,${png.toString('base64')}`;
}
