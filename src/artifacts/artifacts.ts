/**
 * artifacts/ packs a version for download: `bundle`, `onnx` and `tfjs`. Nothing is stored; the same version gives the same
 * bytes. Not here: graph surgery (onnx/), what a trained top changes (top/), how files are sent (http/).
 */
import { createHash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { LRUCache } from 'lru-cache';
import { ZipFile } from 'yazl';
import type { Backbones } from '../backbones/backbones.js';
import { AppError } from '../errors.js';
import { holdsLayers, onlyLayers, readHead } from '../heads/served-head.js';
import type { Registry } from '../registry/registry.js';
import type { BackboneCard } from '../schemas/backbones.js';
import type { VersionManifest } from '../schemas/versions.js';
import { type DownloadedTop, topForDownload } from '../top/download.js';
import { classifierPieces, type FeatureGraph, featureGraph } from './onnx-classifier.js';

export type ArtifactFormat = 'bundle' | 'onnx' | 'tfjs';

/** A file as pieces of memory, to be sent one after another. */
export interface Artifact {
  pieces: Uint8Array[];
  bytes: number;
  sha256: string;
  type: string;
  filename: string;
}

/** They are as large as their backbones; few are in use at once. */
const MAX_GRAPHS = 4;
const MAX_DIGESTS = 10_000;
/** Largest file of a backbone that goes into a bundle; others are named in it. */
const MAX_BUNDLED_BYTES = 1024 * 1024;
/** Files that name examples of the data set. */
const PRIVATE = ['exemplars/', 'predictions/'];

export class Artifacts {
  readonly #registry: Registry;
  readonly #backbones: Backbones;
  /** By the digest of the backbone. */
  readonly #graphs: LRUCache<string, FeatureGraph, BackboneCard>;
  readonly #digests = new LRUCache<string, string>({ max: MAX_DIGESTS });

  constructor(options: { registry: Registry; backbones: Backbones }) {
    this.#registry = options.registry;
    this.#backbones = options.backbones;
    this.#graphs = new LRUCache<string, FeatureGraph, BackboneCard>({
      max: MAX_GRAPHS,
      fetchMethod: async (_sha256, _stale, { context: card }) => featureGraph(await this.#backbones.bytes(card), card),
    });
  }

  /** @throws AppError `version_damaged`, `backbone_not_found`, `backbone_mismatch`, `format_unavailable` */
  async create(tenant: string, manifest: VersionManifest, format: ArtifactFormat): Promise<Artifact> {
    const name = `${manifest.model}-v${manifest.version}`;
    const top =
      manifest.top && topForDownload({ manifest, read: (path) => this.#registry.read(tenant, manifest, path) });
    top?.checkFormat(format);
    const { pieces, type, filename } =
      format === 'onnx'
        ? {
            pieces: await this.#onnx(tenant, manifest, top),
            type: 'application/octet-stream',
            filename: `${name}.onnx`,
          }
        : {
            pieces: [await this.#zip(tenant, manifest, format)],
            type: 'application/zip',
            filename: format === 'tfjs' ? `${name}-tfjs.zip` : `${name}.zip`,
          };
    const bytes = pieces.reduce((sum, piece) => sum + piece.length, 0);
    return { pieces, bytes, type, filename, sha256: await this.#digest(`${manifest.digest} ${filename}`, pieces) };
  }

  async #onnx(tenant: string, manifest: VersionManifest, top: DownloadedTop | undefined): Promise<Uint8Array[]> {
    const card = await this.#backbones.card(manifest.backbone.id);
    if (card.sha256 !== manifest.backbone.sha256) {
      throw new AppError('backbone_mismatch', `Backbone '${card.id}' is not the file this version was trained on.`);
    }
    const { onnx, words } = this.#backbones.modalityOf(card);
    if (!onnx) {
      const [why, instead] = holdsLayers(manifest.files)
        ? [`, as those of ${words.many} are not`, 'bundle or tfjs']
        : ['', 'bundle, which holds programs that compute the same'];
      throw new AppError(
        'format_unavailable',
        `Backbone '${card.id}' of this version is no ONNX graph${why}. Take format ${instead}.`,
      );
    }
    const [graph, head] = await Promise.all([
      top
        ? this.#backbones.bytes(card).then(async (bytes) => featureGraph(await top.graph(bytes), card))
        : this.#graphs.fetch(card.sha256, { context: card }),
      readHead(manifest.files, (path) => this.#registry.read(tenant, manifest, path)),
    ]);
    return classifierPieces({
      features: graph!,
      card,
      head: onlyLayers(head),
      labels: manifest.labels,
      metadata: { model: manifest.model, version: String(manifest.version), digest: manifest.digest },
    });
  }

  async #zip(tenant: string, manifest: VersionManifest, format: 'bundle' | 'tfjs'): Promise<Uint8Array> {
    const zip = new ZipFile();
    const mtime = new Date(manifest.created_at);
    const add = (path: string, bytes: Uint8Array | string) =>
      zip.addBuffer(Buffer.from(bytes as Uint8Array), path, { mtime, mode: 0o100644 });
    // Which examples it was trained on, and what they look like, is nobody's business who gets the model.
    const files = manifest.files.filter(({ path }) => !PRIVATE.some((folder) => path.startsWith(folder)));
    if (format === 'tfjs' && !holdsLayers(files)) {
      throw new AppError(
        'format_unavailable',
        'The head of this version is no TensorFlow.js model: it takes sparse features. Take format bundle, which holds programs that compute the same.',
      );
    }
    if (format === 'bundle') add('manifest.json', JSON.stringify({ ...manifest, files }, null, 2));
    for (const { path } of files) {
      if (format === 'bundle') add(path, await this.#registry.read(tenant, manifest, path));
      else if (path.startsWith('head/') || path === 'labels.json') {
        add(path.replace('head/', ''), await this.#registry.read(tenant, manifest, path));
      }
    }
    if (format === 'bundle') for (const [path, bytes] of await this.#programs(manifest)) add(path, bytes);
    zip.end();
    return buffer(zip.outputStream as Readable);
  }

  /** What is needed to run the version without Graft, and is small: programs, and the backbone's file. */
  async #programs({ backbone }: VersionManifest): Promise<[path: string, bytes: Uint8Array | string][]> {
    const card = await this.#backbones.card(backbone.id).catch(() => undefined);
    if (card?.sha256 !== backbone.sha256) return [];
    const programs = this.#backbones.modalityOf(card).reference?.(card) ?? [];
    if (programs.length === 0 || card.bytes > MAX_BUNDLED_BYTES) return programs;
    return [...programs, [`backbone/${card.file}`, await this.#backbones.bytes(card)]];
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
