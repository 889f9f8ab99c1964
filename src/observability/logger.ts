/**
 * JSON logs on standard output: a constant message, and what varies in fields, so that logs can be searched and
 * counted.
 */
import winston from 'winston';
import { escapedJSON } from './printable.ts';

/** The first argument is constant for each place in the code. */
export interface Logger {
  error(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
}

/** An Error becomes its chain of messages; long texts and lists are cut. */
export type LogFields = Readonly<Record<string, unknown>>;

export type LogLevel = 'error' | 'warn' | 'info' | 'debug';

/** In characters and entries. Objects hold what their authors wrote; no single field may fill a disk. */
const maxTextLength = 2048;
const maxListLength = 20;

/** A logger of that severity and graver ones: one line of JSON each, with `level`, `message` and `timestamp`. */
export function createLogger(level: LogLevel): Logger {
  const { combine, json, printf, timestamp } = winston.format;
  const safe = printf((info) => escapedJSON(String(info[Symbol.for('message')])));
  const logger = winston.createLogger({
    level,
    format: combine(timestamp(), json(), safe),
    transports: [new winston.transports.Console()],
  });
  const write = (severity: LogLevel, message: string, fields: LogFields = {}): void => {
    logger.log({ ...bounded(fields), level: severity, message });
  };
  return {
    error: (message, fields) => write('error', message, fields),
    warn: (message, fields) => write('warn', message, fields),
    info: (message, fields) => write('info', message, fields),
    debug: (message, fields) => write('debug', message, fields),
  };
}

function bounded(fields: LogFields): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, boundedValue(value)]));
}

function boundedValue(value: unknown): unknown {
  if (value instanceof Error) return cut(describeError(value));
  if (typeof value === 'string') return cut(value);
  if (Array.isArray(value)) return value.slice(0, maxListLength).map(boundedValue);
  if (typeof value === 'object' && value !== null) return cut(JSON.stringify(value));
  return value;
}

function cut(text: string): string {
  return text.length > maxTextLength ? `${text.slice(0, maxTextLength)}… (${text.length} characters)` : text;
}

/**
 * The messages of an error and of its causes, and what a tool said itself: `cannot load rules: iptables-restore ended
 * with 2, saying: …`. For logs, not for a status.
 */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const own =
    error instanceof AggregateError
      ? [error.message, ...error.errors.slice(0, 3).map(describeError)].join('; ')
      : error.message + toolWords(error);
  return error.cause === undefined ? own : `${own}: ${describeError(error.cause)}`;
}

/** An error of a tool has what that wrote to standard error in `stderr`. */
function toolWords(error: Error): string {
  const words = 'stderr' in error && typeof error.stderr === 'string' ? error.stderr.trim() : '';
  return words === '' ? '' : `, saying: ${words}`;
}
