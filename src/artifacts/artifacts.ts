/**
 * artifacts/ packs a version for download: `bundle`, `onnx` and `tfjs`. Nothing is stored; the same version gives the same
 * bytes.
 */
import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { LRUCache } from 'lru-cache';
import { ZipFile } from 'yazl';
import type { Backbones } from '../backbones/backbones.js';
import { AppError } from '../errors.js';
import { readTfjsLayers } from '../heads/tfjs-layers.js';
import type { Registry } from '../registry/registry.js';
import type { BackboneCard } from '../schemas/backbones.js';
import type { VersionManifest } from '../schemas/versions.js';
import { replaceWeights } from '../top/replace-weights.js';
import { readTopWeights } from '../top/weights.js';
import { classifierPieces, type Trunk, trunkOf } from './onnx-classifier.js';

export type ArtifactFormat = 'bundle' | 'onnx' | 'tfjs';

/** A file as pieces of memory, to be sent one after another. */
export interface Artifact {
  pieces: Uint8Array[];
  bytes: number;
  sha256: string;
  type: string;
  filename: string;
}

/** Trunks are as large as their backbones; few are in use at once. */
const TRUNKS = 4;
const DIGESTS = 10_000;

export class Artifacts {
  readonly #registry: Registry;
  readonly #backbones: Backbones;
  readonly #trunks: LRUCache<string, Trunk>;
  readonly #digests = new LRUCache<string, string>({ max: DIGESTS });

  constructor(options: { registry: Registry; backbones: Backbones }) {
    this.#registry = options.registry;
    this.#backbones = options.backbones;
    this.#trunks = new LRUCache<string, Trunk>({ max: TRUNKS, fetchMethod: (id) => this.#trunk(id) });
  }

  /** @throws AppError `version_damaged`, `backbone_not_found`, `backbone_mismatch`, `format_unavailable` */
  async create(tenant: string, manifest: VersionManifest, format: ArtifactFormat): Promise<Artifact> {
    const name = `${manifest.model}-v${manifest.version}`;
    if (format === 'tfjs' && manifest.top) {
      throw new AppError(
        'format_unavailable',
        `Version ${manifest.version} of '${manifest.model}' has a part of the backbone of its own, which is no TensorFlow.js layers model. Take format onnx or bundle.`,
      );
    }
    const { pieces, type, filename } =
      format === 'onnx'
        ? { pieces: await this.#onnx(tenant, manifest), type: 'application/octet-stream', filename: `${name}.onnx` }
        : {
            pieces: [await this.#zip(tenant, manifest, format)],
            type: 'application/zip',
            filename: format === 'tfjs' ? `${name}-tfjs.zip` : `${name}.zip`,
          };
    const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
    return { pieces, bytes, type, filename, sha256: await this.#digest(`${manifest.digest} ${filename}`, pieces) };
  }

  async #onnx(tenant: string, manifest: VersionManifest): Promise<Uint8Array[]> {
    const card = await this.#backbones.card(manifest.backbone.id);
    if (card.sha256 !== manifest.backbone.sha256) {
      throw new AppError('backbone_mismatch', `Backbone '${card.id}' is not the file this version was trained on.`);
    }
    const [trunk, model, weights] = await Promise.all([
      manifest.top ? this.#tunedTrunk(tenant, manifest, card) : this.#trunks.fetch(card.id),
      this.#registry.read(tenant, manifest, 'head/model.json'),
      this.#registry.read(tenant, manifest, 'head/weights.bin'),
    ]);
    return classifierPieces({
      trunk: trunk!,
      card,
      head: readTfjsLayers({ model: model.toString('utf8'), weights }),
      labels: manifest.labels,
      metadata: { model: manifest.model, version: String(manifest.version), digest: manifest.digest },
    });
  }

  async #zip(tenant: string, manifest: VersionManifest, format: 'bundle' | 'tfjs'): Promise<Uint8Array> {
    const zip = new ZipFile();
    const mtime = new Date(manifest.created_at);
    const add = (path: string, bytes: Uint8Array | string) =>
      zip.addBuffer(Buffer.from(bytes as Uint8Array), path, { mtime, mode: 0o100644 });
    // Which photos it was trained on, and what they look like, is nobody's business who gets the model.
    const files = manifest.files.filter(({ path }) => !path.startsWith('exemplars/'));
    if (format === 'bundle') add('manifest.json', JSON.stringify({ ...manifest, files }, null, 2));
    for (const { path } of files) {
      if (format === 'bundle') add(path, await this.#registry.read(tenant, manifest, path));
      else if (path.startsWith('head/') || path === 'labels.json') {
        add(path.replace('head/', ''), await this.#registry.read(tenant, manifest, path));
      }
    }
    zip.end();
    return buffer(zip.outputStream as Readable);
  }

  async #trunk(id: string): Promise<Trunk> {
    const card = await this.#backbones.card(id);
    return trunkOf(await this.#backbones.bytes(card), card);
  }

  /** The whole backbone with the version's own weights in its top. */
  async #tunedTrunk(tenant: string, manifest: VersionManifest, card: BackboneCard): Promise<Trunk> {
    const [index, weights] = await Promise.all([
      this.#registry.read(tenant, manifest, 'top/weights.json'),
      this.#registry.read(tenant, manifest, 'top/weights.bin'),
    ]);
    const topWeights = readTopWeights({ index: index.toString('utf8'), weights });
    return trunkOf(replaceWeights(await this.#backbones.bytes(card), topWeights.weights), card);
  }

  async #digest(key: string, pieces: Uint8Array[]): Promise<string> {
    const known = this.#digests.get(key);
    if (known) return known;
    const hash = createHash('sha256');
    for (const piece of pieces) {
      // In slices, so that hashing a large backbone does not hold the event loop.
      for (let start = 0; start < piece.length; start += 4 << 20) {
        hash.update(piece.subarray(start, start + (4 << 20)));
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
    const digest = hash.digest('hex');
    this.#digests.set(key, digest);
    return digest;
  }
}
