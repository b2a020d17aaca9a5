import t from 'tap';
import type { CatalogNetwork } from '../../../src/backbones/catalog/catalog.js';
import { networkAddresses } from '../../../src/backbones/catalog/network-addresses.js';

const network = { paths: ['a/b/net.onnx', 'c/net.onnx'], file: 'net.onnx' } as CatalogNetwork;
const base = 'https://models.example';

t.test('a mirror stands in for the base address, and may have the file in its own folder', (t) => {
  const hrefs = (mirror?: string) => networkAddresses(network, { base, mirror }).urls.map(String);
  t.same(hrefs(), [`${base}/a/b/net.onnx`, `${base}/c/net.onnx`]);
  t.same(hrefs('http://mirror.lan/hub/'), [
    'http://mirror.lan/hub/a/b/net.onnx',
    'http://mirror.lan/hub/c/net.onnx',
    'http://mirror.lan/hub/net.onnx',
  ]);
  t.throws(() => hrefs('mirror.lan'), { code: 'invalid_request' });
  t.end();
});
