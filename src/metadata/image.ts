// The cluster's metadata as of one offset: an immutable value, the fold of a committed prefix of the metadata log (S-M8).
// Versions share structure, so that a controller can keep the committed one beside its own working one (C-0.3).
import type { List } from 'immutable';
import { Map as ImmutableMap, OrderedMap } from 'immutable';
import type { Epoch, NodeId, Offset } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';
import type { PartitionLoss } from './loss-entry.ts';

/** Where a node can be reached; `listener` is the name as in `listeners`, e.g. PLAINTEXT. */
export interface BrokerEndpoint {
  readonly listener: string;
  readonly host: string;
  readonly port: number;
}

/** The record that made something what it is, for people. */
export interface Provenance {
  readonly offset: Offset;
  /** Milliseconds since 1970, -1 if not known. */
  readonly timestampMs: number;
  /** Empty if nobody said. */
  readonly cause: string;
}

/** One broker as registered (C-2). */
export interface BrokerRegistration {
  readonly brokerId: NodeId;
  /** Offset of its registration record: unique and rising over the life of the cluster (C-2.1). */
  readonly brokerEpoch: Offset;
  readonly incarnationId: Uuid;
  /** directory.id of each log dir that is online. */
  readonly logDirs: readonly Uuid[];
  readonly endpoints: readonly BrokerEndpoint[];
  /** Empty if none. */
  readonly rack: string;
  readonly bootCounter: number;
  readonly fenced: boolean;
  readonly inControlledShutdown: boolean;
  /** Metadata levels that it can follow. */
  readonly minMetadataLevel: number;
  readonly maxMetadataLevel: number;
  /** What made it fenced, unfenced or shutting down. */
  readonly state: Provenance;
}

/**
 * C-4.1, C-4.3: leader = -1 or leader in isr; isr and elr are disjoint subsets of replicas; isr is never empty below metadata level
 * 2 (C-5.4), where there is no ELR.
 */
export interface PartitionState {
  /** Assignment order: the first is the preferred leader. */
  readonly replicas: readonly NodeId[];
  readonly isr: readonly NodeId[];
  /** Eligible leader replicas: out of the ISR, but with every acknowledged record (KIP-966, C-5.5). */
  readonly elr: readonly NodeId[];
  /** -1: none. */
  readonly leader: NodeId;
  /** Led last, where ISR and ELR are empty (C-5.6); -1: none. */
  readonly lastKnownLeader: NodeId;
  /** Elected uncleanly, and has not recovered yet (C-5.7, C-5.8); the ISR has one member at most then. */
  readonly recovering: boolean;
  /** Rises by one exactly when a change sets the leader (C-4.2). */
  readonly leaderEpoch: Epoch;
  /** Rises by one at every change (C-4.2). */
  readonly partitionEpoch: Epoch;
  /** directory.id per replica, same order; ZERO_UUID where the broker has not said. */
  readonly directories: readonly Uuid[];
  /** A reassignment under way (C-8.1): replicas that are to join, and those that go then. */
  readonly adding: readonly NodeId[];
  readonly removing: readonly NodeId[];
  /** Offset of the record that set the leader last. */
  readonly leaderOffset: Offset;
}

/** The newest command of a client that names its commands (C-9.1c). */
export interface CommandReply {
  readonly sequence: number;
  /** Name of the method. */
  readonly method: string;
  /** The answer, encoded. */
  readonly reply: Uint8Array;
}

export interface TopicImage {
  readonly name: string;
  readonly topicId: Uuid;
  /** By partition number, from 0 without holes; `get(n)` is undefined beyond the end. */
  readonly partitions: List<PartitionState>;
}

/** How many partitions a broker has a part in. */
export interface BrokerLoad {
  readonly replicas: number;
  /** Partitions whose first replica it is. */
  readonly preferred: number;
  readonly leaders: number;
  readonly inSync: number;
}

