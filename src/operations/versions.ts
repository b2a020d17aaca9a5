import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { cardPage } from '../artifacts/card-page.js';
import { streamPieces } from '../artifacts/stream-pieces.js';
import { AppError } from '../errors.js';
import type { HeldOutPrediction } from '../schemas/predictions.js';
import type { ArtifactFormat, VersionManifest } from '../schemas/versions.js';
import type { ByteRange } from '../storage/contract.js';
import { HELD_OUT_FILE, type HeldOutQuery, readHeldOut } from '../training/held-out.js';
import type { Caller, PageOf } from './caller.js';
import { unaliased, type VersionReference } from './classify.js';
import type { OperationsDependencies } from './dependencies.js';

export { CARD_POLICY } from '../artifacts/card-page.js';
export type { ByteRange } from '../storage/contract.js';

interface OneVersion {
  caller: Caller;
  model: string;
  version: number;
}

/** A version by its number, or by what points at it. */
type AnyVersion = Omit<OneVersion, 'version'> & { version: number | { alias: string } };

const referenceTo = (version: AnyVersion['version']): VersionReference =>
  typeof version === 'number' ? { version } : unaliased(version);

/** Something to download; it never changes. */
export interface Download {
  bytes: number;
  /** Hexadecimal. */
  sha256: string;
  open: (range: ByteRange | undefined) => Promise<Readable> | Readable;
}

/** A version, packed. */
export interface PackedVersion extends Download {
  /** Media type. */
  type: string;
  /** Name to save it under. */
  filename: string;
}

/** Versions of a model, their files and their artifacts. */
export function versionOperations({ registry, artifacts }: Pick<OperationsDependencies, 'registry' | 'artifacts'>) {
  return {
    /** Newest first. @throws AppError `model_not_found` */
    list({
      caller,
      model,
      limit,
      after,
    }: { caller: Caller; model: string } & PageOf<number>): Promise<{ data: VersionManifest[]; has_more: boolean }> {
      return registry.listVersions(caller.tenant, model, { limit, before: after });
    },

    /** @throws AppError `model_not_found`, `version_not_found` */
    get({ caller, model, version }: OneVersion): Promise<VersionManifest> {
      return registry.resolve(caller.tenant, model, { version });
    },

    /** Its number is not used again. @throws AppError `version_in_use` where an alias points at it, and as `get` */
    delete({ caller, model, version }: OneVersion): Promise<void> {
      return registry.deleteVersion(caller.tenant, model, version);
    },

    /** One file of a version, by the path in its manifest. @throws AppError `not_found`, and as `get` */
    async file({ caller: { tenant }, model, version, path }: AnyVersion & { path: string }): Promise<Download> {
      const manifest = await registry.resolve(tenant, model, referenceTo(version));
      const file = manifest.files.find((other) => other.path === path);
      if (!file) {
        throw new AppError('not_found', `Version ${manifest.version} of '${model}' has no file '${path}'.`, {
          details: { files: manifest.files.map((other) => other.path) },
        });
      }
      return {
        bytes: file.bytes,
        sha256: file.sha256,
        open: async (range) => (await registry.open(tenant, manifest, path, range)).stream,
      };
    },

    /**
     * What a version said of examples that it had not seen, sorted by digest; none where nothing could be held out.
     * @throws as `get`
     */
    async predictions({ caller: { tenant }, model, version, ...query }: OneVersion & HeldOutQuery): Promise<{
      data: HeldOutPrediction[];
      has_more: boolean;
    }> {
      const manifest = await registry.resolve(tenant, model, { version });
      if (!manifest.files.some(({ path }) => path === HELD_OUT_FILE)) return { data: [], has_more: false };
      return readHeldOut((await registry.open(tenant, manifest, HELD_OUT_FILE)).stream, query);
    },

    /** Its model card: Markdown, or a page. @throws as `file` */
    async card({ page, ...wanted }: AnyVersion & { page: boolean }): Promise<Download & { type: string }> {
      const manifest = await registry.resolve(wanted.caller.tenant, wanted.model, referenceTo(wanted.version));
      const markdown = await registry.read(wanted.caller.tenant, manifest, 'README.md');
      const bytes = page
        ? Buffer.from(cardPage(markdown.toString(), `${manifest.model}, version ${manifest.version}`))
        : markdown;
      return {
        type: `${page ? 'text/html' : 'text/markdown'}; charset=utf-8`,
        bytes: bytes.length,
        sha256: createHash('sha256').update(bytes).digest('hex'),
        open: (range) => Readable.from([range ? bytes.subarray(range.start, range.end + 1) : bytes]),
      };
    },

    /** A version packed for download. @throws AppError `format_unavailable`, `backbone_mismatch`, and as `get` */
    async artifact({
      caller: { tenant },
      model,
      version,
      format,
    }: AnyVersion & { format: ArtifactFormat }): Promise<PackedVersion> {
      const manifest = await registry.resolve(tenant, model, referenceTo(version));
      const { pieces, ...artifact } = await artifacts.create(tenant, manifest, format);
      return { ...artifact, open: (range) => streamPieces(pieces, range) };
    },
  };
}
