import type { TSchema } from '@sinclair/typebox';
import type { BackboneCard } from '../schemas/backbones.js';
import type { Augmentation } from '../schemas/jobs.js';
import type { Backbone, Variation } from './contract.js';
import type { Cutting, Trunk } from './trunk.js';

/** How alike two contents are, whatever was done to their files: tells copies from what only looks near in features. */
export interface Similarity<S = unknown> {
  /** What is compared, from content that was accepted before. */
  signature(content: Uint8Array): Promise<S>;
  /** −1 to 1 */
  compare(one: S, other: S): number;
  /** From here on two contents are copies of one. */
  copies: number;
}

/** What a modality needs to bring a backbone to memory. */
export interface OpenOptions {
  card: BackboneCard;
  /** Path of the card's file on this machine; whoever reads it compares it with the card's digest. */
  file: string;
  /** Cores that all passes together use. */
  threads: number;
  /** In the order in which they are tried. */
  providers: string[];
  /** Called when the backbone has died. */
  onEnd: () => void;
}

/**
 * A kind of content: what data sets, training, the doctor, downloads and model cards need to know of it. Everything else in
 * Graft takes content as bytes with a digest. `P`: content made ready for a backbone; `S`: what is compared of two contents.
 */
export interface Modality<P = unknown, S = unknown> {
  /** Such as `image`: in cards and manifests. */
  readonly id: string;
  /** For sentences: one, and several. */
  readonly words: { one: string; many: string };
  /** Largest content, bytes, and the setting that says so. */
  readonly maxBytes: number;
  readonly maxBytesSetting: string;
  /** Of the cards of its backbones: what every card has, and its own. The cards that it is given fit this. */
  readonly cardSchema: TSchema;
  /** Whether the files of its backbones are ONNX graphs from prepared content to features: then models can be ONNX files. */
  readonly onnx: boolean;
  /** Whether a file of this name may be content: its bytes are then looked at. */
  mayBeContent(name: string): boolean;
  /**
   * Find out whether a backbone can take this content, to its last byte.
   * @returns facts that are kept with the example, such as its size
   * @throws AppError `content_invalid`, `content_too_large` or `content_unsupported`
   */
  inspect(content: Uint8Array): Promise<Record<string, number>>;
  /** Media type of content that was accepted before, by its first 160 bytes, such as `image/jpeg`. */
  mediaType(start: Uint8Array): string;
  /**
   * What is odd about an accepted content, by its facts: the end of a sentence that begins with its name, such as `has one
   * colour all over`. Undefined: nothing. Absent: nothing is ever odd.
   */
  odd?(facts: Record<string, number>): string | undefined;
  /**
   * A backbone that does better than this one, if one is known: installed already, or one command away.
   * @param installed ids of those that are there
   */
  stronger?(card: BackboneCard, installed: string[]): { backbone: string; sentence: string } | undefined;
  /** Draw the `copy`-th variation of an example; it depends on the arguments alone. Absent: examples are not varied. */
  vary?(settings: Augmentation, sha256: string, copy: number): Variation;
  /** Absent: only equal bytes are copies. */
  similarity?: Similarity<S>;
  /** The content that a cell of a table is. Absent: the rows of tables are no examples. */
  ofCell?(cell: string): Uint8Array;
  /** How to run a downloaded model on its content, as lines of Markdown. */
  usage(card: BackboneCard): string[];
  /** Programs that do so, by their names, for whoever has no ONNX runtime. Absent: none is needed. */
  reference?(card: BackboneCard): [name: string, text: string][];
  /** @throws AppError `backbone_invalid` */
  open(options: OpenOptions): Promise<Backbone<P>>;
  /**
   * A backbone cut in two. Absent: no part of a backbone can be trained.
   * @param options key: names backbone and cut
   * @throws AppError `backbone_invalid`
   */
  openTrunk?(options: OpenOptions & { key: string; cutting: Cutting }): Promise<Trunk<P>>;
}
