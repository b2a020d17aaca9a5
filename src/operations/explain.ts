import { AppError } from '../errors.js';
import type { VersionManifest } from '../schemas/versions.js';
import type { Caller } from './caller.js';

/** Each takes a pass of the backbone of its own, and its answer is large. */
export const MAX_EXPLAINED = 16;
const NEAREST = 5;

/** Which explanation is asked for. */
export interface Explain {
  /** Class to explain; undefined: the predicted one. */
  label?: string | undefined;
  /** Nearest training examples to name; undefined: as many as the caller may see, 5 at most. */
  nearest?: number | undefined;
  /** Pictures are so many times as wide and as high; undefined: 1. */
  scale?: number | undefined;
}

/**
 * Hold an explanation that is asked for against the caller and the version.
 * @throws AppError `invalid_request` for a class that the model does not have; `too_large` beyond `MAX_EXPLAINED`; `forbidden`
 */
export function checkExplain(
  { label, nearest, scale }: Explain,
  { caller, manifest, examples }: { caller: Caller; manifest: VersionManifest; examples: number },
): { label: string | undefined; nearest: number; scale: number | undefined } {
  const { labels, model } = manifest;
  if (label !== undefined && !labels.includes(label)) {
    throw new AppError(
      'invalid_request',
      `Class '${label}' is none of the ${labels.length} classes of '${model}', such as '${labels[0]}'.`,
      { details: { classes: labels.slice(0, 100) } },
    );
  }
  if (examples > MAX_EXPLAINED) {
    throw new AppError('too_large', `${examples} examples to explain in one request; at most ${MAX_EXPLAINED}.`);
  }
  if (caller.scopes.has('read')) return { label, nearest: nearest ?? NEAREST, scale };
  if (!nearest) return { label, nearest: 0, scale };
  throw new AppError(
    'forbidden',
    'This API key may not see training examples: `nearest` needs the scope `read`. Leave it out, or send 0.',
  );
}
