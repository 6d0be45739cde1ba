// DescribeConfigs: every config in force for a topic, a broker or all brokers, and where its value comes from: the layers of
// config/in-force.ts with their sources. A node knows its own file and no other's, and says so.
import type { NodeId } from '../base/ids.ts';
import type { Overrides } from '../config/in-force.ts';
import { NO_OVERRIDES, validValue } from '../config/in-force.ts';
import type { NodeConfig } from '../config/node-config.ts';
import type { NodeKeyName } from '../config/node-keys.ts';
import { isNodeKey, NODE_KEYS, nodeKey, unknownNodeKey } from '../config/node-keys.ts';
import { TIMING_PROFILES } from '../config/timing.ts';
import { unknownTopicKey } from '../config/topic-config.ts';
import type { TopicKeyName } from '../config/topic-keys.ts';
import { isTopicKey, TOPIC_KEYS, topicKey } from '../config/topic-keys.ts';
import type { ConfigTarget } from '../controller/decide/config-target.ts';
import { configTarget } from '../controller/decide/config-target.ts';
import type {
  ConfigEntry,
  ConfigResource,
  ConfigSynonym,
  DescribeConfigsRequest,
  DescribeConfigsResponse,
  ResourceDescription,
} from '../gen/kvorum/v1/admin.ts';
import { ConfigSource } from '../gen/kvorum/v1/admin.ts';
import { ConfigScope } from '../gen/kvorum/v1/metadata.ts';
import { itemError } from '../metadata/errors.ts';
import type { MetadataImage } from '../metadata/image.ts';
import { brokerEntity, configsOf, topicEntity } from '../metadata/image.ts';

/** The node that answers. */
export type NodeFacts = Pick<NodeConfig, 'nodeId' | 'values' | 'setKeys'>;

/** One answer per resource, in order. */
export function describeConfigs(
  image: MetadataImage,
  { resources, keys }: DescribeConfigsRequest,
  node: NodeFacts,
): DescribeConfigsResponse {
  return {
    resources: resources.map((resource): ResourceDescription => {
      const target = isSelf(resource, node) ? selfTarget(node) : configTarget(image, resource);
      if (target.entity === undefined) return { resource, error: target.error, entries: [] };
      const unknown = keys.find((key) => !(target.topic === undefined ? isNodeKey(key) : isTopicKey(key)));
      if (unknown !== undefined) return { resource, error: unknownKey(target, unknown), entries: [] };
      const isAsked = ({ key }: ConfigEntry): boolean => keys.length === 0 || keys.includes(key);
      const { entries, note } = describe(image, target, node);
      return { resource, error: undefined, entries: entries.filter(isAsked), note };
    }),
    metadataEndOffset: image.endOffset,
  };
}

/** A node knows its own file, also where it is no broker. */
function isSelf(resource: ConfigResource | undefined, { nodeId }: NodeFacts): boolean {
  return resource?.scope === ConfigScope.BROKER && resource.name === String(nodeId);
}

function selfTarget({ nodeId }: NodeFacts): ConfigTarget {
  const name = String(nodeId);
  return { entity: brokerEntity(nodeId), scope: ConfigScope.BROKER, name, topic: undefined, text: `node ${nodeId}` };
}

function unknownKey({ topic }: ConfigTarget, key: string) {
  return itemError('INVALID_CONFIG', topic === undefined ? unknownNodeKey(key) : unknownTopicKey(key));
}

interface Description {
  readonly entries: ConfigEntry[];
  readonly note: string | undefined;
}

