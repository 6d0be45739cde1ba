// Topic configs as the typed values that a partition works with.
import type { BrokerOverrides, Overrides } from './in-force.ts';
import { topicOverride, valueInForce } from './in-force.ts';
import { clipped, listItems } from './key.ts';
import { nearestHint } from './nearest.ts';
import type { NodeKeyName, NodeValues } from './node-keys.ts';
import { TOPIC_KEYS } from './topic-keys.ts';

/**
 * What a partition's log and leader need to know, in force now. Fields are the keys of TOPIC_KEYS, in camel case; units and ranges
 * are there.
 */
export interface TopicConfig {
  readonly segmentBytes: number;
  readonly segmentMs: number;
  readonly segmentJitterMs: number;
  readonly segmentIndexBytes: number;
  readonly indexIntervalBytes: number;
  readonly preallocate: boolean;
  readonly maxMessageBytes: number;
  readonly compressionType: 'producer' | 'uncompressed' | 'gzip' | 'snappy' | 'lz4' | 'zstd';
  readonly timestampType: 'CreateTime' | 'LogAppendTime';
  readonly timestampBeforeMaxMs: number;
  readonly timestampAfterMaxMs: number;
  readonly flushMode: 'sync' | 'async';
  readonly flushMessages: number;
  readonly flushMs: number;
  readonly minInsyncReplicas: number;
  /** `delete`, `compact`, or both, comma separated. */
  readonly cleanupPolicy: string;
  /** -1: never by age. */
  readonly retentionMs: number;
  /** -1: never by size. */
  readonly retentionBytes: number;
  readonly fileDeleteDelayMs: number;
  readonly minCleanableDirtyRatio: number;
  readonly minCompactionLagMs: number;
  readonly maxCompactionLagMs: number;
  readonly deleteRetentionMs: number;
  /** `*`, or `<partition>:<broker>`, comma separated. */
  readonly leaderReplicationThrottledReplicas: string;
  readonly followerReplicationThrottledReplicas: string;
}

/** Whether old records are deleted by age and size. */
export function deletes({ cleanupPolicy }: Pick<TopicConfig, 'cleanupPolicy'>): boolean {
  return listItems(cleanupPolicy).includes('delete');
}

/** Whether only the last record of each key is kept. */
export function compacts({ cleanupPolicy }: Pick<TopicConfig, 'cleanupPolicy'>): boolean {
  return listItems(cleanupPolicy).includes('compact');
}

/** What to say of a name that is not in the table. */
export function unknownTopicKey(name: string): string {
  return `${clipped(name)} is not a topic config${nearestHint(name, Object.keys(TOPIC_KEYS))}`;
}

/** What topics without configs of their own have on a broker; `file` holds the values of its file. */
export function topicDefaults(set: BrokerOverrides, file: NodeValues): TopicConfig {
  const valueOf = <N extends NodeKeyName>(name: N): NodeValues[N] => valueInForce(name, set, file);
  return {
    segmentBytes: valueOf('log.segment.bytes'),
    segmentMs: valueOf('log.roll.ms'),
    segmentJitterMs: valueOf('log.roll.jitter.ms'),
    segmentIndexBytes: valueOf('log.index.size.max.bytes'),
    indexIntervalBytes: valueOf('log.index.interval.bytes'),
    preallocate: valueOf('log.preallocate'),
    maxMessageBytes: valueOf('message.max.bytes'),
    compressionType: valueOf('compression.type'),
    timestampType: valueOf('log.message.timestamp.type'),
    timestampBeforeMaxMs: valueOf('log.message.timestamp.before.max.ms'),
    timestampAfterMaxMs: valueOf('log.message.timestamp.after.max.ms'),
    flushMode: valueOf('log.flush.mode'),
    flushMessages: valueOf('log.flush.interval.messages'),
    flushMs: valueOf('log.flush.interval.ms'),
    minInsyncReplicas: valueOf('min.insync.replicas'),
    cleanupPolicy: valueOf('log.cleanup.policy'),
    retentionMs: valueOf('log.retention.ms'),
    retentionBytes: valueOf('log.retention.bytes'),
    fileDeleteDelayMs: valueOf('log.segment.delete.delay.ms'),
    minCleanableDirtyRatio: valueOf('log.cleaner.min.cleanable.ratio'),
    minCompactionLagMs: valueOf('log.cleaner.min.compaction.lag.ms'),
    maxCompactionLagMs: valueOf('log.cleaner.max.compaction.lag.ms'),
    deleteRetentionMs: valueOf('log.cleaner.delete.retention.ms'),
    leaderReplicationThrottledReplicas: '',
    followerReplicationThrottledReplicas: '',
  };
}

/** The topic's own value where it is set (and valid), else the default; the defaults themselves if nothing is set. */
export function topicConfigOf(topic: Overrides & { readonly size: number }, defaults: TopicConfig): TopicConfig {
  if (topic.size === 0) return defaults;
  return {
    segmentBytes: topicOverride('segment.bytes', topic) ?? defaults.segmentBytes,
    segmentMs: topicOverride('segment.ms', topic) ?? defaults.segmentMs,
    segmentJitterMs: topicOverride('segment.jitter.ms', topic) ?? defaults.segmentJitterMs,
    segmentIndexBytes: topicOverride('segment.index.bytes', topic) ?? defaults.segmentIndexBytes,
    indexIntervalBytes: topicOverride('index.interval.bytes', topic) ?? defaults.indexIntervalBytes,
    preallocate: topicOverride('preallocate', topic) ?? defaults.preallocate,
    maxMessageBytes: topicOverride('max.message.bytes', topic) ?? defaults.maxMessageBytes,
    compressionType: topicOverride('compression.type', topic) ?? defaults.compressionType,
    timestampType: topicOverride('message.timestamp.type', topic) ?? defaults.timestampType,
    timestampBeforeMaxMs: topicOverride('message.timestamp.before.max.ms', topic) ?? defaults.timestampBeforeMaxMs,
    timestampAfterMaxMs: topicOverride('message.timestamp.after.max.ms', topic) ?? defaults.timestampAfterMaxMs,
    flushMode: topicOverride('log.flush.mode', topic) ?? defaults.flushMode,
    flushMessages: topicOverride('flush.messages', topic) ?? defaults.flushMessages,
    flushMs: topicOverride('flush.ms', topic) ?? defaults.flushMs,
    minInsyncReplicas: topicOverride('min.insync.replicas', topic) ?? defaults.minInsyncReplicas,
    cleanupPolicy: topicOverride('cleanup.policy', topic) ?? defaults.cleanupPolicy,
    retentionMs: topicOverride('retention.ms', topic) ?? defaults.retentionMs,
    retentionBytes: topicOverride('retention.bytes', topic) ?? defaults.retentionBytes,
    fileDeleteDelayMs: topicOverride('file.delete.delay.ms', topic) ?? defaults.fileDeleteDelayMs,
    minCleanableDirtyRatio: topicOverride('min.cleanable.dirty.ratio', topic) ?? defaults.minCleanableDirtyRatio,
    minCompactionLagMs: topicOverride('min.compaction.lag.ms', topic) ?? defaults.minCompactionLagMs,
    maxCompactionLagMs: topicOverride('max.compaction.lag.ms', topic) ?? defaults.maxCompactionLagMs,
    deleteRetentionMs: topicOverride('delete.retention.ms', topic) ?? defaults.deleteRetentionMs,
    leaderReplicationThrottledReplicas: topicOverride('leader.replication.throttled.replicas', topic) ?? '',
    followerReplicationThrottledReplicas: topicOverride('follower.replication.throttled.replicas', topic) ?? '',
  };
}
