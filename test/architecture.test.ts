/** Holds DESIGN.md's "Rooms and who may enter" by reading every import of `src/`. */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import t from 'tap';
import { PACKAGE_ROOT } from '../src/config.js';

interface Import {
  /** Path below `src/`, without its ending. */
  file: string;
  room: string;
  /** Path below `src/` of one of ours, else the name of a package or of a module of Node. */
  target: string;
  ours: boolean;
  typeOnly: boolean;
}

const SRC = join(PACKAGE_ROOT, 'src');

/**
 * Room → rooms that it may import, types included. A sub-room is a room of its own; a file directly in `src/`, too.
 * `bin` composes and may import all of them.
 */
const EDGES: Record<string, string[]> = {
  errors: [],
  ids: [],
  log: [],
  config: ['access', 'errors'],
  schemas: [],
  numbers: [],
  terminal: [],
  drawing: ['numbers'],
  'launch/setup': [],
  outbound: ['errors'],
  redis: ['errors', 'log'],
  storage: ['errors'],
  access: ['errors', 'storage'],
  onnx: ['errors', 'schemas'],
  heads: ['errors', 'numbers', 'onnx'],
  backbones: ['errors', 'heads', 'numbers', 'schemas', 'storage'],
  'backbones/image': ['backbones', 'backbones/image/maps', 'errors', 'numbers', 'onnx', 'schemas'],
  'backbones/image/maps': ['heads', 'schemas'],
  'backbones/text': ['backbones', 'errors', 'heads', 'numbers', 'schemas'],
  'backbones/image/import': ['backbones/image', 'errors', 'onnx', 'schemas', 'top'],
  'backbones/catalog': ['backbones', 'backbones/image/import', 'errors', 'outbound', 'schemas'],
  top: ['backbones', 'errors', 'heads', 'numbers', 'onnx', 'schemas', 'top/operators'],
  'top/operators': ['heads', 'onnx'],
  datasets: ['backbones', 'datasets/archives', 'datasets/labels', 'errors', 'ids', 'schemas', 'storage'],
  'datasets/archives': ['backbones', 'errors'],
  'datasets/labels': ['backbones', 'datasets/archives', 'errors', 'schemas'],
  registry: ['errors', 'schemas', 'storage'],
  jobs: ['errors', 'ids', 'log', 'redis', 'schemas', 'storage'],
  training: [
    'backbones',
    'datasets',
    'errors',
    'heads',
    'numbers',
    'registry',
    'schemas',
    'top',
    'training/choose-head',
    'training/doctor',
    'training/extract',
    'training/stages',
  ],
  'training/stages': [
    'backbones',
    'errors',
    'heads',
    'numbers',
    'schemas',
    'top',
    'training',
    'training/choose-head',
    'training/doctor',
    'training/extract',
  ],
  'training/extract': ['backbones', 'errors', 'numbers', 'schemas'],
  'training/choose-head': ['heads', 'numbers', 'schemas'],
  'training/doctor': ['backbones', 'heads', 'numbers', 'onnx', 'schemas'],
  prediction: ['backbones', 'errors', 'heads', 'numbers', 'registry', 'schemas', 'top'],
  artifacts: ['backbones', 'errors', 'heads', 'onnx', 'registry', 'schemas', 'top'],
  maintenance: ['backbones', 'datasets', 'errors', 'jobs', 'schemas', 'storage'],
  operations: [
    'access',
    'artifacts',
    'backbones',
    'backbones/catalog',
    'config',
    'datasets',
    'errors',
    'jobs',
    'prediction',
    'registry',
    'schemas',
    'storage',
    'top',
    'training',
  ],
  http: ['access', 'config', 'errors', 'log', 'operations', 'redis', 'schemas'],
  'http/native': ['errors', 'http', 'operations', 'schemas'],
  'http/page': ['config', 'http'],
  client: [],
  page: ['page/core', 'page/parts', 'page/views', 'page/words'],
  'page/core': ['client', 'page/words'],
  'page/parts': ['client', 'page/core', 'page/words'],
  'page/views': ['client', 'page/core', 'page/parts', 'page/words'],
  'page/words': [],
  demo: [
    'client',
    'datasets',
    'datasets/archives',
    'datasets/labels',
    'drawing',
    'errors',
    'numbers',
    'schemas',
    'terminal',
  ],
  launch: ['config', 'errors', 'redis', 'storage', 'terminal'],
};

