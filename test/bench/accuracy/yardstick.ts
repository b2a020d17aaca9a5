import { execFileSync, spawnSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';

/** stdin: JSON {x: path of float32 [N, D], d, y: labels, splits: [[train…], [test…]][]}; stdout: JSON, accuracy of each. */
const PROGRAM = `
import json, sys, warnings
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import StandardScaler
warnings.filterwarnings('ignore')
q = json.load(sys.stdin)
x, y = np.fromfile(q['x'], np.float32).reshape(-1, q['d']), np.array(q['y'])
found = []
for train, test in q['splits']:
    scale = StandardScaler().fit(x[train])
    search = GridSearchCV(LogisticRegression(max_iter=2000), {'C': [1e-4, 1e-3, 1e-2, 1e-1, 1]}, cv=3)
    search.fit(scale.transform(x[train]), y[train])
    found.append(search.score(scale.transform(x[test]), y[test]))
print(json.dumps(found))
`;

const python = ['/usr/bin/python3', 'python3'].find((path) => spawnSync(path, ['-c', 'import sklearn']).status === 0);

/** Whether scikit-learn is installed. */
export const hasYardstick = python !== undefined;

/**
 * Accuracy of multinomial logistic regression (scikit-learn) on standardised features, its penalty tuned by 3-fold
 * cross-validation on the training rows, per split.
 * @param options x: float32 `[N, D]`; file: where they may be written
 */
export async function yardstick(options: {
  x: Float32Array;
  dimensions: number;
  labels: string[];
  splits: { train: number[]; test: number[] }[];
  file: string;
}): Promise<number[]> {
  const { x, dimensions, labels, splits, file } = options;
  await writeFile(file, new Uint8Array(x.buffer, x.byteOffset, x.byteLength));
  const input = JSON.stringify({ x: file, d: dimensions, y: labels, splits: splits.map((s) => [s.train, s.test]) });
  return JSON.parse(execFileSync(python!, ['-c', PROGRAM], { input, encoding: 'utf8', maxBuffer: 1 << 20 }));
}
