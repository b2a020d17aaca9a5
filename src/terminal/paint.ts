export type Colour = (text: string) => string;

export type Paint = Record<'plain' | 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan', Colour>;

/** Colours for a terminal, or none: into a file or a pipe, and where `NO_COLOR` is set (https://no-color.org). */
export function createPaint(options: { isTTY: boolean; env: NodeJS.ProcessEnv }): Paint {
  const colours = options.isTTY && !options.env.NO_COLOR && options.env.TERM !== 'dumb';
  const code = (on: number, off: number): Colour =>
    colours ? (text) => (text === '' ? '' : `\x1b[${on}m${text}\x1b[${off}m`) : (text) => text;
  return {
    plain: (text) => text,
    bold: code(1, 22),
    dim: code(2, 22),
    red: code(31, 39),
    green: code(32, 39),
    yellow: code(33, 39),
    cyan: code(36, 39),
  };
}
