import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { findNetwork, nextBest, readCatalog } from '../../../src/backbones/catalog/catalog.js';
import { networkAddresses } from '../../../src/backbones/catalog/network-addresses.js';
import { guessPreset } from '../../../src/backbones/image/import/preprocessing.js';
import { PACKAGE_ROOT } from '../../../src/config.js';

const catalog = await readCatalog(join(PACKAGE_ROOT, 'models', 'catalog.json'));

t.test('the catalog is valid, and no id or checksum is in it twice', (t) => {
  const { networks, missing } = catalog;
  const ids = [...networks, ...missing].map(({ id }) => id);
  t.equal(new Set(ids).size, ids.length);
  t.equal(new Set(networks.map(({ sha256 }) => sha256)).size, networks.length);
  t.equal(new Set(networks.map(({ file }) => file)).size, networks.length, 'a mirror may have them in one folder');
  t.end();
});

t.test('every family that people transfer from can be pulled, or says how else', (t) => {
  const families = new Set(catalog.networks.map(({ family }) => family));
  const asked = ['alexnet', 'vgg', 'inception', 'xception', 'resnet', 'resnet_v2', 'mobilenet', 'densenet', 'nasnet'];
  const wanted = [...asked, 'dinov2', 'clip', 'convnext', 'efficientnet_v2', 'vit', 'swin'];
  t.same(
    wanted.filter((family) => !families.has(family)),
    [],
  );
  for (const id of [
    'vgg16',
    'vgg19',
    'inception_v3',
    'inception_resnet_v2',
    'resnet101',
    'resnet152',
    'mobilenet_v2',
  ]) {
    t.equal(findNetwork(catalog, id).id, id);
  }
  t.throws(() => findNetwork(catalog, 'mobilenet_v1'), { code: 'not_found', message: /tf2onnx.*import/ });
  t.throws(() => findNetwork(catalog, 'dance'), { code: 'not_found', message: /It has: .*resnet50/ });
  t.end();
});

t.test('the next best network is about as fast, and the most accurate of those', (t) => {
  const next = (id: string) => nextBest(catalog, findNetwork(catalog, id))?.id;
  t.equal(next('mobilenet_v2'), 'efficientnet_b0');
  t.equal(next('resnet101'), 'convnext_small');
  t.equal(nextBest({ ...catalog, networks: [] }, findNetwork(catalog, 'vgg16')), undefined);
  t.end();
});

t.test('addresses lie below the base, end in the file and are https', (t) => {
  for (const network of catalog.networks) {
    for (const { href } of networkAddresses(network, catalog).urls) {
      t.match(href, /^https:\/\/huggingface\.co\/(onnxmodelzoo|Xenova|Qdrant)\/.+\/resolve\/main\/.+\.onnx$/);
    }
    // Some publishers call every file alike, and a mirror may have all of them in one folder.
    const file = network.paths[0]!.startsWith('onnxmodelzoo/') ? network.file : 'model.onnx';
    t.ok(network.paths.some((path) => path.endsWith(`/${file}`)));
  }
  t.end();
});

t.test('TensorFlow and Caffe networks have their own pre-processing', (t) => {
  for (const { id, file, preset } of catalog.networks) {
    if (/nasnet|xception|inception_resnet|lite4/.test(file)) t.equal(preset, 'tf', id);
    if (guessPreset({ names: [file], classes: 1000 }).preset === 'caffe') t.equal(preset, 'caffe', id);
  }
  t.end();
});

t.test('a catalog with a fault says where it is', async (t) => {
  const file = join(t.testdir(), 'catalog.json');
  writeFileSync(file, JSON.stringify({ ...catalog, networks: [{ ...catalog.networks[0], sha256: 'x' }] }));
  await t.rejects(readCatalog(file), { code: 'internal', message: /\/networks\/0\/sha256/ });
});
