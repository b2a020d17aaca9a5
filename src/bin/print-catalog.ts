import { type Catalog, type CatalogNetwork, findNetwork } from '../backbones/catalog/catalog.js';
import { networkAddresses } from '../backbones/catalog/network-addresses.js';
import { isInstalled } from '../backbones/catalog/pull-backbone.js';
import { PRESETS, type PresetName } from '../backbones/image/import/preprocessing.js';
import type { BackboneSource } from '../backbones/source.js';
import { formatBytes } from '../terminal/format.js';
import type { Screen } from '../terminal/screen.js';
import { printTable } from '../terminal/table.js';

/** The networks that can be pulled, a line each; or all that is known of those that are named. */
export async function printCatalog(
  screen: Screen,
  ids: string[],
  { catalog, source }: { catalog: Catalog; source: BackboneSource },
): Promise<void> {
  if (ids.length > 0) {
    for (const id of ids) printNetwork(screen, findNetwork(catalog, id), catalog.base);
    return;
  }
  const { missing } = catalog;
  const networks = catalog.networks.toSorted((a, b) => (a.gmacs ?? 0) - (b.gmacs ?? 0));
  const rows = networks.map(async (network) => [
    network.id,
    formatBytes(network.bytes),
    `${network.input_px}`,
    network.imagenet_top1?.toFixed(1) ?? '–',
    network.gmacs?.toFixed(1) ?? '–',
    network.license,
    (await isInstalled(network, source).catch(() => false)) ? 'installed' : (network.good_for ?? ''),
  ]);
  printTable(
    screen,
    [
      { title: 'id' },
      { title: 'size', align: 'right' },
      { title: 'px', align: 'right' },
      { title: 'top-1', align: 'right' },
      { title: 'G', align: 'right' },
      { title: 'license' },
      { title: 'good for' },
    ],
    await Promise.all(rows),
  );
  screen.line('\ntop-1: published accuracy on ImageNet, percent. G: billions of multiplications');
  screen.line('an image takes, the fastest first. All that is known of one: catalog ID');
  if (networks.some(({ tried = true }) => !tried)) {
    screen.line('We never tried these addresses; sizes and checksums are those published.');
  }
  screen.line('\nThese cannot be pulled, and catalog ID says what to do instead:');
  screen.line(`  ${missing.map(({ id }) => id).join(', ')}`);
}

/** All that is known of a network. */
function printNetwork(screen: Screen, network: CatalogNetwork, base: string): void {
  const { id, name, license, input_px: px, preset, imagenet_top1: top1, gmacs, good_for: goodFor, note } = network;
  screen.line(`${id}: ${name}`);
  if (goodFor !== undefined) screen.line(`  good for   ${goodFor}`);
  if (gmacs !== undefined) screen.line(`  speed      ${gmacs} billion multiplications an image`);
  screen.line(`  accuracy   ${top1 === null ? 'not published' : `${top1} % on ImageNet, as published`}`);
  screen.line(`  input      ${px} px, pre-processing ${preset} (${PRESETS[preset as PresetName].words})`);
  screen.line(`  license    ${license}`);
  for (const url of networkAddresses(network, { base }).urls) screen.line(`  address    ${url}`);
  screen.line(`  size       ${network.bytes} bytes`);
  screen.line(`  sha256     ${network.sha256}`);
  if (note) screen.line(`  ${note}`);
  if (network.tried === false) screen.line('  We never tried this address ourselves.');
}