function describe(image: MetadataImage, target: ConfigTarget, node: NodeFacts): Description {
  const { topic, name } = target;
  const { nodeId } = node;
  if (topic !== undefined) {
    const isBroker = image.brokers.has(nodeId);
    const layers = layersOf(image, isBroker ? nodeId : undefined, isBroker ? node : undefined);
    const own = configsOf(image, topicEntity(topic.name));
    const note = isBroker
      ? undefined
      : `node ${nodeId} is no broker: what single brokers and their files set for their replicas is not shown`;
    return { entries: topicKeys().map((key) => topicEntry(key, own, layers)), note };
  }
  const alterable = nodeKeys().filter((key) => nodeKey(key).scope !== undefined);
  if (name === '') {
    const note = 'single brokers, and their files where nothing is set here, may have other values: describe a broker';
    return { entries: alterable.map((key) => nodeEntry(key, layersOf(image, undefined, undefined))), note };
  }
  const brokerId = Number(name);
  if (brokerId === nodeId) {
    const layers = layersOf(image, brokerId, node);
    return { entries: nodeKeys().map((key) => nodeEntry(key, layers)), note: undefined };
  }
  const note = `answered by node ${nodeId}, which does not know the file of broker ${name}, nor its keys that only a file sets: ask that broker`;
  return { entries: alterable.map((key) => nodeEntry(key, layersOf(image, brokerId, undefined))), note };
}

function topicKeys(): TopicKeyName[] {
  return Object.keys(TOPIC_KEYS).filter(isTopicKey).sort();
}

function nodeKeys(): NodeKeyName[] {
  return Object.keys(NODE_KEYS).filter(isNodeKey).sort();
}

/** What gives node keys their values. */
interface Layers {
  readonly broker: Overrides;
  readonly cluster: Overrides;
  /** Not known: undefined. */
  readonly file: NodeFacts | undefined;
}

function layersOf(image: MetadataImage, brokerId: NodeId | undefined, file: NodeFacts | undefined): Layers {
  const broker = brokerId === undefined ? NO_OVERRIDES : configsOf(image, brokerEntity(brokerId));
  return { broker, cluster: configsOf(image, brokerEntity()), file };
}

function synonymsOf(name: NodeKeyName, { broker, cluster, file }: Layers): ConfigSynonym[] {
  const key = nodeKey(name);
  const { scope } = key;
  const synonym = (source: ConfigSource, value: Value | undefined): ConfigSynonym[] =>
    value === undefined ? [] : [{ source, key: name, value: String(value) }];
  return [
    ...(scope === 'broker' ? synonym(ConfigSource.BROKER, validValue(name, key, broker.get(name))) : []),
    ...(scope === undefined ? [] : synonym(ConfigSource.CLUSTER_DEFAULT, validValue(name, key, cluster.get(name)))),
    ...(scope === 'committed' || file === undefined ? [] : fileSynonyms(name, file)), // C-10.1
    ...synonym(ConfigSource.DEFAULT, key.default),
  ];
}

type Value = number | boolean | string;

/** What the file sets, by the key itself, else by its timing.profile. */
function fileSynonyms(name: NodeKeyName, { values, setKeys }: NodeFacts): ConfigSynonym[] {
  const profile: Partial<Record<NodeKeyName, Value>> = TIMING_PROFILES[values['timing.profile']];
  const ofFile = setKeys.has(name) ? [{ source: ConfigSource.FILE, key: name, value: String(values[name]) }] : [];
  const value = profile[name];
  if (value === undefined) return ofFile;
  return [...ofFile, { source: ConfigSource.FILE, key: 'timing.profile', value: String(value) }];
}

function nodeEntry(name: NodeKeyName, layers: Layers): ConfigEntry {
  const { scope, type, doc } = nodeKey(name);
  return entry(name, synonymsOf(name, layers), { readOnly: scope === undefined, type, documentation: doc });
}

function topicEntry(name: TopicKeyName, own: Overrides, layers: Layers): ConfigEntry {
  const { key, fallback } = topicKey(name);
  const set = validValue(name, key, own.get(name));
  const synonyms = [
    ...(set === undefined ? [] : [{ source: ConfigSource.TOPIC, key: name, value: String(set) }]),
    ...(fallback === undefined
      ? [{ source: ConfigSource.DEFAULT, key: name, value: String(key.default) }]
      : synonymsOf(fallback, layers)),
  ];
  return entry(name, synonyms, { readOnly: false, type: key.type, documentation: key.doc });
}

function entry(
  key: string,
  synonyms: ConfigSynonym[],
  rest: Pick<ConfigEntry, 'readOnly' | 'type' | 'documentation'>,
): ConfigEntry {
  const { value, source } = synonyms[0] ?? { value: '', source: ConfigSource.DEFAULT };
  return { key, value, source, synonyms, ...rest };
}
