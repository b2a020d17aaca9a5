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
const LEVEL_0 = ['config', 'errors', 'schemas', 'log', 'ids'];
const LEVEL_1 = ['storage', 'datasets', 'registry', 'jobs', 'vision'];
const LEVEL_2 = ['training', 'prediction', 'artifacts', 'upkeep'];
const LEVEL_3 = ['api'];
/** What `npm start` does around the service, and what programs print with. */
const AROUND = ['setup', 'supervision', 'terminal', 'demo'];
/** Sets a variable of the process for a library that reads nothing else; says why. */
const ENVIRONMENT_EXCEPTIONS = ['vision/no-telemetry'];
/** Packages that every room may use. */
const COMMON = ['@sinclair/typebox', 'ulid', 'lru-cache', 'p-limit'];
/** Packages that belong to one room. */
const VENDORS: Record<string, string[]> = {
  fastify: ['api'],
  '@fastify/multipart': ['api'],
  '@fastify/swagger': ['api'],
  '@fastify/swagger-ui': ['api'],
  '@fastify/type-provider-typebox': ['api'],
  ajv: ['api'],
  'ajv-formats': ['api'],
  'prom-client': ['api'],
  bullmq: ['jobs'],
  ioredis: ['jobs'],
  'onnxruntime-node': ['vision'],
  '@tensorflow/tfjs-core': ['vision'],
  '@tensorflow/tfjs-layers': ['vision'],
  '@tensorflow/tfjs-backend-wasm': ['vision'],
  sharp: ['vision', 'demo'],
  'onnx-proto': ['vision'],
  lmdb: ['vision'],
  yauzl: ['datasets'],
  'tar-stream': ['datasets', 'demo'],
  'csv-parse': ['datasets'],
  vega: ['training'],
  'vega-lite': ['training'],
  yazl: ['artifacts', 'demo'],
  pino: ['log'],
};

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts'))
  .sort();
const sources = new Map(
  files.map((path) => [path.slice(0, -3), withoutComments(readFileSync(join(SRC, path), 'utf8'))]),
);
const imports = [...sources].flatMap(([file, source]) => importsOf(file, source));

/** A file directly in `src/` is its own room; entry points are those that are not of level 0. */
function roomOf(path: string): string {
  return path.split('/')[0]!;
}

function isEntryPoint(path: string): boolean {
  return !path.includes('/') && !LEVEL_0.includes(path);
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
      ? relative(SRC, join(SRC, dirname(file), specifier)).replace(/\.js$/, '')
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

/** Imports of ours from these rooms that lead neither into the same room nor where `allowed` says. */
function trespasses(rooms: string[], allowed: (target: string, typeOnly: boolean) => boolean): string[] {
  return words(
    imports.filter(
      ({ room, target, ours, typeOnly }) =>
        rooms.includes(room) && ours && roomOf(target) !== room && !allowed(target, typeOnly),
    ),
  );
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

t.test('every file lies in a room that has a level', (t) => {
  const known = [...LEVEL_0, ...LEVEL_1, ...LEVEL_2, ...LEVEL_3, ...AROUND];
  t.same(
    [...sources.keys()].filter((path) => !known.includes(roomOf(path)) && !isEntryPoint(path)),
    [],
  );
  t.end();
});

t.test('level 0 imports nothing of ours but level 0', (t) => {
  t.same(
    trespasses(LEVEL_0, (target) => LEVEL_0.includes(target)),
    [],
  );
  t.end();
});

t.test('rooms of level 1 import level 0 and the contract of storage, never each other', (t) => {
  t.same(
    trespasses(LEVEL_1, (target) => LEVEL_0.includes(target) || target === 'storage/contract'),
    [],
  );
  t.end();
});

t.test('rooms of level 2 import levels 0 and 1, never each other', (t) => {
  t.same(
    trespasses(LEVEL_2, (target) => LEVEL_0.includes(target) || LEVEL_1.includes(roomOf(target))),
    [],
  );
  t.end();
});

t.test('the API sees the rooms below it through types only', (t) => {
  t.same(
    trespasses(
      LEVEL_3,
      (target, typeOnly) => LEVEL_0.includes(target) || (typeOnly && [...LEVEL_1, ...LEVEL_2].includes(roomOf(target))),
    ),
    [],
  );
  t.end();
});

t.test('nothing imports an entry point, but entry points', (t) => {
  const found = imports.filter(({ file, target, ours }) => ours && isEntryPoint(target) && !isEntryPoint(file));
  t.same(words(found), []);
  t.end();
});

t.test('vendors stay in their room', (t) => {
  const found = imports.filter(({ file, room, target, ours }) => {
    if (ours || target.startsWith('node:') || isEntryPoint(file) || COMMON.includes(target)) return false;
    return !VENDORS[target]?.includes(room);
  });
  t.same(words(found), []);
  t.end();
});

t.test('no import goes round in a circle', (t) => {
  const next = (file: string) =>
    imports.filter((other) => other.file === file && other.ours && !other.typeOnly).map(({ target }) => target);
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
      !isEntryPoint(file) && !ENVIRONMENT_EXCEPTIONS.includes(file) && /\bprocess\.env\b/.test(source),
  );
  t.same(
    found.map(([file]) => file),
    [],
  );
  t.end();
});

t.test('only entry points print', (t) => {
  const found = [...sources].filter(([file, source]) => !isEntryPoint(file) && /\bconsole\./.test(source));
  t.same(
    found.map(([file]) => file),
    [],
  );
  t.end();
});
