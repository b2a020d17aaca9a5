import { createHash } from 'node:crypto';
import { EMBEDDED_BACKBONE } from '../../src/backbones/default-backbone.js';
import { EmbeddedBackbones } from '../../src/backbones/embedded.js';
import { loadConfig } from '../../src/config.js';
import { writeTfjsLayers } from '../../src/heads/tfjs-layers.js';
import { newId } from '../../src/ids.js';
import { Registry } from '../../src/registry/registry.js';
import type { VersionManifest } from '../../src/schemas/versions.js';
import { FileStorage } from '../../src/storage/file-storage.js';
import { randomFrom } from './photos.js';

export interface ServeModel {
  dataDir: string;
  model: string;
  tenant?: string;
}

/**
 * Publish a version that can be asked at once: some head on the backbone that Graft comes with. For trials of what serves; it
 * takes the place of a data set and a job.
 */
export async function serveModel({ dataDir, model, tenant = 'default' }: ServeModel): Promise<VersionManifest> {
  const { MODELS_DIR } = loadConfig({});
  const card = await new EmbeddedBackbones({ folder: MODELS_DIR }).card(EMBEDDED_BACKBONE);
  const { dimensions } = card.features;
  const labels = ['left', 'right'];
  const random = randomFrom(1);
  const kernel = Float32Array.from({ length: dimensions * labels.length }, () => random() - 0.5);
  const bias = new Float32Array(labels.length);
  const head = await writeTfjsLayers({
    layers: [{ inputs: dimensions, units: labels.length, kernel, bias, activation: 'softmax' }],
  });
  const job = newId('job');
  return new Registry({ storage: new FileStorage({ root: dataDir }) }).publish({
    tenant,
    job,
    model,
    manifest: {
      model,
      job,
      dataset: newId('ds'),
      backbone: { id: card.id, sha256: card.sha256, dimensions },
      head: 'linear',
      labels,
      accuracy: null,
      description: null,
      digest: createHash('sha256').update(head.weights).digest('hex'),
    },
    files: new Map<string, Uint8Array | string>([
      ['labels.json', JSON.stringify(labels)],
      ['head/model.json', head.model],
      ['head/weights.bin', head.weights],
    ]),
  });
}