export interface MetadataImage {
  /** The image shows every record below this offset. */
  readonly endOffset: Offset;
  /** Raft epoch of the last batch replayed, 0 at the start. */
  readonly epoch: Epoch;
  /** Metadata level, 0 before the first record of the cluster. */
  readonly level: number;
  readonly brokers: ImmutableMap<NodeId, BrokerRegistration>;
  readonly topics: ImmutableMap<Uuid, TopicImage>;
  readonly topicIds: ImmutableMap<string, Uuid>;
  /** Topics with a '.' or '_' in their name, by {@link collisionKey}. */
  readonly collidingNames: ImmutableMap<string, string>;
  /** Of every broker that has a replica, registered or not. */
  readonly loads: ReadonlyMap<NodeId, BrokerLoad>;
  /** Keys set, by entity: see {@link topicEntity}, {@link brokerEntity}. No entity has an empty map. */
  readonly configs: ImmutableMap<ConfigEntity, ImmutableMap<string, string>>;
  /** First producer id that nobody has (C-9.3). */
  readonly nextProducerId: number;
  /** By client id, the one that was heard of last at the end. */
  readonly commands: OrderedMap<Uuid, CommandReply>;
  /** Of all answers in {@link commands}. */
  readonly commandBytes: number;
  /** The loss ledger: entries of a partition, oldest first, by topic and partition. None is empty; below metadata level 3 all are. */
  readonly losses: ImmutableMap<Uuid, ImmutableMap<number, readonly PartitionLoss[]>>;
  /** Of all entries in {@link losses}. */
  readonly lossCount: number;
}

/** Whose configs: `topic:<name>`, `broker:<id>`, or `broker:` for the default of all brokers. */
export type ConfigEntity = `topic:${string}` | `broker:${string}`;

export const EMPTY_IMAGE: MetadataImage = {
  endOffset: 0,
  epoch: 0,
  level: 0,
  brokers: ImmutableMap(),
  topics: ImmutableMap(),
  topicIds: ImmutableMap(),
  collidingNames: ImmutableMap(),
  loads: new Map(),
  configs: ImmutableMap(),
  nextProducerId: 0,
  commands: OrderedMap(),
  commandBytes: 0,
  losses: ImmutableMap(),
  lossCount: 0,
};

export function topicEntity(name: string): ConfigEntity {
  return `topic:${name}`;
}

/** What names have in common that differ in '.' against '_' alone; undefined for a name with neither. */
export function collisionKey(name: string): string | undefined {
  return /[._]/.test(name) ? name.replaceAll('.', '_') : undefined;
}

/** `brokerId` undefined: the default of all brokers. */
export function brokerEntity(brokerId?: NodeId): ConfigEntity {
  return `broker:${brokerId ?? ''}`;
}

const NO_CONFIGS: ImmutableMap<string, string> = ImmutableMap();

/** The keys set on the entity itself; empty if none. Fits `topicConfigOf`. */
export function configsOf(image: MetadataImage, entity: ConfigEntity): ImmutableMap<string, string> {
  return image.configs.get(entity) ?? NO_CONFIGS;
}

export function topicByName(image: MetadataImage, name: string): TopicImage | undefined {
  const topicId = image.topicIds.get(name);
  return topicId === undefined ? undefined : image.topics.get(topicId);
}

/** The partition's state, undefined if there is no such topic or partition. */
export function partitionOf(image: MetadataImage, topicId: Uuid, partition: number): PartitionState | undefined {
  return partition < 0 ? undefined : image.topics.get(topicId)?.partitions.get(partition);
}

/** Brokers in order of their ids. */
export function brokersInOrder(image: MetadataImage): BrokerRegistration[] {
  return [...image.brokers.values()].toSorted((a, b) => a.brokerId - b.brokerId);
}

/** Topics in order of their names (by UTF-16 code unit: the same on every node, C-0.5). */
export function topicsInOrder(image: MetadataImage): TopicImage[] {
  return [...image.topics.values()].toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

/** Registered, not fenced and not about to leave: may be in an ISR and lead (C-5.1, S-M5). */
export function isActive(broker: BrokerRegistration | undefined): broker is BrokerRegistration {
  return broker !== undefined && !broker.fenced && !broker.inControlledShutdown;
}
