// The table of node keys: Kafka's names where Kafka has the thing, `timing.profile`, `log.flush.mode`, `log.level`,
// `broker.connection.grace.ms` and `quorum.record.*` are ours.

import type { Key, ValueOf } from './key.ts';
import { alterable, bytes, choice, clipped, count, flag, list, millis, orMinusOne, share, text } from './key.ts';
import { nearestHint } from './nearest.ts';

const LONG_MAX = Number.MAX_SAFE_INTEGER;

export const NODE_KEYS = {
  'node.id': count(-1, 'Id of this node, unique in the cluster; required.', { min: -1 }),
  'process.roles': text('', 'What this process is: controller, broker, or controller,broker; required.'),
  'controller.quorum.voters': text('', 'The controllers as id@host:port, comma separated; the same on every node.'),
  'controller.quorum.bootstrap.servers': text(
    '',
    'The controllers as host:port, comma separated; their ids are asked for at start. Instead of controller.quorum.voters.',
  ),
  'controller.listener.names': text('CONTROLLER', 'Names of the listeners that speak to controllers (gRPC).'),
  listeners: text('', 'Where this node listens, as NAME://host:port, comma separated. Port 0 takes a free one.'),
  'advertised.listeners': text(
    '',
    'What clients and other nodes are told, as NAME://host:port; the listeners if not set.',
  ),
  'listener.security.protocol.map': text(
    '',
    'What each listener speaks, as NAME:PROTOCOL: PLAINTEXT (Kafka protocol; gRPC for controller listeners), GRPC or HTTP.',
  ),
  'inter.broker.listener.name': text(
    '',
    'The Kafka listener that brokers use among themselves; the first one if not set.',
  ),
  'log.dirs': text('', 'Folders for partition logs, comma separated; required. Formatted by `kvorum format`.'),
  'log.dir': text('', 'One folder for partition logs, where log.dirs is not set.'),
  'metadata.log.dir': text('', 'Folder for the metadata log; the first of log.dirs if not set.'),
  'broker.rack': text('', 'Rack or zone of this broker.'),
  'timing.profile': choice(
    ['default', 'fast', 'dev'],
    'default',
    'Timeouts as a set: default as in Kafka, fast for clusters on one quick network, dev for one process. Single keys win.',
  ),
  'log.level': choice(['debug', 'info', 'warn', 'error'], 'info', 'Least severe log line that is written.'),
  'log.flush.mode': alterable(
    'broker',
    choice(
      ['sync', 'async'],
      'sync',
      'sync: a record is on disk before it is acknowledged (group commit). async: in the page cache, as Apache Kafka does.',
    ),
  ),
  'num.partitions': alterable(
    'cluster',
    count(1, 'Partitions of a topic created without a number.', { min: 1, max: 10_000 }),
  ),
  'default.replication.factor': alterable(
    'cluster',
    orMinusOne(
      count(
        -1,
        'Replicas of a topic created without a number, automatically too. -1: as many as brokers are registered then, at most 3.',
        { min: 1, max: 32_767 },
      ),
    ),
  ),
  'auto.create.topics.enable': alterable(
    'broker',
    flag(true, 'Create a topic when a client asks for one that does not exist and allows it.'),
  ),
  'min.insync.replicas': alterable(
    'committed',
    count(
      2,
      'In-sync replicas that acks=all needs; capped at the number of replicas. A file’s value counts where it founds a cluster.',
      {
        min: 1,
      },
    ),
  ),
  'unclean.leader.election.enable': alterable(
    'committed',
    flag(
      false,
      'Whether a replica that may lack acknowledged records may lead where no other can. A file’s value counts where it founds a cluster.',
    ),
  ),
  'message.max.bytes': alterable('broker', bytes(1_048_588, 'Largest record batch, compressed as sent.')),
  'log.segment.bytes': alterable(
    'broker',
    bytes(1_073_741_824, 'Size at which a new segment file is begun.', { min: 14 }),
  ),
  'log.index.interval.bytes': alterable('broker', bytes(4096, 'Bytes of log per index entry.')),
  'log.message.timestamp.type': alterable(
    'broker',
    choice(
      ['CreateTime', 'LogAppendTime'],
      'CreateTime',
      'Whether a record keeps the producer’s time or gets the broker’s.',
    ),
  ),
  'log.cleanup.policy': alterable(
    'broker',
    list(['delete', 'compact'], 'delete', 'What happens to old records: delete, compact, or both.'),
  ),
  'log.retention.ms': alterable(
    'broker',
    millis(604_800_000, 'Age at which records go, -1 for never.', { min: -1, max: LONG_MAX }),
  ),
  'log.retention.bytes': alterable(
    'broker',
    bytes(-1, 'Size of a partition past which its oldest records go, -1 for none.', { min: -1, max: LONG_MAX }),
  ),
  'log.roll.ms': alterable(
    'broker',
    millis(604_800_000, 'Age at which a new segment is begun.', { min: 1, max: LONG_MAX }),
  ),
  'log.roll.jitter.ms': alterable(
    'broker',
    millis(0, 'Largest random part that is taken off log.roll.ms.', { max: LONG_MAX }),
  ),
  'log.index.size.max.bytes': alterable(
    'broker',
    bytes(10_485_760, 'Size of an index at which a new segment is begun.', { min: 4 }),
  ),
  'log.segment.delete.delay.ms': alterable(
    'broker',
    millis(60_000, 'Pause before the files of a removed segment are deleted.', { max: LONG_MAX }),
  ),
  'log.flush.interval.messages': alterable(
    'broker',
    count(LONG_MAX, 'With log.flush.mode=async: records after which they are made durable.', {
      min: 1,
      max: LONG_MAX,
    }),
  ),
  'log.flush.interval.ms': alterable(
    'broker',
    millis(LONG_MAX, 'With log.flush.mode=async: time after which records are made durable.', { max: LONG_MAX }),
  ),
  'log.message.timestamp.before.max.ms': alterable(
    'broker',
    millis(LONG_MAX, 'How far in the past a timestamp may lie.', { max: LONG_MAX }),
  ),
  'log.message.timestamp.after.max.ms': alterable(
    'broker',
    millis(3_600_000, 'How far ahead a timestamp may lie.', { max: LONG_MAX }),
  ),
  'log.preallocate': alterable('broker', flag(false, 'Write zeros ahead of the records of a segment.')),
  'compression.type': alterable(
    'broker',
    choice(
      ['producer', 'uncompressed', 'gzip', 'snappy', 'lz4', 'zstd'],
      'producer',
      'producer: batches are kept as the producer compressed them; else the leader compresses them so.',
    ),
  ),
  'log.cleaner.delete.retention.ms': alterable(
    'broker',
    millis(86_400_000, 'How long compaction keeps tombstones.', { max: LONG_MAX }),
  ),
  'log.cleaner.max.compaction.lag.ms': alterable(
    'broker',
    millis(LONG_MAX, 'Longest time a record stays uncompacted.', { min: 1, max: LONG_MAX }),
  ),
  'log.cleaner.min.compaction.lag.ms': alterable(
    'broker',
    millis(0, 'Shortest time a record stays uncompacted.', { max: LONG_MAX }),
  ),
  'log.cleaner.min.cleanable.ratio': alterable(
    'broker',
    share(0.5, 'Share of uncompacted log that starts compaction.'),
  ),
  'log.cleaner.enable': flag(true, 'Whether this broker compacts.'),
  'log.cleaner.dedupe.buffer.size': bytes(
    33_554_432,
    'Memory of the offset map of one compaction, 24 bytes a key. Kafka takes 134217728.',
    { min: 24 * 1024 },
  ),
  'log.cleaner.io.max.bytes.per.second': bytes(LONG_MAX, 'Most that compaction reads and writes per second.', {
    min: 1,
    max: LONG_MAX,
  }),
  'log.cleaner.backoff.ms': millis(15_000, 'How often the broker looks for logs to compact.', { min: 1 }),
  'log.retention.check.interval.ms': millis(300_000, 'How often the broker looks for records to delete.', { min: 1 }),
  'log.tail.cache.bytes': bytes(
    67_108_864,
    'Memory for the newest records of all partitions, so that reads near the end need no disk; 0: none.',
    { max: LONG_MAX },
  ),
  'log.max.open.files': count(512, 'Segment files that are open at once; others are opened when they are needed.', {
    min: 16,
  }),
  'num.recovery.threads.per.data.dir': count(
    4,
    'Logs of one directory that are checked at the same time after an unclean stop. Kafka takes 1.',
    { min: 1, max: 1024 },
  ),
  'producer.id.expiration.ms': millis(
    86_400_000,
    'An idempotent producer is forgotten by a partition when its last batch is older than the newest record by this.',
    { min: 1 },
  ),
  'replica.lag.time.max.ms': millis(30_000, 'A follower that has not had everything for this long leaves the ISR.', {
    min: 1,
  }),
  'replica.fetch.wait.max.ms': millis(500, 'How long a follower’s fetch waits at the leader for more.'),
  'replica.fetch.min.bytes': bytes(1, 'Bytes that a follower’s fetch waits for.'),
  'replica.fetch.max.bytes': bytes(
    1_048_576,
    'Most that a follower fetches of one partition at once, but always one batch.',
    {
      min: 1,
    },
  ),
  'replica.fetch.response.max.bytes': bytes(
    10_485_760,
    'Most that one answer to a follower’s fetch holds, but always one batch.',
    { min: 1 },
  ),
  'replica.fetch.backoff.ms': millis(
    100,
    'Pause of a follower before it asks again a leader that failed. Kafka waits 1000.',
    { min: 1 },
  ),
  'replica.socket.timeout.ms': millis(
    10_000,
    'A leader that does not answer a follower’s fetch for this long beyond replica.fetch.wait.max.ms loses its connection. Kafka waits 30000.',
    { min: 1 },
  ),
  'replica.high.watermark.checkpoint.interval.ms': millis(
    2000,
    'How often high watermarks are noted on disk. Kafka waits 5000.',
    { min: 1 },
  ),
  'leader.replication.throttled.rate': alterable(
    'broker',
    bytes(
      LONG_MAX,
      'Bytes per second that a leader sends to followers out of sync, of the replicas that the topics name in leader.replication.throttled.replicas.',
      {
        min: 1,
        max: LONG_MAX,
      },
    ),
  ),
  'follower.replication.throttled.rate': alterable(
    'broker',
    bytes(
      LONG_MAX,
      'Bytes per second that a broker fetches for its replicas out of sync, of those that the topics name in follower.replication.throttled.replicas.',
      {
        min: 1,
        max: LONG_MAX,
      },
    ),
  ),
  'socket.request.max.bytes': bytes(104_857_600, 'Largest request; a bigger one closes its connection.', { min: 1 }),
  'connections.max.idle.ms': millis(600_000, 'A connection without requests is closed after this.', { min: 1 }),
  'fetch.max.bytes': bytes(57_671_680, 'Most that one fetch response holds, but always one batch.', { min: 1024 }),
  'request.timeout.ms': millis(30_000, 'How long a broker waits for the controller on behalf of a client.', { min: 1 }),
  'broker.session.timeout.ms': millis(9000, 'A broker without a heartbeat for this long is fenced.', { min: 1 }),
  'broker.heartbeat.interval.ms': millis(2000, 'How often a broker says that it lives.', { min: 1 }),
  'broker.connection.grace.ms': millis(
    500,
    'A broker whose connection to the active controller broke is fenced after this, unless it is heard of again; at most broker.session.timeout.ms. 0: only its session counts.',
  ),
  'unclean.leader.election.interval.ms': millis(
    1000,
    'How often the active controller looks for partitions without a leader that may have one, also by unclean election where that is enabled. Kafka waits 300000.',
    { min: 1 },
  ),
  'auto.leader.rebalance.enable': flag(true, 'Give leadership back to preferred replicas that are in sync again.'),
  'leader.imbalance.check.interval.seconds': count(
    300,
    'How often the active controller looks for partitions that their preferred replica does not lead.',
    { min: 1, max: 2_147_483 },
  ),
  'controller.quorum.election.timeout.ms': millis(
    1000,
    'Without a leader for this long (up to twice), an election starts.',
    {
      min: 1,
    },
  ),
  'controller.quorum.fetch.timeout.ms': millis(
    2000,
    'A follower that cannot fetch for this long stands for election.',
    {
      min: 1,
    },
  ),
  'controller.quorum.request.timeout.ms': millis(2000, 'How long one call between controllers may take.', { min: 1 }),
  'controller.quorum.retry.backoff.ms': millis(20, 'Pause before a failed call between controllers is tried again.', {
    min: 1,
  }),
  'metadata.log.max.record.bytes.between.snapshots': bytes(
    4_194_304,
    'Bytes of new records after which a node snapshots its metadata (or after 30000 records). Twice as much is kept in memory and on disk: less than Kafka’s 20971520, for a small process.',
    { min: 1 },
  ),
  'metadata.log.max.snapshot.interval.ms': millis(
    3_600_000,
    'Time after which a node with any new metadata record takes a snapshot; 0: never by time.',
  ),
  'quorum.record.dir': text(
    '',
    'Folder where this node records what its quorum did, for `kvorum quorum replay`, one file per start; empty: none.',
  ),
  'quorum.record.max.bytes': bytes(268_435_456, 'Size at which a recording ends, with a warning.', { min: 1024 }),
} as const;

export type NodeKeyName = keyof typeof NODE_KEYS;

/** The value of every node key, by its Kafka name. */
export type NodeValues = { readonly [K in NodeKeyName]: ValueOf<(typeof NODE_KEYS)[K]> };

export function isNodeKey(name: string): name is NodeKeyName {
  return Object.hasOwn(NODE_KEYS, name);
}

/** The row of a key, by what all rows have in common. */
export function nodeKey(name: NodeKeyName): Key {
  return NODE_KEYS[name];
}

/** What to say of a name that is not in the table. */
export function unknownNodeKey(name: string): string {
  return `${clipped(name)} is not a broker config${nearestHint(name, Object.keys(NODE_KEYS))}`;
}

/** Keys on whose values all nodes must agree (C-10.1). */
export const COMMITTED_KEYS = ['min.insync.replicas', 'unclean.leader.election.enable'] as const;
