// Options that many commands share: which server is asked and for how long, how the answer is printed, what is only tried.
import type { CommandRow, OptionRow } from './command-table.ts';
import { UsageError, wholeNumber } from './failure.ts';

export const FORMATS = ['text', 'wide', 'json', 'yaml'] as const;

/** `wide` is text with more columns; `json` an object per line, `yaml` a document each, with numbers where text has times. */
export type Format = (typeof FORMATS)[number];

export interface FormatOption {
  readonly format: Format;
}

/** Which server is asked. */
export interface ServerOption {
  /** `host:port`, several separated by commas. */
  readonly server: string;
  /** How long the whole answer may take. */
  readonly timeout?: number;
}

/** Of every command that asks a server. */
export type Asking = ServerOption & FormatOption;

/** Of every command that changes something. */
export interface Changing extends Asking {
  readonly dryRun?: boolean;
}

/** Of every command that destroys something. */
export interface Destroying extends Changing {
  readonly yes?: boolean;
}

export const DEFAULT_SERVER = '127.0.0.1:9094';

/** How long a command waits for its answer unless told otherwise. */
export const DEFAULT_TIMEOUT_MS = 15_000;

export const FORMAT: OptionRow = {
  flags: '--format <format>',
  text: 'how to print; wide has more columns, json is an object per line, yaml a document each',
  choices: FORMATS,
  standard: 'text',
};

export const SERVER: OptionRow = {
  flags: '--server <host:port,...>',
  text: 'gRPC address of any broker or controller; of several the next is asked when one is not there',
  standard: DEFAULT_SERVER,
  env: 'KVORUM_SERVER',
};

const TIMEOUT: OptionRow = {
  flags: '--timeout <ms>',
  text: `how long the answer may take (default: ${DEFAULT_TIMEOUT_MS}; what prints as it comes is not limited)`,
  parse: wholeNumber('--timeout', 1),
};

const DRY_RUN: OptionRow = { flags: '--dry-run', text: 'check and tell what would be done, and do nothing' };

const YES: OptionRow = { flags: '--yes', text: 'do not ask' };

/** A command that asks a server. */
export function asking(row: CommandRow): CommandRow {
  return { ...row, options: [...(row.options ?? []), FORMAT, SERVER, TIMEOUT] };
}

/** A command that changes something. */
export function changing(row: CommandRow): CommandRow {
  return asking({ ...row, options: [...(row.options ?? []), DRY_RUN] });
}

/** A command that destroys something. */
export function destroying(row: CommandRow): CommandRow {
  return asking({ ...row, options: [...(row.options ?? []), DRY_RUN, YES] });
}

/** Pairs `key=value`, each key once. `where`: where the user wrote them. */
export function keyValues(where: string, pairs: readonly string[]): Map<string, string> {
  const values = new Map<string, string>();
  for (const pair of pairs) {
    const at = pair.indexOf('=');
    if (at < 1) throw new UsageError(`${where} takes key=value, not '${pair}'`);
    const key = pair.slice(0, at);
    if (values.has(key)) throw new UsageError(`${where} has ${key} twice: give it once, with the value that is meant`);
    values.set(key, pair.slice(at + 1));
  }
  return values;
}
