// Topic configs: validation when they are set, and the typed values that a partition works with.
import { parseValue } from './key.ts';
import { nearestName } from './nearest.ts';
import type { NodeValues } from './node-keys.ts';
import type { TopicKeyName } from './topic-keys.ts';
import { TOPIC_KEYS } from './topic-keys.ts';

/** What a partition's log and leader need to know, in force now. */
export interface TopicConfig {
  readonly segmentBytes: number;
  readonly indexIntervalBytes: number;
  readonly maxMessageBytes: number;
  readonly timestampType: 'CreateTime' | 'LogAppendTime';
  readonly flushMode: 'sync' | 'async';
  readonly minInsyncReplicas: number;
}

function isTopicKey(name: string): name is TopicKeyName {
  return Object.hasOwn(TOPIC_KEYS, name);
}

/** Why the value cannot be set, as one sentence; undefined if it can. */
export function validateTopicConfig(name: string, value: string): string | undefined {
  if (!isTopicKey(name)) {
    return `${name} is not a topic config; the nearest is ${nearestName(name, Object.keys(TOPIC_KEYS))}`;
  }
  const parsed = parseValue(name, TOPIC_KEYS[name].key, value);
  return parsed.ok ? undefined : parsed.error;
}

/** Of these topic configs, the ones that this version stores without acting on them. */
export function storedOnly(names: Iterable<string>): string[] {
  return [...names].filter((name) => isTopicKey(name) && !TOPIC_KEYS[name].obeyed);
}

/** The topic's own value where it is set (and valid), else the node's. */
export function topicConfigOf(
  overrides: { get(name: string): string | undefined },
  node: Pick<
    NodeValues,
    | 'log.segment.bytes'
    | 'log.index.interval.bytes'
    | 'message.max.bytes'
    | 'log.message.timestamp.type'
    | 'log.flush.mode'
    | 'min.insync.replicas'
  >,
): TopicConfig {
  function own<T>(name: TopicKeyName, fallback: T): T {
    const set = overrides.get(name);
    if (set === undefined) return fallback;
    const parsed = parseValue(name, TOPIC_KEYS[name].key, set);
    return parsed.ok ? (parsed.value as T) : fallback;
  }
  return {
    segmentBytes: own('segment.bytes', node['log.segment.bytes']),
    indexIntervalBytes: own('index.interval.bytes', node['log.index.interval.bytes']),
    maxMessageBytes: own('max.message.bytes', node['message.max.bytes']),
    timestampType: own('message.timestamp.type', node['log.message.timestamp.type']),
    flushMode: own('log.flush.mode', node['log.flush.mode']),
    minInsyncReplicas: own('min.insync.replicas', node['min.insync.replicas']),
  };
}
