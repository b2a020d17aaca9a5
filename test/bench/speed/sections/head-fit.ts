import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SoftmaxRegression } from '../../../../src/heads/softmax-regression.js';
import { dense } from '../../../../src/numbers/features.js';
import { argMax } from '../../../../src/numbers/scores.js';
import { randomFrom } from '../../../helpers/photos.js';
import { pythonWith } from '../peers.js';
import { median } from '../rounds.js';
import type { Section } from '../section.js';
import type { Row } from '../table.js';

const [TRAIN, TEST, D, K] = [50_000, 5_000, 1280, 10];
/** Mean loss + λ/2 · |W|², which is scikit-learn's C = 1 / (λ · N). */
const PENALTY = 0.01;

/** stdin: nothing. Arguments: folder, rows to train on, dimensions, C. stdout: seconds and accuracy. */
const SCIKIT = `
import sys, time
import numpy as np
from sklearn.linear_model import LogisticRegression
folder, n, d, c = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4])
x = np.fromfile(folder + '/x.f32', np.float32).reshape(-1, d)
y = np.fromfile(folder + '/y.i32', np.int32)
began = time.time()
model = LogisticRegression(C=c, max_iter=1000).fit(x[:n], y[:n])
print(time.time() - began, model.score(x[n:], y[n:]))
`;

/** One fit of a linear head on many images, against scikit-learn's L-BFGS at the same penalty and accuracy. */
export const headFit: Section = {
  name: 'head-fit',
  async run({ say }) {
    const { x, y } = clusters(TRAIN + TEST);
    const weights = Float32Array.from(y, (_, row) => (row < TRAIN ? 1 : 0));
    const seconds: number[] = [];
    let right = 0;
    for (let round = 0; round < 2; round += 1) {
      const began = performance.now();
      const regression = new SoftmaxRegression({ features: dense(x, D), y, classes: K });
      const { logits, iterations } = await regression.fit({
        rowWeights: weights,
        weightDecay: PENALTY,
        maxIterations: 1000,
        tolerance: 1e-4,
      });
      seconds.push((performance.now() - began) / 1000);
      right = 0;
      for (let row = TRAIN; row < TRAIN + TEST; row += 1) {
        if (argMax(logits.subarray(row * K, (row + 1) * K)) === y[row]) right += 1;
      }
      say(`ours: ${seconds.at(-1)!.toFixed(1)} s, ${iterations} iterations`);
    }
    const accuracy = (right / TEST) * 100;
    const rows: Row[] = [
      {
        name: 'head fit on 50,000 × 1,280 → 10',
        value: median(seconds),
        unit: 's',
        goal: { atMost: 60 },
        note: `accuracy ${accuracy.toFixed(2)} %`,
      },
      {
        name: 'head fit on 50,000 × 1,280 → 10: peak memory of the process',
        value: process.resourceUsage().maxRSS / 1024,
        unit: 'MB',
        goal: { atMost: 2000 },
        note: 'of this process, with all that it did before',
      },
    ];
    const python = pythonWith('sklearn');
    if (!python) {
      say('scikit-learn is left out: python3-sklearn is not installed.');
      return rows;
    }
    const folder = await mkdtemp(join(tmpdir(), 'graft-bench-fit-'));
    try {
      await writeFile(join(folder, 'x.f32'), new Uint8Array(x.buffer));
      await writeFile(join(folder, 'y.i32'), new Uint8Array(y.buffer));
      const c = String(1 / (PENALTY * TRAIN));
      const said = execFileSync(python, ['-c', SCIKIT, folder, String(TRAIN), String(D), c], { encoding: 'utf8' });
      const [theirs, share] = said.trim().split(' ').map(Number) as [number, number];
      rows.unshift({
        name: "head fit on 50,000 × 1,280 → 10, against scikit-learn's LogisticRegression at equal accuracy",
        value: theirs / median(seconds),
        unit: '×',
        goal: { atLeast: 3 },
        note: `${theirs.toFixed(1)} s there; accuracy ${(share * 100).toFixed(2)} % there, ${accuracy.toFixed(2)} % here`,
      });
      return rows;
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
};

/**
 * Standardised features of ten classes that overlap: each class has a centre, features are correlated as those of a network
 * are, and noise makes about one in six ambiguous.
 */
function clusters(rows: number): { x: Float32Array; y: Int32Array } {
  const random = randomFrom(5);
  const normal = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  const [factors, noise] = [32, 8192];
  const mix = Float32Array.from({ length: factors * D }, () => normal() / Math.sqrt(factors));
  const centres = Float32Array.from({ length: K * factors }, () => 0.55 * normal());
  const table = Float32Array.from({ length: noise }, normal);
  const x = new Float32Array(rows * D);
  const y = new Int32Array(rows);
  const latent = new Float32Array(factors);
  for (let row = 0; row < rows; row += 1) {
    y[row] = Math.floor(random() * K);
    for (let f = 0; f < factors; f += 1) latent[f] = centres[y[row]! * factors + f]! + normal();
    for (let f = 0; f < factors; f += 1) {
      const value = latent[f]!;
      for (let d = 0; d < D; d += 1) x[row * D + d]! += value * mix[f * D + d]!;
    }
    const start = Math.floor(random() * noise);
    for (let d = 0; d < D; d += 1) x[row * D + d]! += 0.7 * table[(start + d * 7) % noise]!;
  }
  return { x, y };
}
