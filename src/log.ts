import { type Logger, type LoggerOptions, pino } from 'pino';

export type Log = Logger;

/** Where secrets could stand: headers, settings, and what errors of Redis carry (`AUTH` with its password). */
const SECRETS = [
  'authorization',
  'headers.authorization',
  'headers.cookie',
  '*.headers.authorization',
  '*.headers.cookie',
  'password',
  '*.password',
  'err.command.args',
  'err.rawPacket',
  'REDIS_URL',
  'API_KEYS',
];

/** Options of every logger: JSON lines, times as RFC 3339, secrets left out. */
export function logOptions(name: string, level: string): LoggerOptions {
  return {
    name,
    level,
    base: { pid: process.pid },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    redact: { paths: SECRETS, censor: '…' },
  };
}

/** A logger on standard error, so that standard output stays free for what a program prints. */
export function createLog(name: string, level: string): Log {
  return pino(logOptions(name, level), pino.destination({ dest: 2, sync: true }));
}