/** Imports from before the rooms; each has somebody who takes it away. Nothing is added here. */
const BORROWED = new Set<string>([]);
/** Rooms that are being built. */
const PLANNED: string[] = [];

/** Folders whose files stand side by side: none imports another. What two of them need lies in a room below. */
const SIDE_BY_SIDE = ['training/stages'];

/** Sets a variable of the process for a library that reads nothing else, and writes one into an example; they say why. */
const ENVIRONMENT_EXCEPTIONS = ['onnx/runtime-environment', 'page/core/calls'];
/** Where output is made; others are given something to write to, or log. */
const PRINTING = ['bin', 'launch', 'launch/setup'];
/** Passes on what the process of a job says; and writes it into an example. */
const PRINTING_EXCEPTIONS = ['jobs/run-job-process', 'page/core/calls'];

/** Packages that every room may use. */
const COMMON = ['@sinclair/typebox', 'ulid', 'lru-cache', 'p-limit'];
/** Packages that belong to some rooms, sub-rooms not included. */
const VENDORS: Record<string, string[]> = {
  fastify: ['http', 'http/native'],
  '@fastify/cors': ['http'],
  '@fastify/multipart': ['http'],
  '@fastify/static': ['http/page'],
  '@fastify/swagger': ['http'],
  '@fastify/swagger-ui': ['http'],
  '@fastify/type-provider-typebox': ['http', 'http/native'],
  ajv: ['http', 'http/native'],
  'ajv-formats': ['http'],
  'prom-client': ['http'],
  bullmq: ['jobs'],
  ioredis: ['redis', 'jobs', 'launch'],
  'onnxruntime-node': ['onnx'],
  'onnx-proto': ['onnx'],
  '@tensorflow/tfjs-core': ['heads', 'top', 'top/operators'],
  '@tensorflow/tfjs-layers': ['heads'],
  '@tensorflow/tfjs-backend-wasm': ['heads'],
  sharp: ['backbones/image', 'backbones/image/maps', 'drawing'],
  marked: ['artifacts'],
  lmdb: ['backbones'],
  yauzl: ['datasets/archives'],
  'tar-stream': ['datasets/archives'],
  'csv-parse': ['datasets/labels'],
  vega: ['training'],
  'vega-lite': ['training'],
  yazl: ['artifacts', 'demo', 'drawing'],
  pino: ['log'],
  yaml: ['bin'],
  preact: ['page', 'page/core', 'page/parts', 'page/views'],
  '@preact/signals': ['page/core'],
  uplot: ['page/parts'],
};

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((path) => /\.(ts|tsx|mjs)$/.test(path))
  .sort();
const sources = new Map(
  files.map((path) => [path.replace(/\.\w+$/, ''), withoutComments(readFileSync(join(SRC, path), 'utf8'))]),
);
const imports = [...sources].flatMap(([file, source]) => importsOf(file, source));

/** The folder that a file lies in; a file directly in `src/` is its own room. */
function roomOf(path: string): string {
  return path.includes('/') ? dirname(path) : path;
}

