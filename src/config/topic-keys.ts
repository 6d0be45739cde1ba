// The table of topic configs, by Kafka's names. `fallback` is the node key that gives the default; without one it is the key's own.

import type { Key } from './key.ts';
import { bytes, choice, count, flag, formed, list, millis, share } from './key.ts';
import type { NodeKeyName } from './node-keys.ts';

const LONG_MAX = Number.MAX_SAFE_INTEGER;

export interface TopicKey {
  readonly key: Key;
  readonly fallback: NodeKeyName | undefined;
}

function row<K extends Key, F extends NodeKeyName | undefined>(key: K, fallback: F) {
  return { key, fallback } as const;
}

const REPLICAS = {
  pattern: /^(\*|\s*\d+:\d+\s*(,\s*\d+:\d+\s*)*)?$/,
  says: '* for all replicas, or <partition>:<broker> for some, comma separated, or nothing',
};

export const TOPIC_KEYS = {
  'segment.bytes': row(
    bytes(1_073_741_824, 'Size at which a new segment file is begun.', { min: 14 }),
    'log.segment.bytes',
  ),
  'index.interval.bytes': row(bytes(4096, 'Bytes of log per index entry.'), 'log.index.interval.bytes'),
  'max.message.bytes': row(bytes(1_048_588, 'Largest record batch, compressed as sent.'), 'message.max.bytes'),
  'message.timestamp.type': row(
    choice(['CreateTime', 'LogAppendTime'], 'CreateTime', 'Whether a record keeps the producer’s time.'),
    'log.message.timestamp.type',
  ),
  'log.flush.mode': row(
    choice(['sync', 'async'], 'sync', 'sync: on disk before it is acknowledged. async: in the page cache.'),
    'log.flush.mode',
  ),
  'min.insync.replicas': row(
    count(2, 'In-sync replicas that acks=all needs; capped at the number of replicas.', { min: 1 }),
    'min.insync.replicas',
  ),
  'compression.type': row(
    choice(
      ['producer', 'uncompressed', 'gzip', 'snappy', 'lz4', 'zstd'],
      'producer',
      'producer: batches are kept as the producer compressed them; else the leader compresses them so.',
    ),
    'compression.type',
  ),
  'unclean.leader.election.enable': row(
    flag(false, 'Whether a replica that may lack acknowledged records may lead where no other can.'),
    'unclean.leader.election.enable',
  ),
  'cleanup.policy': row(
    list(
      ['delete', 'compact'],
      'delete',
      'What happens to old records: delete by age and size, compact to the last of each key.',
    ),
    'log.cleanup.policy',
  ),
  'retention.ms': row(
    millis(604_800_000, 'Age at which records go, by their timestamps; -1 for never.', { min: -1, max: LONG_MAX }),
    'log.retention.ms',
  ),
  'retention.bytes': row(
    bytes(-1, 'Size of a partition past which its oldest records go, -1 for none.', { min: -1, max: LONG_MAX }),
    'log.retention.bytes',
  ),
  'segment.ms': row(
    millis(604_800_000, 'Age at which a new segment is begun.', { min: 1, max: LONG_MAX }),
    'log.roll.ms',
  ),
  'segment.jitter.ms': row(
    millis(0, 'Largest random part that is taken off segment.ms.', { max: LONG_MAX }),
    'log.roll.jitter.ms',
  ),
  'segment.index.bytes': row(
    bytes(10_485_760, 'Size of an index at which a new segment is begun.', { min: 4 }),
    'log.index.size.max.bytes',
  ),
  'delete.retention.ms': row(
    millis(86_400_000, 'How long compaction keeps tombstones.', { max: LONG_MAX }),
    'log.cleaner.delete.retention.ms',
  ),
  'file.delete.delay.ms': row(
    millis(60_000, 'Pause before the files of a removed segment are deleted.', { max: LONG_MAX }),
    'log.segment.delete.delay.ms',
  ),
  'flush.messages': row(
    count(LONG_MAX, 'With log.flush.mode=async: records after which they are made durable.', {
      min: 1,
      max: LONG_MAX,
    }),
    'log.flush.interval.messages',
  ),
  'flush.ms': row(
    millis(LONG_MAX, 'With log.flush.mode=async: time after which records are made durable.', { max: LONG_MAX }),
    'log.flush.interval.ms',
  ),
  'max.compaction.lag.ms': row(
    millis(LONG_MAX, 'Longest time a record stays uncompacted.', { min: 1, max: LONG_MAX }),
    'log.cleaner.max.compaction.lag.ms',
  ),
  'min.compaction.lag.ms': row(
    millis(0, 'Shortest time a record stays uncompacted.', { max: LONG_MAX }),
    'log.cleaner.min.compaction.lag.ms',
  ),
  'message.timestamp.before.max.ms': row(
    millis(LONG_MAX, 'How far in the past a timestamp may lie.', { max: LONG_MAX }),
    'log.message.timestamp.before.max.ms',
  ),
  'message.timestamp.after.max.ms': row(
    millis(3_600_000, 'How far ahead a timestamp may lie.', { max: LONG_MAX }),
    'log.message.timestamp.after.max.ms',
  ),
  'min.cleanable.dirty.ratio': row(
    share(0.5, 'Share of uncompacted log that starts compaction.'),
    'log.cleaner.min.cleanable.ratio',
  ),
  preallocate: row(
    flag(false, 'Write zeros ahead of the records, so that a flush need not extend the file.'),
    'log.preallocate',
  ),
  'leader.replication.throttled.replicas': row(
    formed(
      REPLICAS,
      'Replicas that, as leaders, send to followers out of sync within leader.replication.throttled.rate: * or partition:broker, comma separated.',
    ),
    undefined,
  ),
  'follower.replication.throttled.replicas': row(
    formed(
      REPLICAS,
      'Replicas that, out of sync, fetch within follower.replication.throttled.rate: * or partition:broker, comma separated.',
    ),
    undefined,
  ),
} as const satisfies Record<string, TopicKey>;

export type TopicKeyName = keyof typeof TOPIC_KEYS;

export function isTopicKey(name: string): name is TopicKeyName {
  return Object.hasOwn(TOPIC_KEYS, name);
}

/** The row of a key, by what all rows have in common. */
export function topicKey(name: TopicKeyName): TopicKey {
  return TOPIC_KEYS[name];
}
