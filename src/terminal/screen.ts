import { bar } from './bar.js';
import type { Paint } from './paint.js';

/** Where a program writes for people: lines that stay, and one line at the bottom that moves. */
export interface Screen {
  paint: Paint;
  /** Characters of a line. */
  width: number;
  /** A line that stays. */
  line(text?: string): void;
  /** The line that moves: a bar for `share`, and a text. Does nothing where lines cannot be overwritten. */
  progress(share: number, text: string): void;
}

export interface ScreenOptions {
  out: NodeJS.WritableStream & { isTTY?: boolean; columns?: number };
  paint: Paint;
}

const BAR_WIDTH = 30;
const MAX_WIDTH = 80;
const REDRAW_MS = 60;

export function createScreen({ out, paint }: ScreenOptions): Screen {
  const width = Math.min(MAX_WIDTH, out.columns || MAX_WIDTH);
  let moving = false;
  let drawnAt = 0;
  let drawnShare = 0;
  return {
    paint,
    width,
    line(text = '') {
      out.write(`${moving ? '\r\x1b[K' : ''}${text}\n`);
      moving = false;
    },
    progress(share, text) {
      const isLast = share >= 1 && drawnShare < 1;
      if (!out.isTTY || (moving && !isLast && Date.now() - drawnAt < REDRAW_MS)) return;
      const percent = `${Math.floor(share * 100)} %`.padStart(6);
      const words = [...text].slice(0, width - BAR_WIDTH - percent.length - 6).join('');
      out.write(`\r\x1b[K  ${paint.cyan(bar(share, BAR_WIDTH, '░'))}${percent}  ${words}`);
      moving = true;
      drawnAt = Date.now();
      drawnShare = share;
    },
  };
}
