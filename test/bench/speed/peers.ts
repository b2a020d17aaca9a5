import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PACKAGE_ROOT } from '../../../src/config.js';
import { decodeModel, encodeModel } from '../../../src/onnx/model-proto.js';
import { renameTensors } from '../../../src/onnx/rename-tensors.js';
import { CLASSIFIER } from './service.js';

const BENCH = join(PACKAGE_ROOT, 'test', 'bench');

/** What a user would run instead: a server that answers `POST /predict` with `[{label, score}]`. */
export interface Peer {
  name: string;
  port: number;
  stop(): Promise<void>;
}

/** The Debian Python that has these modules, if one is here. */
export function pythonWith(...modules: string[]): string | undefined {
  const probe = ['-c', `import ${modules.join(', ')}`];
  return ['/usr/bin/python3', 'python3'].find((path) => spawnSync(path, probe).status === 0);
}

/** All peers that can run here; `say` tells which cannot, and why. */
export async function startPeers(say: (sentence: string) => void): Promise<Peer[]> {
  const folder = await mkdtemp(join(tmpdir(), 'graft-bench-peers-'));
  const peers: Peer[] = [];
  try {
    if (installTransformers(say)) {
      await transformersModel(join(folder, 'mobilenet_v2'));
      const script = join(BENCH, 'peers', 'transformers-server.mjs');
      peers.push(await startPeer('transformers.js behind Fastify', process.execPath, [script, folder]));
    }
    const python = pythonWith('torch', 'torchvision', 'fastapi', 'uvicorn');
    if (python) {
      const weights = await torchWeights(folder);
      const script = join(BENCH, 'peers', 'torch-server.py');
      peers.push(await startPeer('torchvision behind FastAPI', python, [script, weights]));
    } else {
      say(
        'PyTorch behind FastAPI is left out: python3-torch, python3-torchvision, python3-fastapi and uvicorn of Debian are not all installed.',
      );
    }
  } catch (error) {
    await Promise.all(peers.map((peer) => peer.stop()));
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
  const [last] = peers.slice(-1);
  if (!last) await rm(folder, { recursive: true, force: true });
  else {
    const { stop } = last;
    last.stop = async () => {
      await stop();
      await rm(folder, { recursive: true, force: true });
    };
  }
  return peers;
}

/** @returns whether it is there */
function installTransformers(say: (sentence: string) => void): boolean {
  if (existsSync(join(BENCH, 'node_modules', '@huggingface', 'transformers'))) return true;
  say('Installing @huggingface/transformers into test/bench (npm ci, no install scripts) …');
  try {
    execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], {
      cwd: BENCH,
      env: { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip' },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    return true;
  } catch (error) {
    say(`transformers.js is left out: npm could not install it (${String(error).split('\n')[0]}).`);
    return false;
  }
}

/** The same ONNX file as a model of transformers.js: its input and output have other names there. */
async function transformersModel(folder: string): Promise<void> {
  const model = decodeModel(await readFile(CLASSIFIER));
  const [input] = model.graph!.input!.slice(-1);
  const [output] = model.graph!.output!;
  const names = new Map([
    [input!.name!, 'pixel_values'],
    [output!.name!, 'logits'],
  ]);
  const renamed = { ...model, graph: renameTensors(model.graph!, names) };
  await mkdir(join(folder, 'onnx'), { recursive: true });
  await writeFile(join(folder, 'onnx', 'model.onnx'), encodeModel(renamed));
  const labels = Object.fromEntries(Array.from({ length: 1001 }, (_, k) => [k, `class_${k}`]));
  await writeFile(
    join(folder, 'config.json'),
    JSON.stringify({
      model_type: 'mobilenet_v2',
      architectures: ['MobileNetV2ForImageClassification'],
      id2label: labels,
      label2id: Object.fromEntries(Object.entries(labels).map(([k, label]) => [label, Number(k)])),
    }),
  );
  await writeFile(
    join(folder, 'preprocessor_config.json'),
    JSON.stringify({
      image_processor_type: 'MobileNetV2ImageProcessor',
      do_resize: true,
      size: { shortest_edge: 256 },
      resample: 2,
      do_center_crop: true,
      crop_size: { height: 224, width: 224 },
      do_rescale: true,
      rescale_factor: 1 / 255,
      do_normalize: true,
      image_mean: [0.5, 0.5, 0.5],
      image_std: [0.5, 0.5, 0.5],
    }),
  );
}

/**
 * The convolutions' weights in the order of the graph, which is also torchvision's: float32 one after another beside a list
 * of their shapes. torchvision pads strided convolutions on other sides: its answers differ a little, its speed does not.
 * @returns path without ending
 */
export async function torchWeights(folder: string): Promise<string> {
  const graph = decodeModel(await readFile(CLASSIFIER)).graph!;
  const initialisers = new Map(graph.initializer!.map((tensor) => [tensor.name!, tensor]));
  const tensors = graph
    .node!.filter(({ opType }) => opType === 'Conv')
    .flatMap(({ input }) => input!.slice(1).map((name) => initialisers.get(name)!));
  const bytes = tensors.map(({ rawData, floatData }) =>
    rawData?.length ? Buffer.from(rawData) : Buffer.from(Float32Array.from(floatData!).buffer),
  );
  await writeFile(join(folder, 'weights.f32'), Buffer.concat(bytes));
  const shapes = tensors.map(({ dims }) => dims!.map(Number));
  await writeFile(join(folder, 'weights.json'), JSON.stringify(shapes));
  return join(folder, 'weights');
}

/** Start a server that prints its port as its first line. */
function startPeer(name: string, command: string, args: string[]): Promise<Peer> {
  const child: ChildProcess = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const stop = async () => {
    child.kill('SIGKILL');
    await ended;
  };
  return new Promise((resolve, reject) => {
    let text = '';
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`${name} ended with ${code} before it was ready.`)));
    child.stdout!.on('data', (chunk: Buffer) => {
      text += chunk.toString();
      const port = /^port (\d+)$/m.exec(text)?.[1];
      if (port) resolve({ name, port: Number(port), stop });
    });
  });
}
