// Topic configs as the typed values that a partition works with.
import type { BrokerOverrides, Overrides } from './in-force.ts';
import { topicOverride, valueInForce } from './in-force.ts';
import { clipped } from './key.ts';
import { nearestHint } from './nearest.ts';
import type { NodeValues } from './node-keys.ts';
import { isTopicKey, TOPIC_KEYS, topicKey } from './topic-keys.ts';

/** What a partition's log and leader need to know, in force now. */
export interface TopicConfig {
  readonly segmentBytes: number;
  readonly indexIntervalBytes: number;
  readonly maxMessageBytes: number;
  readonly timestampType: 'CreateTime' | 'LogAppendTime';
  readonly flushMode: 'sync' | 'async';
  readonly minInsyncReplicas: number;
}

/** What to say of a name that is not in the table. */
export function unknownTopicKey(name: string): string {
  return `${clipped(name)} is not a topic config${nearestHint(name, Object.keys(TOPIC_KEYS))}`;
}

/** Of these topic configs, the ones that this version stores without acting on them. */
export function storedOnly(names: Iterable<string>): string[] {
  return [...names].filter((name) => isTopicKey(name) && !topicKey(name).obeyed);
}

/** What topics without configs of their own have on a broker; `file` holds the values of its file. */
export function topicDefaults(set: BrokerOverrides, file: NodeValues): TopicConfig {
  return {
    segmentBytes: valueInForce('log.segment.bytes', set, file),
    indexIntervalBytes: valueInForce('log.index.interval.bytes', set, file),
    maxMessageBytes: valueInForce('message.max.bytes', set, file),
    timestampType: valueInForce('log.message.timestamp.type', set, file),
    flushMode: valueInForce('log.flush.mode', set, file),
    minInsyncReplicas: valueInForce('min.insync.replicas', set, file),
  };
}

/** The topic's own value where it is set (and valid), else the default; the defaults themselves if nothing is set. */
export function topicConfigOf(topic: Overrides & { readonly size: number }, defaults: TopicConfig): TopicConfig {
  if (topic.size === 0) return defaults;
  return {
    segmentBytes: topicOverride('segment.bytes', topic) ?? defaults.segmentBytes,
    indexIntervalBytes: topicOverride('index.interval.bytes', topic) ?? defaults.indexIntervalBytes,
    maxMessageBytes: topicOverride('max.message.bytes', topic) ?? defaults.maxMessageBytes,
    timestampType: topicOverride('message.timestamp.type', topic) ?? defaults.timestampType,
    flushMode: topicOverride('log.flush.mode', topic) ?? defaults.flushMode,
    minInsyncReplicas: topicOverride('min.insync.replicas', topic) ?? defaults.minInsyncReplicas,
  };
}
