import { AppError } from '../../errors.js';

export interface TextLimits {
  /** Largest text, bytes. */
  maxBytes: number;
}

/** How the bytes of a text were read; UTF-8 unless a mark at the beginning, or bytes that UTF-8 does not know, say otherwise. */
export type TextEncodingName = 'utf-8' | 'utf-16le' | 'utf-16be' | 'windows-1252';

/** Bytes that no text has: all control characters but tab, line feed, vertical tab, form feed, return and escape. */
const CONTROL = /[\0-\x08\x0e-\x1a\x1c-\x1f\x7f]/;
const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * The text that content is.
 * @throws AppError `content_unsupported` for bytes that are no text, `content_invalid` for one without any letter or sign,
 *   `content_too_large`
 */
export function readText(content: Uint8Array, limits: TextLimits): { text: string; encoding: TextEncodingName } {
  if (content.length > limits.maxBytes) {
    throw new AppError(
      'content_too_large',
      `The text has ${content.length} bytes; at most ${limits.maxBytes} are taken (MAX_TEXT_BYTES). Send its first part, or train on parts.`,
      { details: { bytes: content.length, max_bytes: limits.maxBytes } },
    );
  }
  const { text, encoding } = decoded(content);
  const control = CONTROL.exec(text);
  if (control) {
    const code = text.charCodeAt(control.index).toString(16).toUpperCase().padStart(4, '0');
    throw new AppError(
      'content_unsupported',
      `This is not a text: it holds the control character U+${code}, as files of other kinds do. Texts are accepted.`,
    );
  }
  if (text.trim() === '') throw new AppError('content_invalid', 'The text is empty.');
  return { text, encoding };
}

function decoded(content: Uint8Array): { text: string; encoding: TextEncodingName } {
  const [first, second] = content;
  const marked =
    first === 0xff && second === 0xfe ? 'utf-16le' : first === 0xfe && second === 0xff ? 'utf-16be' : undefined;
  if (marked) return { text: new TextDecoder(marked).decode(content), encoding: marked };
  try {
    return { text: utf8.decode(content), encoding: 'utf-8' };
  } catch {
    return { text: new TextDecoder('windows-1252').decode(content), encoding: 'windows-1252' };
  }
}
