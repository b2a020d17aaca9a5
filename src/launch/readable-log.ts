import type { Paint } from '../terminal/paint.js';

/** pino's numbers. */
const LEVELS: Record<number, string> = { 10: 'trace', 20: 'debug', 30: 'info', 40: 'warn', 50: 'error', 60: 'fatal' };
export const INFO = 30;
export const WARN = 40;

/** Fields of every line, and those that are told in words. */
const TOLD = new Set([
  'level',
  'time',
  'pid',
  'hostname',
  'name',
  'msg',
  'err',
  'req',
  'res',
  'request_id',
  'responseTime',
]);
const MAX_FIELDS = 6;

interface LogLine {
  level: number;
  time?: string;
  msg?: string;
  err?: { message?: string };
  req?: { method?: string; url?: string };
  res?: { statusCode?: number };
  responseTime?: number;
  [field: string]: unknown;
}

/** A line of pino's JSON; undefined for anything else. */
export function parseLog(line: string): LogLine | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const parsed = JSON.parse(line) as LogLine;
    return typeof parsed.level === 'number' ? parsed : undefined;
  } catch {
    return undefined;
  }
}

/** One line for people: `12:03:44 warn  worker  what happened: why  job=job_…`. */
export function readableLog(log: LogLine, part: string, paint: Paint): string {
  const level = LEVELS[log.level] ?? String(log.level);
  const time = typeof log.time === 'string' ? log.time.slice(11, 19) : '';
  const words = [
    log.req && `${log.req.method} ${log.req.url}`,
    log.res && `${log.res.statusCode}${log.responseTime === undefined ? '' : ` in ${Math.round(log.responseTime)} ms`}`,
    log.err?.message ? `${log.msg ?? 'error'}: ${log.err.message}` : log.msg,
  ].filter(Boolean);
  const fields = Object.entries(log)
    .filter(([name, value]) => !TOLD.has(name) && ['string', 'number', 'boolean'].includes(typeof value))
    .slice(0, MAX_FIELDS)
    .map(([name, value]) => `${name}=${value}`);
  const colour = log.level >= 50 ? paint.red : log.level >= WARN ? paint.yellow : paint.plain;
  return `${paint.dim(time)} ${colour(level.padEnd(5))} ${part.padEnd(6)} ${printable(words.join(' '))}${paint.dim(
    fields.length > 0 ? `  ${printable(fields.join(' '))}` : '',
  )}`;
}

/** Names of files and models come from clients: nothing of theirs may steer the terminal or forge a line. */
function printable(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ');
}
