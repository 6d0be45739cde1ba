// What the records of the metadata log add up to, by a fold of our own that shares no code with src/metadata, so that a wrong
// replay is seen (S-M8). Changed in place, record by record: it costs what changes, not what there is.
import type { Epoch, NodeId, Offset } from '../base/ids.ts';
import { NO_NODE } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';
import type { SeenConfig, SeenNewPartition, SeenPartitionChange, SeenRegistration } from './metadata-records.ts';

/** min.insync.replicas where nobody set it. */
export const DEFAULT_MIN_ISR = 2;

export interface BrokerFacts {
  readonly brokerId: NodeId;
  readonly brokerEpoch: Offset;
  readonly incarnationId: Uuid;
  readonly logDirs: readonly Uuid[];
  readonly bootCounter: number;
  fenced: boolean;
  leaving: boolean;
}

export interface PartitionFacts {
  readonly replicas: readonly NodeId[];
  readonly isr: readonly NodeId[];
  readonly elr: readonly NodeId[];
  readonly leader: NodeId;
  readonly lastKnownLeader: NodeId;
  readonly recovering: boolean;
  readonly leaderEpoch: Epoch;
  readonly partitionEpoch: Epoch;
}

/** One partition in all its states. */
export interface Partition {
  readonly topic: Topic;
  readonly partition: number;
  state: PartitionFacts;
}

export interface Topic {
  readonly name: string;
  readonly topicId: Uuid;
  readonly partitions: Partition[];
}

/** One record's change of a partition; `before` is undefined for a new one. */
export interface PartitionStep {
  readonly at: Partition;
  readonly before: PartitionFacts | undefined;
  readonly after: PartitionFacts;
  readonly setsLeader: boolean;
}

export class MetadataState {
  level = 0;
  readonly brokers = new Map<NodeId, BrokerFacts>();
  readonly topics = new Map<Uuid, Topic>();
  readonly topicIds = new Map<string, Uuid>();
  /** By entity (`1:orders`, `2:`) and key. */
  readonly #configs = new Map<string, string>();
  readonly #isrOf = new Map<NodeId, Set<Partition>>();
  readonly #elrOf = new Map<NodeId, Set<Partition>>();

  /** Registered, unfenced, not shutting down. */
  isActive(brokerId: NodeId): boolean {
    const broker = this.brokers.get(brokerId);
    return broker !== undefined && !broker.fenced && !broker.leaving;
  }

  /** The partitions that have the broker in their ISR. */
  isrOf(brokerId: NodeId): Iterable<Partition> {
    return this.#isrOf.get(brokerId) ?? [];
  }

  elrOf(brokerId: NodeId): Iterable<Partition> {
    return this.#elrOf.get(brokerId) ?? [];
  }

  /** As set on the object itself. */
  config(scope: number, entity: string, key: string): string | undefined {
    return this.#configs.get(`${scope}:${entity} ${key}`);
  }

  /** The value in force for a topic: its own, else the cluster's. */
  topicConfig(topic: string, key: string): string | undefined {
    return this.#configs.get(`1:${topic} ${key}`) ?? this.#configs.get(`2: ${key}`);
  }

  /** C-5.5: the in-sync replicas below which those that leave stay eligible. */
  minIsrOf({ topic: { name }, state }: Partition): number {
    return Math.min(Number(this.topicConfig(name, 'min.insync.replicas') ?? DEFAULT_MIN_ISR), state.replicas.length);
  }

  register({ brokerId, incarnationId, logDirs, bootCounter }: SeenRegistration, offset: Offset): void {
    const facts = { brokerId, brokerEpoch: offset, incarnationId, logDirs, bootCounter };
    this.brokers.set(brokerId, { ...facts, fenced: true, leaving: false });
  }

  setConfig({ scope, entity, key, value }: SeenConfig): void {
    const at = `${scope}:${entity} ${key}`;
    if (value === undefined) this.#configs.delete(at);
    else this.#configs.set(at, value);
  }

  createTopic(name: string, topicId: Uuid): void {
    this.topics.set(topicId, { name, topicId, partitions: [] });
    this.topicIds.set(name, topicId);
  }

  removeTopic(topic: Topic): void {
    for (const partition of topic.partitions) this.#index(partition, partition.state, undefined);
    this.topics.delete(topic.topicId);
    this.topicIds.delete(topic.name);
    for (const key of this.#configs.keys()) if (key.startsWith(`1:${topic.name} `)) this.#configs.delete(key);
  }

  createPartition(topic: Topic, record: SeenNewPartition): PartitionStep {
    const { replicas, isr, elr, leader, lastKnownLeader = NO_NODE, recovering, leaderEpoch, partitionEpoch } = record;
    const after = { replicas, isr, elr, leader, lastKnownLeader, recovering, leaderEpoch, partitionEpoch };
    const at: Partition = { topic, partition: record.partition, state: after };
    topic.partitions.push(at);
    this.#index(at, undefined, after);
    return { at, before: undefined, after, setsLeader: true };
  }

  /** C-4.2: every change is a new partition epoch, and one that sets the leader is a new leader epoch. */
  changePartition(at: Partition, record: SeenPartitionChange): PartitionStep {
    const before = at.state;
    const setsLeader = record.leader !== undefined;
    const after: PartitionFacts = {
      replicas: record.replicas?.replicas ?? before.replicas,
      isr: record.isr?.replicas ?? before.isr,
      elr: record.elr?.replicas ?? before.elr,
      leader: record.leader ?? before.leader,
      lastKnownLeader: record.lastKnownLeader ?? before.lastKnownLeader,
      recovering: record.recovering ?? before.recovering,
      leaderEpoch: before.leaderEpoch + (setsLeader ? 1 : 0),
      partitionEpoch: before.partitionEpoch + 1,
    };
    at.state = after;
    this.#index(at, before, after);
    return { at, before, after, setsLeader };
  }

  #index(at: Partition, before: PartitionFacts | undefined, after: PartitionFacts | undefined): void {
    if (before?.isr !== after?.isr) move(this.#isrOf, at, before?.isr, after?.isr);
    if (before?.elr !== after?.elr) move(this.#elrOf, at, before?.elr, after?.elr);
  }
}

function move(
  index: Map<NodeId, Set<Partition>>,
  at: Partition,
  before: readonly NodeId[] = [],
  after: readonly NodeId[] = [],
): void {
  for (const id of before) index.get(id)?.delete(at);
  for (const id of after) index.set(id, (index.get(id) ?? new Set()).add(at));
}

export function nameOf({ topic, partition }: Partition): string {
  return `${topic.name}-${partition}`;
}
