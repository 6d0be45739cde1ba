// Which value of a key is in force where the cluster's metadata sets some: topic, then broker, then all brokers, then the node's
// file (C-10.1: not for all keys), then the default of the key table. A stored value that is not valid here does not count.
import type { Key, ValueOf } from './key.ts';
import { parseValue } from './key.ts';
import type { NodeConfig } from './node-config.ts';
import type { NodeKeyName, NodeValues } from './node-keys.ts';
import { COMMITTED_KEYS, NODE_KEYS, nodeKey } from './node-keys.ts';
import type { TopicKeyName } from './topic-keys.ts';
import { TOPIC_KEYS } from './topic-keys.ts';

/** Keys that are set somewhere, as text. */
export interface Overrides {
  get(name: string): string | undefined;
}

/** What the metadata sets for brokers. */
export interface BrokerOverrides {
  /** On this broker. */
  readonly broker: Overrides;
  /** For all brokers. */
  readonly cluster: Overrides;
}

export const NO_OVERRIDES: Overrides = new Map<string, string>();

/** The value as the key's type has it; undefined if there is none, or none that is valid. */
export function validValue<K extends Key>(name: string, key: K, text: string | undefined): ValueOf<K> | undefined {
  if (text === undefined) return undefined;
  const parsed = parseValue(name, key, text);
  return parsed.ok ? (parsed.value as ValueOf<K>) : undefined;
}

/** The value of a node key; `file` holds the values of this node's file. */
export function valueInForce<N extends NodeKeyName>(name: N, set: BrokerOverrides, file: NodeValues): NodeValues[N] {
  const key = NODE_KEYS[name];
  const { scope } = nodeKey(name);
  const own = scope === 'broker' ? validValue(name, key, set.broker.get(name)) : undefined;
  const all = scope === undefined ? undefined : validValue(name, key, set.cluster.get(name));
  return (own ?? all ?? (scope === 'committed' ? key.default : file[name])) as NodeValues[N];
}

/** The type of a topic key's value. */
export type TopicValue<N extends TopicKeyName> = ValueOf<(typeof TOPIC_KEYS)[N]['key']>;

/** The value that is set on a topic (and valid), undefined if none is. */
export function topicOverride<N extends TopicKeyName>(name: N, topic: Overrides): TopicValue<N> | undefined {
  return validValue(name, TOPIC_KEYS[name].key, topic.get(name)) as TopicValue<N> | undefined;
}

/** C-10.1: what a node's file sets in vain, as the cluster has agreed on something else: a sentence each, with the fix. */
export function ignoredInFile(cluster: Overrides, file: Pick<NodeConfig, 'values' | 'setKeys'>): string[] {
  return COMMITTED_KEYS.flatMap((name) => {
    const inForce = valueInForce(name, { broker: NO_OVERRIDES, cluster }, file.values);
    if (!file.setKeys.has(name) || file.values[name] === inForce) return [];
    return [
      `${name}=${file.values[name]} in the file of this node has no effect, since the whole cluster has one value, ${inForce}: ` +
        'alter that for all brokers (kvorum config), or take the line out of the file',
    ];
  });
}
