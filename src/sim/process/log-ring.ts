// The simulated Logger: the last lines of the whole world in a ring, printed only when a run fails.
import type { LogFields, Logger } from '../../env/logger.ts';
import type { Incarnation } from '../world/incarnation.ts';
import type { Scheduler } from '../world/scheduler.ts';

export interface LogLine {
  readonly timeUs: number;
  readonly from: string;
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly event: string;
  readonly fields: LogFields;
}

export class LogRing {
  readonly #scheduler: Scheduler;
  readonly #capacity: number;
  readonly #ring: LogLine[] = [];
  #next = 0;

  constructor(scheduler: Scheduler, capacity: number) {
    this.#scheduler = scheduler;
    this.#capacity = capacity;
  }

  /** The logger of one incarnation; silent once it is dead. */
  logger(incarnation: Incarnation, common: LogFields = {}): Logger {
    const write = (level: LogLine['level'], event: string, fields: LogFields = {}): void => {
      if (!incarnation.isDead) this.#push(incarnation, level, event, { ...common, ...fields });
    };
    return {
      debug: (event, fields) => write('debug', event, fields),
      info: (event, fields) => write('info', event, fields),
      warn: (event, fields) => write('warn', event, fields),
      error: (event, fields) => write('error', event, fields),
      child: (fields) => this.logger(incarnation, { ...common, ...fields }),
    };
  }

  /** Oldest first. */
  lines(): LogLine[] {
    return [...this.#ring.slice(this.#next), ...this.#ring.slice(0, this.#next)];
  }

  /** The lines as text, for a failure report. */
  format(): string {
    return this.lines().map(formatLine).join('\n');
  }

  #push(incarnation: Incarnation, level: LogLine['level'], event: string, fields: LogFields): void {
    this.#ring[this.#next] = { timeUs: this.#scheduler.nowUs, from: incarnation.label, level, event, fields };
    this.#next = (this.#next + 1) % this.#capacity;
  }
}

function formatLine(line: LogLine): string {
  const fields = Object.entries(line.fields).map(([name, value]) => `${name}=${formatValue(value)}`);
  const time = (line.timeUs / 1000).toFixed(3).padStart(12);
  return [time, line.from.padEnd(12), line.level.padEnd(5), line.event, ...fields].join(' ');
}

function formatValue(value: unknown): string {
  if (value instanceof Error) return `"${value.name}: ${value.message}"`;
  if (typeof value === 'string') return value;
  try {
    return (
      JSON.stringify(value, (_key, inner: unknown) => (typeof inner === 'bigint' ? String(inner) : inner)) ??
      'undefined'
    );
  } catch {
    return '[circular]';
  }
}
