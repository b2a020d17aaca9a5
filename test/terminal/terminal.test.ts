import { Writable } from 'node:stream';
import t from 'tap';
import { bar } from '../../src/terminal/bar.js';
import { cut, formatBytes, formatPercent, formatSeconds, plural, wrap } from '../../src/terminal/format.js';
import { createPaint } from '../../src/terminal/paint.js';
import { createScreen } from '../../src/terminal/screen.js';
import { printTable } from '../../src/terminal/table.js';

const plain = createPaint({ isTTY: false, env: {} });

function screenOf(options: { isTTY: boolean; columns?: number }) {
  let written = '';
  const out = Object.assign(
    new Writable({
      write(chunk, _encoding, done) {
        written += chunk;
        done();
      },
    }),
    options,
  );
  return { screen: createScreen({ out, paint: plain }), written: () => written };
}

t.test('a bar is as wide as asked, whatever the share', (t) => {
  for (const share of [-1, 0, 0.001, 1 / 3, 0.5, 0.999, 1, 2, Number.NaN]) {
    t.equal([...bar(share, 7, '.')].length, 7, `${share}`);
  }
  t.equal(bar(0.5, 4, '.'), '██..');
  t.equal(bar(0.375, 2, '.'), '▊.');
  t.end();
});

t.test('numbers have units', (t) => {
  t.same([0, 999, 1500, 20_400, 3_200_000, 55_000_000, 2e9].map(formatBytes), [
    '0 B',
    '999 B',
    '1.5 KB',
    '20 KB',
    '3.2 MB',
    '55 MB',
    '2.0 GB',
  ]);
  t.same([0.04, 9.94, 61, 600, 9000].map(formatSeconds), ['0.0 s', '9.9 s', '61 s', '10 min', '2.5 h']);
  t.same([formatPercent(null), formatPercent(0.8567)], ['–', '85.7 %']);
  t.same([plural(1, 'class', 'classes'), plural(1234, 'photo')], ['1 class', '1,234 photos']);
  t.end();
});

t.test('a text is cut by characters, and cannot steer the terminal', (t) => {
  t.equal(cut('short', 10), 'short');
  t.equal(cut('🐈🐕🐈🐕', 3), '🐈🐕…');
  t.equal(cut('a\x1b[31mb\n', 20), 'a·[31mb·');
  t.end();
});

t.test('a sentence is broken between words', (t) => {
  t.same(wrap('one two three', 7), ['one two', 'three']);
  t.same(wrap('incomprehensible to us', 5), ['incomprehensible', 'to us']);
  t.same(wrap('', 5), ['']);
  t.end();
});

t.test('a table keeps its columns', (t) => {
  const { screen, written } = screenOf({ isTTY: false });
  printTable(
    screen,
    [
      { title: 'name', maxWidth: 6 },
      { title: 'n', align: 'right' },
    ],
    [
      ['cat', '1'],
      ['elephant', '1,000'],
    ],
  );
  t.equal(written(), '  name        n\n  cat         1\n  eleph…  1,000\n');
  t.end();
});

t.test('progress moves in a terminal, fits its width, and gives way to lines', (t) => {
  const { screen, written } = screenOf({ isTTY: true, columns: 60 });
  screen.progress(0.5, 'a text that is longer than what is left of the line');
  screen.line('done');
  const [, drawn, line] = written().split('\r\x1b[K');
  t.ok([...drawn!].length <= 60);
  t.match(drawn, / 50 % {2}a text/);
  t.equal(line, 'done\n');
  t.end();
});

t.test('elsewhere there is no progress, and a terminal without a width has 80 columns', (t) => {
  const { screen, written } = screenOf({ isTTY: false });
  screen.progress(0.5, 'text');
  t.equal(written(), '');
  t.equal(screenOf({ isTTY: true, columns: 0 }).screen.width, 80);
  t.end();
});

t.test('colours are for terminals that want them', (t) => {
  const red = (isTTY: boolean, env: NodeJS.ProcessEnv) => createPaint({ isTTY, env }).red('x');
  t.equal(red(true, {}), '\x1b[31mx\x1b[39m');
  for (const [isTTY, env] of [
    [false, {}],
    [true, { NO_COLOR: '1' }],
    [true, { TERM: 'dumb' }],
  ] as const) {
    t.equal(red(isTTY, env), 'x');
  }
  t.end();
});
