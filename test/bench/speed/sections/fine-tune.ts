import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PACKAGE_ROOT } from '../../../../src/config.js';
import type { Job } from '../../../../src/schemas/jobs.js';
import { zip } from '../../../helpers/archives.js';
import { form } from '../../../helpers/http.js';
import { pythonWith, torchWeights } from '../peers.js';
import { ratios, summary } from '../rounds.js';
import type { Section } from '../section.js';
import { type BenchService, withService } from '../service.js';
import type { Row } from '../table.js';
import { labelledPhotos } from '../train-model.js';

const IMAGES = 1000;

type Photos = ReturnType<typeof labelledPhotos>;

/** A zip and a job in one request; until the version is published. @returns seconds */
export async function fineTune(service: BenchService, photos: Photos, fields: Record<string, string>): Promise<number> {
  const archive = zip(photos.map((photo) => ({ ...photo, stored: true })));
  const { body, headers } = form([
    ...Object.entries(fields).map(([name, value]) => ({ name, value })),
    { name: 'file', value: archive, filename: 'photos.zip', type: 'application/zip' },
  ]);
  const began = performance.now();
  const init = { method: 'POST', body: new Uint8Array(body), headers, status: 202 };
  const { id } = await service.json<Job>('/v1/jobs', init);
  for (;;) {
    const job = await service.json<Job>(`/v1/jobs/${id}`);
    if (job.status === 'succeeded') return (performance.now() - began) / 1000;
    if (job.status !== 'queued' && job.status !== 'running') throw new Error(JSON.stringify(job.error));
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Every n-th photo, so that all classes are there. */
function some(photos: Photos, count: number): Photos {
  return Array.from({ length: count }, (_, i) => photos[Math.floor((i * photos.length) / count)]!);
}

/** One fine-tune of a thousand photos from nothing, against what one would write in PyTorch and scikit-learn. */
export const fineTuneCold: Section = {
  name: 'fine-tune',
  async run({ models, rounds, say }) {
    const photos = some(labelledPhotos('clothing', 'train'), IMAGES);
    const folder = await mkdtemp(join(tmpdir(), 'graft-bench-torch-'));
    const python = pythonWith('torch', 'torchvision', 'sklearn');
    if (!python) say('PyTorch is left out: python3-torch, python3-torchvision, python3-sklearn are not all installed.');
    try {
      const archive = join(folder, 'photos.zip');
      await writeFile(archive, zip(photos.map((photo) => ({ ...photo, stored: true }))));
      const weights = await torchWeights(folder);
      const script = join(PACKAGE_ROOT, 'test', 'bench', 'peers', 'torch-fine-tune.py');
      const [ours, theirs]: [number[], number[]] = [[], []];
      for (let round = 0; round < rounds; round += 1) {
        ours.push(await withService({ models }, (service) => fineTune(service, photos, { model: 'cold' })));
        if (!python) continue;
        const began = performance.now();
        execFileSync(python, [script, weights, archive], { stdio: ['ignore', 'ignore', 'inherit'] });
        theirs.push((performance.now() - began) / 1000);
        say(`round ${round + 1}: ${ours.at(-1)!.toFixed(1)} s against ${theirs.at(-1)!.toFixed(1)} s`);
      }
      const rows: Row[] = [{ name: '1,000-image fine-tune, POST to published, cold', ...summary(ours), unit: 's' }];
      if (python) {
        rows.unshift({
          name: '1,000-image fine-tune, cold, against frozen MobileNetV2 + logistic regression in PyTorch and scikit-learn',
          ...summary(ratios(theirs, ours)),
          unit: '×',
          goal: { atLeast: 4 },
          note: 'ours with cross-validation, calibration, evaluation and report; theirs one fit with given penalty',
        });
        rows.push({ name: 'the same in PyTorch and scikit-learn', ...summary(theirs), unit: 's' });
      }
      return rows;
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
};

/** The whole `clothing` set: from nothing, once more with one setting changed, and with ten photos more. */
export const fineTuneAgain: Section = {
  name: 'again',
  async run({ models, rounds, say }) {
    const all = ['train', 'validation', 'test'].flatMap((part) =>
      labelledPhotos('clothing', part).map(({ name, bytes }) => ({ name: `${part}/${name}`, bytes })),
    );
    const ten = new Set(some(all, 10));
    const most = all.filter((photo) => !ten.has(photo));
    const [cold, changed, more]: [number[], number[], number[]] = [[], [], []];
    for (let round = 0; round < rounds; round += 1) {
      await withService({ models }, async (service) => {
        cold.push(await fineTune(service, most, { model: 'clothing' }));
        const { data } = await service.json<{ data: { id: string }[] }>('/v1/datasets');
        const began = performance.now();
        const headers = { 'content-type': 'application/json' };
        const settings = { dataset: data[0]!.id, model: 'clothing', hyperparameters: { class_weights: 'balanced' } };
        const init = { method: 'POST', headers, body: JSON.stringify(settings), status: 202 };
        const { id } = await service.json<Job>('/v1/jobs', init);
        const job = await service.ended(id);
        if (job.status !== 'succeeded') throw new Error(JSON.stringify(job.error));
        changed.push((performance.now() - began) / 1000);
        more.push(await fineTune(service, all, { model: 'clothing' }));
      });
      say(
        `round ${round + 1}: ${[cold, changed, more].map((list) => list.at(-1)!.toFixed(1)).join(' s, ')} s (cold, one setting changed, ten photos more)`,
      );
    }
    return [
      {
        name: 'the whole `clothing` set again with one setting changed, against its cold time',
        ...summary(ratios(changed, cold).map((share) => share * 100)),
        unit: '%',
        goal: { atMost: 20 },
        note: 'class_weights balanced; features cached, data set uploaded',
      },
      {
        name: 'the same set plus ten photos, against its cold time',
        ...summary(ratios(more, cold).map((share) => share * 100)),
        unit: '%',
        goal: { atMost: 25 },
        note: 'the whole archive is uploaded again',
      },
      { name: 'the whole `clothing` set, 1,930 photos, POST to published, cold', ...summary(cold), unit: 's' },
    ];
  },
};
