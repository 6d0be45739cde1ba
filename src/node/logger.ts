// Log lines: one JSON object per line with time, level, event and the facts as fields, by pino.
import type { DestinationStream, Logger as PinoLogger } from 'pino';
import { destination as openDestination, pino, stdSerializers, stdTimeFunctions } from 'pino';
import type { LogFields, Logger } from '../env/logger.ts';

/** Names of the key `log.level`, from most to least. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

export interface LoggerOptions {
  /** Lines below this level are dropped; default `info`. */
  readonly level?: LogLevel;
  /** Where lines go; default standard error, written at once so that a crash loses none. */
  readonly destination?: DestinationStream;
}

export function createLogger(options: LoggerOptions = {}): Logger {
  const root = pino(
    {
      level: options.level ?? 'info',
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      messageKey: 'event',
      formatters: { level: (label) => ({ level: label }), log: withPrintableErrors },
    },
    options.destination ?? openDestination({ fd: 2, sync: true }),
  );
  return wrap(root);
}

function wrap(inner: PinoLogger): Logger {
  return {
    debug: (event, fields) => inner.debug(fields ?? {}, event),
    info: (event, fields) => inner.info(fields ?? {}, event),
    warn: (event, fields) => inner.warn(fields ?? {}, event),
    error: (event, fields) => inner.error(fields ?? {}, event),
    child: (fields) => wrap(inner.child(withPrintableErrors(fields))),
  };
}

/** Errors have no enumerable fields, so JSON would print `{}`: type, message, stack and cause instead. */
function withPrintableErrors(fields: LogFields): Record<string, unknown> {
  const printable: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    printable[name] = value instanceof Error ? stdSerializers.errWithCause(value) : value;
  }
  return printable;
}
