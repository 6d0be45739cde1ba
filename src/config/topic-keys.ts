// The table of topic configs, by Kafka's names. `fallback` is the node key that gives the default.

import type { Key } from './key.ts';
import { bytes, choice, count, flag, list, millis, share } from './key.ts';
import type { NodeKeyName } from './node-keys.ts';

const LONG_MAX = Number.MAX_SAFE_INTEGER;

export interface TopicKey {
  readonly key: Key;
  readonly fallback?: NodeKeyName;
  /** False: checked and stored, but this version does not act on it yet. */
  readonly obeyed: boolean;
}

function obeyed<K extends Key, F extends NodeKeyName>(key: K, fallback: F) {
  return { key, fallback, obeyed: true } as const;
}

function stored<K extends Key>(key: K) {
  return { key, obeyed: false } as const;
}

export const TOPIC_KEYS = {
  'segment.bytes': obeyed(
    bytes(1_073_741_824, 'Size at which a new segment file is begun.', { min: 14 }),
    'log.segment.bytes',
  ),
  'index.interval.bytes': obeyed(bytes(4096, 'Bytes of log per index entry.'), 'log.index.interval.bytes'),
  'max.message.bytes': obeyed(bytes(1_048_588, 'Largest record batch, compressed as sent.'), 'message.max.bytes'),
  'message.timestamp.type': obeyed(
    choice(['CreateTime', 'LogAppendTime'], 'CreateTime', 'Whether a record keeps the producer’s time.'),
    'log.message.timestamp.type',
  ),
  'log.flush.mode': obeyed(
    choice(['sync', 'async'], 'sync', 'sync: on disk before it is acknowledged. async: in the page cache.'),
    'log.flush.mode',
  ),
  'min.insync.replicas': obeyed(
    count(1, 'In-sync replicas that acks=all needs; capped at the number of replicas.', { min: 1 }),
    'min.insync.replicas',
  ),
  'compression.type': stored(choice(['producer'], 'producer', 'Batches are kept as the producer compressed them.')),
  'unclean.leader.election.enable': obeyed(
    flag(false, 'Whether a replica that may lack acknowledged records may lead where no other can.'),
    'unclean.leader.election.enable',
  ),
  'cleanup.policy': stored(list(['delete', 'compact'], 'delete', 'What happens to old records.')),
  'retention.ms': stored(millis(604_800_000, 'Age at which records go, -1 for never.', { min: -1, max: LONG_MAX })),
  'retention.bytes': stored(
    bytes(-1, 'Size of a partition past which records go, -1 for none.', { min: -1, max: LONG_MAX }),
  ),
  'segment.ms': stored(millis(604_800_000, 'Age at which a new segment is begun.', { min: 1, max: LONG_MAX })),
  'segment.jitter.ms': stored(millis(0, 'Random part of segment.ms.', { max: LONG_MAX })),
  'segment.index.bytes': stored(bytes(10_485_760, 'Largest index file.', { min: 4 })),
  'delete.retention.ms': stored(millis(86_400_000, 'How long compaction keeps tombstones.', { max: LONG_MAX })),
  'file.delete.delay.ms': stored(millis(60_000, 'Pause before a removed file is deleted.', { max: LONG_MAX })),
  'flush.messages': stored(count(LONG_MAX, 'Kafka’s flush by number; see log.flush.mode.', { min: 1, max: LONG_MAX })),
  'flush.ms': stored(millis(LONG_MAX, 'Kafka’s flush by time; see log.flush.mode.', { max: LONG_MAX })),
  'max.compaction.lag.ms': stored(
    millis(LONG_MAX, 'Longest time a record stays uncompacted.', { min: 1, max: LONG_MAX }),
  ),
  'min.compaction.lag.ms': stored(millis(0, 'Shortest time a record stays uncompacted.', { max: LONG_MAX })),
  'message.timestamp.before.max.ms': stored(
    millis(LONG_MAX, 'How far in the past a timestamp may lie.', { max: LONG_MAX }),
  ),
  'message.timestamp.after.max.ms': stored(millis(3_600_000, 'How far ahead a timestamp may lie.', { max: LONG_MAX })),
  'min.cleanable.dirty.ratio': stored(share(0.5, 'Share of uncompacted log that starts compaction.')),
  preallocate: stored(flag(false, 'Allocate segment files whole.')),
} as const satisfies Record<string, TopicKey>;

export type TopicKeyName = keyof typeof TOPIC_KEYS;

export function isTopicKey(name: string): name is TopicKeyName {
  return Object.hasOwn(TOPIC_KEYS, name);
}

/** The row of a key, by what all rows have in common. */
export function topicKey(name: TopicKeyName): TopicKey {
  return TOPIC_KEYS[name];
}
