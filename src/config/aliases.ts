// Kafka's other names for keys of a file: coarser units, and names that older versions had. The key itself counts before them, and
// of several the first in this table. Source: KafkaConfig of 3.9 and 4.1.
import type { Parsed } from './key.ts';
import { count, parseValue } from './key.ts';
import type { NodeKeyName } from './node-keys.ts';
import { NODE_KEYS } from './node-keys.ts';

interface Alias {
  /** The keys that it gives a value. */
  readonly keys: readonly NodeKeyName[];
  /** How many of their units are one of this one's. */
  readonly factor: number;
}

const MINUTE = 60_000;
const HOUR = 3_600_000;

export const ALIASES = {
  'broker.id': { keys: ['node.id'], factor: 1 },
  'log.retention.minutes': { keys: ['log.retention.ms'], factor: MINUTE },
  'log.retention.hours': { keys: ['log.retention.ms'], factor: HOUR },
  'log.roll.hours': { keys: ['log.roll.ms'], factor: HOUR },
  'log.roll.jitter.hours': { keys: ['log.roll.jitter.ms'], factor: HOUR },
  'log.flush.scheduler.interval.ms': { keys: ['log.flush.interval.ms'], factor: 1 },
  'log.message.timestamp.difference.max.ms': {
    keys: ['log.message.timestamp.before.max.ms', 'log.message.timestamp.after.max.ms'],
    factor: 1,
  },
} as const satisfies Record<string, Alias>;

export type AliasName = keyof typeof ALIASES;

export function isAlias(name: string): name is AliasName {
  return Object.hasOwn(ALIASES, name);
}

/** What a file's value of the alias gives each of its keys, in their units; -1 stays -1. */
export function aliasValue(name: AliasName, text: string): Parsed<number> {
  const { keys, factor } = ALIASES[name];
  const { min, max } = NODE_KEYS[keys[0]];
  const bounds = { min: min < 0 ? min : Math.ceil(min / factor), max: Math.floor(max / factor) };
  const parsed = parseValue(name, count(bounds.min, '', bounds), text);
  if (!parsed.ok) return parsed;
  const value = parsed.value as number;
  return { ok: true, value: value < 0 ? value : value * factor };
}
