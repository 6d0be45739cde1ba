// Which values configs can be given in the cluster's metadata: what the key tables allow, and the metadata level.
import type { Overrides } from '../../config/in-force.ts';
import { topicOverride, validValue } from '../../config/in-force.ts';
import { isUnusedKafkaKey } from '../../config/kafka-keys.ts';
import type { Key, Parsed } from '../../config/key.ts';
import { clipped, listItems, parseValue } from '../../config/key.ts';
import { lagConflict } from '../../config/lag-conflict.ts';
import type { NodeKeyName } from '../../config/node-keys.ts';
import { isNodeKey, NODE_KEYS, nodeKey, unknownNodeKey } from '../../config/node-keys.ts';
import { unknownTopicKey } from '../../config/topic-config.ts';
import type { TopicKeyName } from '../../config/topic-keys.ts';
import { isTopicKey, TOPIC_KEYS, topicKey } from '../../config/topic-keys.ts';
import type { ConfigAlteration } from '../../gen/kvorum/v1/admin.ts';
import { ConfigOperation } from '../../gen/kvorum/v1/admin.ts';
import type { MetadataImage } from '../../metadata/image.ts';
import { brokerEntity, configsOf } from '../../metadata/image.ts';
import { ELR_LEVEL } from '../../metadata/level.ts';
import type { ConfigTarget } from './config-target.ts';

/** The value that the alteration gives the key, as it is to be stored, undefined to remove it; or why it cannot be altered so. */
export function alteredValue(
  image: MetadataImage,
  target: ConfigTarget,
  { key, operation, value }: ConfigAlteration,
): Parsed<string | undefined> {
  const present = configsOf(image, target.entity).get(key);
  if (operation === ConfigOperation.RESET) {
    if (value !== '') return bad(`${clipped(key)} is reset, and given a value too`);
    // What an earlier version has stored can be removed, whatever this version thinks of it.
    const problem = present === undefined ? keyProblem(target, key) : undefined;
    return problem === undefined ? { ok: true, value: undefined } : bad(problem);
  }
  const problem = keyProblem(target, key);
  if (problem !== undefined) return bad(problem);
  const row = rowOf(target, key);
  switch (operation) {
    case ConfigOperation.SET:
      return checkValue(image, key, row, value);
    case ConfigOperation.APPEND:
    case ConfigOperation.SUBTRACT: {
      if (row.type !== 'list') return bad(`${key} is not a list: set it`);
      const items = listItems(value);
      if (items.length === 0) return bad(`${key}: no item is named`);
      const before = listItems(present ?? row.default);
      const isAdded = operation === ConfigOperation.APPEND;
      const after = isAdded ? [...before, ...items] : before.filter((item) => !items.includes(item));
      return checkValue(image, key, row, after.join());
    }
    default:
      return bad(`${key}: the operation is one of set, reset, append and subtract`);
  }
}

function bad(error: string): { readonly ok: false; readonly error: string } {
  return { ok: false, error };
}

/** Why the key cannot be altered there; undefined if it can. */
function keyProblem({ topic, name }: ConfigTarget, key: string): string | undefined {
  if (topic !== undefined) return isTopicKey(key) ? undefined : unknownTopicKey(key);
  if (!isNodeKey(key)) {
    return isUnusedKafkaKey(key) ? `${key} is a key of Kafka that has no use here` : unknownNodeKey(key);
  }
  const { scope } = nodeKey(key);
  if (scope === undefined) {
    return `${key} cannot be altered while nodes run: set it in the file of each node, and start the node again`;
  }
  if (scope === 'broker' || name === '') return undefined;
  return `${key} cannot differ between brokers: alter it for all of them (--all-brokers, or an empty broker name)`;
}

/** Of a key without {@link keyProblem}. */
function rowOf({ topic }: ConfigTarget, key: string): Key {
  if (topic !== undefined) return topicKey(key as TopicKeyName).key;
  return nodeKey(key as NodeKeyName);
}

/** The value of a topic's key as it is to be stored, or why it cannot be set. */
export function checkTopicValue(image: MetadataImage, name: string, value: string): Parsed<string> {
  return isTopicKey(name) ? checkValue(image, name, topicKey(name).key, value) : bad(unknownTopicKey(name));
}

function checkValue({ level }: MetadataImage, name: string, row: Key, text: string): Parsed<string> {
  const parsed = parseValue(name, row, text);
  if (!parsed.ok) return parsed;
  const value = String(parsed.value);
  if (name !== 'unclean.leader.election.enable' || value === 'false' || level >= ELR_LEVEL) return { ok: true, value };
  return bad(
    `${name}=true needs metadata level ${ELR_LEVEL}, and the cluster is at ${level}: raise it by kvorum cluster upgrade`,
  );
}

/** Why the configs that a topic is to have cannot be in force together; undefined if they can. */
export function topicConflict(image: MetadataImage, configs: Overrides): string | undefined {
  return lagConflict('', (key) => topicOverride(key, configs) ?? clusterValue(image, TOPIC_KEYS[key].fallback));
}

/** The same of a broker, or of all; what their files say is not known here. */
export function brokerConflict(image: MetadataImage, name: string, configs: Overrides): string | undefined {
  return lagConflict('log.cleaner.', (key) => {
    const row = NODE_KEYS[key];
    const own = validValue(key, row, configs.get(key));
    return own ?? (name === '' ? row.default : clusterValue(image, key));
  });
}

type LagKey = 'log.cleaner.min.compaction.lag.ms' | 'log.cleaner.max.compaction.lag.ms';

/** What is set for all brokers, else the default. */
function clusterValue(image: MetadataImage, key: LagKey): number {
  const row = NODE_KEYS[key];
  return validValue(key, row, configsOf(image, brokerEntity()).get(key)) ?? row.default;
}
