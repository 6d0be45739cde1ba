// One row of the key table, and how a value is read from text. Everything else (validation, defaults, help) derives from rows.

interface Common {
  /** One sentence, for people. */
  readonly doc: string;
}

export interface NumberKey extends Common {
  readonly type: 'number';
  /** Whole numbers only, within these bounds. */
  readonly min: number;
  readonly max: number;
  readonly default: number;
  readonly unit?: 'ms' | 'bytes';
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

export interface TextKey extends Common {
  readonly type: 'text';
  readonly default: string;
}

export type Key = NumberKey | BooleanKey | ChoiceKey | TextKey;

/** The type of a key's value. */
export type ValueOf<K extends Key> = K extends NumberKey
  ? number
  : K extends BooleanKey
    ? boolean
    : K extends ChoiceKey<infer V>
      ? V
      : string;

export type Parsed<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: string };

/** Reads a value. The error is a sentence that names the key, what was given and what is allowed. */
export function parseValue(name: string, key: Key, text: string): Parsed<number | boolean | string> {
  const given = text.trim();
  switch (key.type) {
    case 'number': {
      const value = /^[+-]?\d+$/.test(given) ? Number(given) : Number.NaN;
      if (Number.isSafeInteger(value) && value >= key.min && value <= key.max) return { ok: true, value };
      const unit = key.unit === undefined ? '' : ` ${key.unit}`;
      return refuse(name, given, `a whole number from ${key.min} to ${key.max}${unit}`);
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
    case 'text':
      return { ok: true, value: given };
  }
}

function refuse(name: string, given: string, allowed: string): { ok: false; error: string } {
  return { ok: false, error: `${name}=${given} is not valid: it takes ${allowed}` };
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
