/**
 * outbound/ is the only code that calls other machines: requests, the policy which addresses may be asked (`addresses.ts`),
 * and downloads that go on where they stopped. It carries bytes and knows nothing of what they are for: which files there
 * are and where they lie is told by the room that wants them (backbones/catalog/). Redis is called by redis/, storage by its
 * drivers.
 *
 * This file: one request.
 */
import { AppError } from '../errors.js';
import { checkAddress } from './addresses.js';

/** Hugging Face sends on once or twice. */
const MAX_REDIRECTS = 5;
const REDIRECTS = [301, 302, 303, 307, 308];

/**
 * GET a file from `offset` on, following redirects to addresses that may be asked. No cookies, no credentials.
 * @throws AppError `download_failed` for a redirect that is not followed; TypeError of `fetch` when the network fails
 */
export async function request(
  url: URL,
  options: { offset: number; trustedHost?: string; signal: AbortSignal },
): Promise<Response> {
  const { offset, trustedHost, signal } = options;
  let next = new URL(url);
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
    checkAddress(next, trustedHost);
    const response = await fetch(next, {
      redirect: 'manual',
      signal,
      headers: {
        // As it lies there: a compressed answer would have another length, and other ranges.
        'accept-encoding': 'identity',
        ...(offset > 0 && { range: `bytes=${offset}-` }),
      },
    });
    const location = response.headers.get('location');
    if (!REDIRECTS.includes(response.status) || location === null) return response;
    await response.body?.cancel();
    if (!URL.canParse(location, next.href)) break;
    next = new URL(location, next);
  }
  throw new AppError('download_failed', `${url} sends on and on, or nowhere.`);
}
