import { type Logger, type LoggerOptions, pino } from 'pino';

export type Log = Logger;

/** Options of every logger: JSON lines, times as RFC 3339, secrets left out. */
export function logOptions(name: string, level: string): LoggerOptions {
  return {
    name,
    level,
    base: { pid: process.pid },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    redact: { paths: ['req.headers.authorization', 'headers.authorization', '*.password', 'REDIS_URL'], censor: '…' },
  };
}

/** A logger on standard error, so that standard output stays free for what a program prints. */
export function createLog(name: string, level: string): Log {
  return pino(logOptions(name, level), pino.destination({ dest: 2, sync: true }));
}
