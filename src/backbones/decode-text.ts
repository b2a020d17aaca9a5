/** How the bytes of a text were read. */
export type TextEncodingName = 'utf-8' | 'utf-16le' | 'utf-16be' | 'windows-1252';

/** What Windows-1252 has where Latin-1 has control characters, 0x80 to 0x9f; Node's own decoder gives the latter. */
const SIGNS = '€\x81‚ƒ„…†‡ˆ‰Š‹Œ\x8dŽ\x8f\x90‘’“”•–—˜™š›œ\x9džŸ';

/**
 * A text as people save them: UTF-8, or UTF-16 by its mark or by the zeros of plain letters, or else Windows-1252, in which
 * everything is a text. A mark at the beginning is dropped.
 */
export function decodeText(bytes: Uint8Array): { text: string; encoding: TextEncodingName } {
  const encoding = encodingOf(bytes);
  try {
    return { text: new TextDecoder(encoding, { fatal: true }).decode(bytes), encoding };
  } catch {
    return { text: windows1252(bytes), encoding: 'windows-1252' };
  }
}

function windows1252(bytes: Uint8Array): string {
  return Buffer.from(bytes)
    .toString('latin1')
    .replace(/[\x80-\x9f]/g, (sign) => SIGNS[sign.charCodeAt(0) - 0x80]!);
}

/** UTF-16, where the mark at the beginning says so. */
export function markedUtf16(bytes: Uint8Array): 'utf-16le' | 'utf-16be' | undefined {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return 'utf-16le';
  return bytes[0] === 0xfe && bytes[1] === 0xff ? 'utf-16be' : undefined;
}

/** Whether a character is one that files of other kinds have, and no text: a control character but these. */
export function isControl(code: number): boolean {
  return code < 0x20 && !'\t\n\v\f\r\x1b'.includes(String.fromCharCode(code));
}

function encodingOf(bytes: Uint8Array): Exclude<TextEncodingName, 'windows-1252'> {
  const marked = markedUtf16(bytes);
  if (marked) return marked;
  // Excel's "Unicode text" without its mark.
  const start = bytes.subarray(0, 512);
  const zeros = start.filter((byte, i) => i % 2 === 1 && byte === 0).length;
  return start.length >= 4 && zeros > start.length / 4 ? 'utf-16le' : 'utf-8';
}
