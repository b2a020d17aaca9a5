/** A connection that was there, or may be: the same request may work if it is made again. */
const CUT = ['ECONNRESET', 'EPIPE', 'ETIMEDOUT'];

/**
 * What went wrong in the network, in short; undefined when it was something else.
 * @param error of `fetch`, which wraps what happened in a TypeError
 */
export function networkFault(error: unknown): { kind: 'cut' | 'refused'; reason: string } | undefined {
  if (!(error instanceof TypeError) || !(error.cause instanceof Error)) return undefined;
  const { code = '', message } = error.cause as NodeJS.ErrnoException;
  if (CUT.includes(code) || code === 'UND_ERR_SOCKET') return { kind: 'cut', reason: 'the connection was cut' };
  if (code.startsWith('UND_ERR_') && code.endsWith('_TIMEOUT')) return { kind: 'cut', reason: 'it does not answer' };
  return { kind: 'refused', reason: code === '' ? message : `it cannot be reached (${code})` };
}
