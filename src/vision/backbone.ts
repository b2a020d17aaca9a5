import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Value } from '@sinclair/typebox/value';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { AppError, isErrno } from '../errors.js';
import { BackboneCard } from '../schemas.js';

/** A loaded backbone: one ONNX Runtime session, kept for the life of the process (sessions leak when released). */
export interface Backbone {
  readonly card: BackboneCard;
  /**
   * Features of a batch.
   * @param pixels uint8 `[count, height, width, 3]`, RGB
   * @returns float32 `[count, D]`
   */
  embed(pixels: Uint8Array, count: number): Promise<Float32Array>;
}

/** What the process computes backbones with, for reports. */
export const BACKBONE_ENGINE = 'onnxruntime-node cpu';

/** The backbones in a folder, each loaded once when first needed. */
export class Backbones {
  readonly #folder: string;
  readonly #threads: number;
  readonly #loaded = new Map<string, Promise<Backbone>>();

  constructor(options: { folder: string; threads: number }) {
    this.#folder = options.folder;
    this.#threads = options.threads;
  }

  /** Cards of all backbones in the folder, sorted by id. */
  async list(): Promise<BackboneCard[]> {
    const names = await readdir(this.#folder, { withFileTypes: true });
    const cards = names.filter((entry) => entry.isDirectory()).map(({ name }) => this.#read(name));
    return (await Promise.all(cards)).filter((card) => card !== undefined).sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** @throws AppError `backbone_not_found` that names those that are there */
  async card(id: string): Promise<BackboneCard> {
    const card = /^[a-z0-9][a-z0-9._-]*$/.test(id) ? await this.#read(id) : undefined;
    if (card !== undefined) return card;
    const known = (await this.list()).map((other) => other.id);
    throw new AppError('backbone_not_found', `There is no backbone '${id}'. There are: ${known.join(', ')}.`, {
      details: { backbone: id, known },
    });
  }

  /** Whether the backbone is in memory. */
  isLoaded(id: string): boolean {
    return this.#loaded.has(id);
  }

  /**
   * The backbone, loaded; its file is checked against the card's SHA-256.
   * @throws AppError `backbone_not_found` or `backbone_invalid`
   */
  load(id: string): Promise<Backbone> {
    const loading = this.#loaded.get(id) ?? this.#load(id);
    if (!this.#loaded.has(id)) {
      this.#loaded.set(id, loading);
      loading.catch(() => this.#loaded.delete(id));
    }
    return loading;
  }

  /** The bytes of the backbone's ONNX file, checked. */
  async bytes(card: BackboneCard): Promise<Buffer> {
    const bytes = await readFile(join(this.#folder, card.id, card.file));
    if (createHash('sha256').update(bytes).digest('hex') !== card.sha256) {
      throw new AppError('backbone_invalid', `models/${card.id}/${card.file} is not the file its card describes.`, {
        details: { backbone: card.id },
      });
    }
    return bytes;
  }

  async #load(id: string): Promise<Backbone> {
    const card = await this.card(id);
    const session = await InferenceSession.create(await this.bytes(card), {
      executionProviders: ['cpu'],
      intraOpNumThreads: this.#threads,
      interOpNumThreads: 1,
      graphOptimizationLevel: 'all',
      logSeverityLevel: 3,
    });
    const { name: input, width, height } = card.input;
    const { name: output, dimensions } = card.features;
    if (!session.inputNames.includes(input) || !session.outputNames.includes(output)) {
      throw new AppError(
        'backbone_invalid',
        `models/${id}/${card.file} has no input '${input}' or output '${output}'.`,
      );
    }
    return {
      card,
      async embed(pixels, count) {
        const images = new Tensor('uint8', pixels, [count, height, width, 3]);
        const features = (await session.run({ [input]: images }, [output]))[output]!;
        if (features.dims[0] !== count || features.dims[1] !== dimensions) {
          throw new AppError('backbone_invalid', `Backbone '${id}' answered features of shape [${features.dims}].`);
        }
        return features.data as Float32Array;
      },
    };
  }

  async #read(name: string): Promise<BackboneCard | undefined> {
    const path = join(this.#folder, name, 'backbone.json');
    try {
      const card: unknown = JSON.parse(await readFile(path, 'utf8'));
      if (Value.Check(BackboneCard, card) && card.id === name) return card;
      const [fault] = Value.Errors(BackboneCard, card);
      throw new AppError('backbone_invalid', `${path}: ${fault ? `${fault.path} ${fault.message}` : 'wrong id'}.`);
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
      if (error instanceof SyntaxError) {
        throw new AppError('backbone_invalid', `${path} is not JSON: ${error.message}.`, { cause: error });
      }
      throw error;
    }
  }
}
