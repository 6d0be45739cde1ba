// One row of the key table, and how a value is read from text. Everything else (validation, defaults, help) derives from rows.

/**
 * Where a node key can be altered while nodes run. broker: of one broker, or of all. cluster: of all brokers only; where that is not
 * done, the file of the active controller counts. committed: of all brokers only, and no file counts once a cluster is founded, as
 * controllers and leaders must agree on the value (C-10.1).
 */
export type KeyScope = 'broker' | 'cluster' | 'committed';

interface Common {
  /** One sentence, for people. */
  readonly doc: string;
  /** Not set: a node key is read from the file at the start and nowhere else. */
  readonly scope?: KeyScope;
}

export interface NumberKey extends Common {
  readonly type: 'number';
  /** Whole numbers, unless `isFraction`, within these bounds. */
  readonly min: number;
  readonly max: number;
  readonly default: number;
  readonly unit?: 'ms' | 'bytes';
  readonly isFraction?: true;
  /** -1 is allowed as well, and has a meaning of its own. */
  readonly orMinusOne?: true;
}

export interface BooleanKey extends Common {
  readonly type: 'boolean';
  readonly default: boolean;
}

export interface ChoiceKey<V extends string = string> extends Common {
  readonly type: 'choice';
  readonly values: readonly V[];
  readonly default: V;
}

/** One or more of some words, comma separated. */
export interface ListKey extends Common {
  readonly type: 'list';
  readonly values: readonly string[];
  readonly default: string;
}

export interface TextKey extends Common {
  readonly type: 'text';
  readonly default: string;
  /** What values must look like, and how that is said. Not set: any text will do. */
  readonly form?: { readonly pattern: RegExp; readonly says: string };
}

export type Key = NumberKey | BooleanKey | ChoiceKey | ListKey | TextKey;

/** The type of a key's value. */
export type ValueOf<K extends Key> = K extends NumberKey
  ? number
  : K extends BooleanKey
    ? boolean
    : K extends ChoiceKey<infer V>
      ? V
      : string;

export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: string };

/** The items of a comma list, each once, without blanks. */
export function listItems(text: string): string[] {
  const items = text.split(',').map((item) => item.trim());
  return [...new Set(items.filter((item) => item !== ''))];
}

/** Reads a value. The error is a sentence that names the key, what was given and what is allowed. */
export function parseValue(name: string, key: Key, text: string): Parsed<number | boolean | string> {
  const given = text.trim();
  switch (key.type) {
    case 'number': {
      const isNumber = (key.isFraction ? /^[+-]?\d+(\.\d+)?$/ : /^[+-]?\d+$/).test(given);
      const value = isNumber ? exactly(given, key.max) : Number.NaN;
      const isExact = key.isFraction === true || Number.isSafeInteger(value);
      const isWithin = value >= key.min && value <= key.max;
      if (isExact && (isWithin || (key.orMinusOne && value === -1))) return { ok: true, value };
      const unit = key.unit === undefined ? '' : ` ${key.unit}`;
      const also = key.orMinusOne ? ', or -1' : '';
      return refuse(
        name,
        given,
        `a ${key.isFraction ? '' : 'whole '}number from ${key.min} to ${key.max}${unit}${also}`,
      );
    }
    case 'boolean': {
      const lower = given.toLowerCase();
      if (lower === 'true' || lower === 'false') return { ok: true, value: lower === 'true' };
      return refuse(name, given, 'true or false');
    }
    case 'choice': {
      const value = key.values.find((choice) => choice === given);
      if (value !== undefined) return { ok: true, value };
      return refuse(name, given, `one of ${key.values.join(', ')}`);
    }
    case 'list': {
      const items = listItems(given);
      if (items.length > 0 && items.every((item) => key.values.includes(item)))
        return { ok: true, value: items.join() };
      return refuse(name, given, `one or more of ${key.values.join(', ')}, comma separated`);
    }
    case 'text':
      if (key.form?.pattern.test(given) === false) return refuse(name, given, key.form.says);
      return { ok: true, value: given };
  }
}

/** Kafka's greatest number, 2^63-1, stands for no limit, which is the greatest safe integer here. */
function exactly(given: string, max: number): number {
  const value = Number(given) + 0; // -0 is 0
  const isKafkasMax = max === Number.MAX_SAFE_INTEGER && /^\+?9223372036854775807$/.test(given);
  return isKafkasMax ? max : value;
}

/** What somebody gave, for a message: not all of a long text. */
export function clipped(given: string): string {
  return given.length > 100 ? `${given.slice(0, 100)}…` : given;
}

function refuse(name: string, given: string, allowed: string): { ok: false; error: string } {
  return { ok: false, error: `${name}=${clipped(given)} is not valid: it takes ${allowed}` };
}

const INT_MAX = 0x7fff_ffff;

type Bounds = { readonly min?: number; readonly max?: number };

export function count(value: number, doc: string, bounds: Bounds = {}): NumberKey {
  return { type: 'number', min: bounds.min ?? 0, max: bounds.max ?? INT_MAX, default: value, doc };
}

export function bytes(value: number, doc: string, bounds: Bounds = {}): NumberKey {
  return { ...count(value, doc, bounds), unit: 'bytes' };
}

export function millis(value: number, doc: string, bounds: Bounds = {}): NumberKey {
  return { ...count(value, doc, bounds), unit: 'ms' };
}

export function flag(value: boolean, doc: string): BooleanKey {
  return { type: 'boolean', default: value, doc };
}

export function choice<const V extends string>(values: readonly V[], value: NoInfer<V>, doc: string): ChoiceKey<V> {
  return { type: 'choice', values, default: value, doc };
}

export function text(value: string, doc: string): TextKey {
  return { type: 'text', default: value, doc };
}

/** A text that has a form. */
export function formed(form: NonNullable<TextKey['form']>, doc: string): TextKey {
  return { ...text('', doc), form };
}

export function list(values: readonly string[], value: string, doc: string): ListKey {
  return { type: 'list', values, default: value, doc };
}

/** As the row, and -1 as well. */
export function orMinusOne(key: NumberKey): NumberKey {
  return { ...key, orMinusOne: true };
}

/** A number from 0 to 1, not only a whole one. */
export function share(value: number, doc: string): NumberKey {
  return { type: 'number', min: 0, max: 1, default: value, isFraction: true, doc };
}

/** A row whose key can be altered while nodes run: see {@link KeyScope}. */
export function alterable<K extends Key, S extends KeyScope>(scope: S, key: K): K & { readonly scope: S } {
  return { ...key, scope };
}
