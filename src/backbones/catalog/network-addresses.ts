import { type Addresses, parseAddress } from '../../outbound/addresses.js';
import type { CatalogNetwork } from './catalog.js';

/** Where a network's file may lie: at its published addresses, or those on a mirror, or in the mirror's own folder. */
export function networkAddresses(network: CatalogNetwork, options: { base: string; mirror?: string }): Addresses {
  const { base, mirror } = options;
  const below = (root: string, path: string) => new URL(`${root.replace(/\/+$/, '')}/${path}`);
  if (!mirror) return { urls: network.paths.map((path) => below(base, path)) };
  const { host } = parseAddress(mirror);
  return { urls: [...network.paths, network.file].map((path) => below(mirror, path)), trustedHost: host };
}
