import { AppError } from '../../errors.js';
import { decodeText, type TextEncodingName } from '../decode-text.js';

export interface TextLimits {
  /** Largest text, bytes. */
  maxBytes: number;
}

/** Bytes that no text has: all control characters but tab, line feed, vertical tab, form feed, return and escape. */
const CONTROL = /[\0-\x08\x0e-\x1a\x1c-\x1f\x7f]/;

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
  const { text, encoding } = decodeText(content);
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