function withoutComments(source: string): string {
  return source.replace(/^\s*\/\*[\s\S]*?\*\//gm, '').replace(/^\s*\/\/.*$/gm, '');
}

function importsOf(file: string, source: string): Import[] {
  const statics = source.matchAll(/^(?:import|export)\s+(type\s+)?((?:[^'";]*?)from\s+)?'([^']+)';/gm);
  const dynamics = source.matchAll(/\bimport\(\s*'([^']+)'\s*\)/g);
  const found = [
    ...[...statics].map(([, type, names, specifier]) => ({
      specifier: specifier!,
      typeOnly: type !== undefined || onlyTypes(names ?? ''),
    })),
    ...[...dynamics].map(([, specifier]) => ({ specifier: specifier!, typeOnly: false })),
  ];
  return found.map(({ specifier, typeOnly }) => {
    const ours = specifier.startsWith('.');
    const target = ours
      ? relative(SRC, join(SRC, dirname(file), specifier)).replace(/\.(js|mjs)$/, '')
      : packageOf(specifier);
    return { file, room: roomOf(file), target, ours, typeOnly };
  });
}

/** `{ type A, type B } from`: every name is a type. */
function onlyTypes(names: string): boolean {
  const inner = /^\s*\{([\s\S]*)\}\s*from\s*$/.exec(names)?.[1];
  if (inner === undefined) return false;
  const list = inner
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
  return list.length > 0 && list.every((name) => name.startsWith('type '));
}

function packageOf(specifier: string): string {
  if (specifier.startsWith('node:')) return specifier;
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

function words(found: Import[]): string[] {
  return found.map(({ file, target, typeOnly }) => `${file} → ${typeOnly ? 'type ' : ''}${target}`);
}

t.test('the reader of imports understands how we write them', (t) => {
  const source = `import t, { type A } from 'tap';
import type { B } from '../schemas.js';
import { type C, type D } from './c.js';
import {
  type E,
  f,
} from '@tensorflow/tfjs-core/dist/x.js';
import 'side-effect';
export { g } from './g.js';
const h = await import('@fastify/multipart');
`;
  t.same(
    importsOf('jobs/x', source).map(({ target, ours, typeOnly }) => [target, ours, typeOnly]),
    [
      ['tap', false, false],
      ['schemas', true, true],
      ['jobs/c', true, true],
      ['@tensorflow/tfjs-core', false, false],
      ['side-effect', false, false],
      ['jobs/g', true, false],
      ['@fastify/multipart', false, false],
    ],
  );
  t.ok(imports.length > 300, 'and it finds them');
  t.end();
});

t.test('every file lies in a room of the table', (t) => {
  const strangers = [...sources.keys()].filter((path) => roomOf(path) !== 'bin' && !(roomOf(path) in EDGES));
  t.same(strangers, []);
  const rooms = new Set([...sources.keys()].map(roomOf));
  t.same(
    Object.keys(EDGES).filter((room) => !rooms.has(room) && !PLANNED.includes(room)),
    [],
    'and every room of the table has a file',
  );
  t.end();
});

t.test('rooms import what the table allows', (t) => {
  const trespasses = words(
    imports.filter(({ room, target, ours }) => {
      const other = roomOf(target);
      return ours && room !== 'bin' && other !== room && !EDGES[room]?.includes(other);
    }),
  );
  t.same(
    trespasses.filter((edge) => !BORROWED.has(edge)),
    [],
  );
  t.same(
    [...BORROWED].filter((edge) => !trespasses.includes(edge)),
    [],
    'nothing is borrowed that is not used',
  );
  t.end();
});

t.test('files that stand side by side do not import each other', (t) => {
  const found = imports.filter(
    ({ room, target, ours }) => ours && SIDE_BY_SIDE.includes(room) && roomOf(target) === room,
  );
  t.same(words(found), []);
  t.end();
});

t.test('vendors stay in their rooms', (t) => {
  const found = imports.filter(({ room, target, ours }) => {
    if (ours || target.startsWith('node:') || room === 'bin' || COMMON.includes(target)) return false;
    return !VENDORS[target]?.includes(room);
  });
  t.same(words(found), []);
  t.end();
});

t.test('no import goes round in a circle, types included', (t) => {
  const next = (file: string) =>
    imports.filter((other) => other.file === file && other.ours).map(({ target }) => target);
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (file: string, path: string[]) => {
    if (path.includes(file)) circles.push([...path.slice(path.indexOf(file)), file].join(' → '));
    if (done.has(file) || path.includes(file)) return;
    for (const target of next(file)) visit(target, [...path, file]);
    done.add(file);
  };
  for (const file of sources.keys()) visit(file, []);
  t.same(circles, []);
  t.end();
});

t.test('only entry points read the environment', (t) => {
  const found = [...sources].filter(
    ([file, source]) =>
      !PRINTING.includes(roomOf(file)) && !ENVIRONMENT_EXCEPTIONS.includes(file) && /\bprocess\.env\b/.test(source),
  );
  t.same(
    found.map(([file]) => file),
    [],
  );
  t.end();
});

t.test('only entry points and what starts them print', (t) => {
  const found = [...sources].filter(
    ([file, source]) =>
      !PRINTING.includes(roomOf(file)) &&
      !PRINTING_EXCEPTIONS.includes(file) &&
      /\bconsole\.|\bprocess\.std(out|err)\b/.test(source),
  );
  t.same(
    found.map(([file]) => file),
    [],
  );
  t.end();
});
