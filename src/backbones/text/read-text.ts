import { AppError } from '../../errors.js';
import { decodeText, isControl, type TextEncodingName } from '../decode-text.js';

export interface TextLimits {
  /** Largest text, bytes. */
  maxBytes: number;
}

const DELETE = 0x7f;

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
  let at = 0;
  while (at < text.length && !isControl(text.charCodeAt(at)) && text.charCodeAt(at) !== DELETE) at += 1;
  if (at < text.length) {
    const code = text.charCodeAt(at).toString(16).toUpperCase().padStart(4, '0');
    throw new AppError(
      'content_unsupported',
      `This is not a text: it holds the control character U+${code}, as files of other kinds do. Texts are accepted.`,
    );
  }
  if (text.trim() === '') throw new AppError('content_invalid', 'The text is empty.');
  return { text, encoding };
}
