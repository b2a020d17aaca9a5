/**
 * How the house stands: figures of the sources themselves.
 *
 *   npm run bench:house
 *
 * Rooms by size, the longest functions, words that must not occur, routes without a test, imports in a circle. What must hold
 * always is held by test/architecture.test.ts; this prints how far it is from the bounds.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import ts from 'typescript';
import { PACKAGE_ROOT } from '../../src/config.js';

const SRC = join(PACKAGE_ROOT, 'src');
/** A function that does nothing but name rows of a table is as long as the table. */
const LONGEST_SHOWN = 5;

interface Source {
  /** Below `src/`. */
  path: string;
  text: string;
  lines: number;
}

const sources: Source[] = readdirSync(SRC, { recursive: true, encoding: 'utf8' })
  .filter((path) => /\.(ts|tsx|mjs)$/.test(path))
  .sort()
  .map((path) => {
    const text = readFileSync(join(SRC, path), 'utf8');
    return { path, text, lines: text.split('\n').length - 1 };
  });
const total = sources.reduce((sum, { lines }) => sum + lines, 0);

function sizes(nameOf: (path: string) => string): [string, number][] {
  const found = new Map<string, number>();
  for (const { path, lines } of sources) found.set(nameOf(path), (found.get(nameOf(path)) ?? 0) + lines);
  return [...found].sort(([, a], [, b]) => b - a);
}

function share(lines: number): string {
  return `${((100 * lines) / total).toFixed(1)} %`;
}

/** Name, place and lines of every function that has a body. */
function functions(): { name: string; place: string; lines: number }[] {
  return sources
    .flatMap(({ path, text }) => {
      const file = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
      const found: { name: string; place: string; lines: number }[] = [];
      const visit = (node: ts.Node) => {
        if (ts.isFunctionLike(node) && 'body' in node && node.body) {
          const [start, end] = [node.getStart(file), node.end].map(
            (at) => file.getLineAndCharacterOfPosition(at).line + 1,
          ) as [number, number];
          const named = node.name ?? (ts.isVariableDeclaration(node.parent) ? node.parent.name : undefined);
          found.push({
            name: named?.getText(file) ?? 'a function without a name',
            place: `${path}:${start}`,
            lines: end - start + 1,
          });
        }
        ts.forEachChild(node, visit);
      };
      visit(file);
      return found;
    })
    .sort((a, b) => b.lines - a.lines);
}

/** Rooms that do not know what content is. */
const NEUTRAL = /^(jobs|registry|operations|heads|numbers|storage|training\/stages)\/|^prediction\/batcher\./;
const OF_IMAGES = /image|picture|photo|pixel|\bwidth\b/i;

function matching(paths: RegExp, words: RegExp): string[] {
  return sources
    .filter(({ path }) => paths.test(path))
    .flatMap(({ path, text }) =>
      text.split('\n').flatMap((line, i) => (words.test(line) ? [`${path}:${i + 1}: ${line.trim()}`] : [])),
    );
}

/** Route files, and the tests that inject into the app and lie at the same place below test/. */
function untestedRoutes(): { all: number; without: string[] } {
  const routes = sources
    .filter(({ path, text }) => path.startsWith('http/') && /\bapp\.(get|post|put|delete)\(\s*[`'"]\//.test(text))
    .map(({ path }) => path);
  const without = routes.filter((path) => {
    try {
      const test = readFileSync(join(PACKAGE_ROOT, 'test', path.replace(/\.ts$/, '.test.ts')), 'utf8');
      return !/\binject\b|appForTest/.test(test);
    } catch {
      return true;
    }
  });
  return { all: routes.length, without };
}

/** Imports that lead back to where they began, types included. */
function circles(): string[] {
  const next = new Map(
    sources.map(({ path, text }) => [
      path,
      [...text.matchAll(/(?:from|import\(|import)\s*'(\.[^']+)'/g)].map(([, to]) =>
        relative(SRC, join(SRC, dirname(path), to!)).replace(/\.js$/, '.ts'),
      ),
    ]),
  );
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, way: string[]) => {
    if (way.includes(file)) found.push([...way.slice(way.indexOf(file)), file].join(' → '));
    if (done.has(file) || way.includes(file)) return;
    for (const target of next.get(file) ?? []) visit(target, [...way, file]);
    done.add(file);
  };
  for (const { path } of sources) visit(path, []);
  return found;
}

const print = (figure: string, value: string, more: string[] = []) => {
  console.log(`${figure.padEnd(64)} ${value}`);
  for (const line of more) console.log(`    ${line}`);
};

const [room] = sizes((path) => (path.includes('/') ? dirname(path) : path.replace(/\.ts$/, '')));
const [folder] = sizes((path) => path.split('/')[0]!);
print('lines of src/', String(total));
print('biggest row of the edge table (≤ 14 %)', `${room![0]}, ${share(room![1])}`);
print('biggest folder of src/ (≤ 20 %)', `${folder![0]}, ${share(folder![1])}`);
const longest = functions();
print(
  'longest function, lines (≤ 100)',
  String(longest[0]!.lines),
  longest.slice(0, LONGEST_SHOWN).map(({ name, place, lines }) => `${lines} ${name} (${place})`),
);
const training = sources.find(({ path }) => path === 'training/run-training.ts')!;
print(
  'training/run-training.ts: lines (≤ 150), `let`',
  `${training.lines}, ${[...training.text.matchAll(/\blet\b/g)].length}`,
);
const words = matching(NEUTRAL, OF_IMAGES);
print('lines of neutral rooms that speak of images (0)', String(words.length), words.slice(0, 20));
print('`new FileStorage(` in src/ (1)', String(matching(/./, /new FileStorage\(/).length));
const routes = untestedRoutes();
print(
  'route files with an injected test (all)',
  `${routes.all - routes.without.length} of ${routes.all}`,
  routes.without,
);
const round = circles();
print('circles of imports, types included (0)', String(round.length), round);
