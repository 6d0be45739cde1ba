// What the client knows of the cluster: brokers by id, topics by name with their partitions' leaders. Plain state; a
// topic's leader epochs never go back while its id stays the same (kafka-protocol.md 15).
import type { Epoch, NodeId } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';
import type { Address } from '../env/network.ts';
import type { MetadataResponse } from '../protocol/apis/metadata.ts';
import { ErrorCode } from '../protocol/error-codes.ts';

export interface PartitionMetadata {
  readonly partition: number;
  /** -1 while there is none. */
  readonly leaderId: NodeId;
  readonly leaderEpoch: Epoch;
  readonly replicas: readonly NodeId[];
  readonly isr: readonly NodeId[];
}

export interface TopicMetadata {
  readonly name: string;
  readonly topicId: Uuid;
  /** Index = partition. */
  readonly partitions: readonly PartitionMetadata[];
}

export class MetadataCache {
  clusterId: string | null = null;
  controllerId: NodeId = -1;
  readonly #brokers = new Map<NodeId, Address>();
  readonly #topics = new Map<string, TopicMetadata>();
  readonly #errors = new Map<string, number>();

  get brokers(): ReadonlyMap<NodeId, Address> {
    return this.#brokers;
  }

  topic(name: string): TopicMetadata | undefined {
    return this.#topics.get(name);
  }

  /** The error code of the last answer about a topic, 0 if there was none. */
  topicError(name: string): number {
    return this.#errors.get(name) ?? ErrorCode.NONE;
  }

  /** Takes over an answer. Topics that it does not mention stay as they are. */
  update(response: MetadataResponse): void {
    this.clusterId = response.clusterId;
    this.controllerId = response.controllerId;
    this.#brokers.clear();
    for (const { nodeId, host, port } of response.brokers) this.#brokers.set(nodeId, { host, port });
    for (const topic of response.topics) {
      if (topic.name === null) continue;
      this.#errors.set(topic.name, topic.errorCode);
      if (topic.errorCode === ErrorCode.NONE) this.#updateTopic(topic.name, topic.topicId, topic.partitions);
      else if (topic.errorCode === ErrorCode.UNKNOWN_TOPIC_OR_PARTITION) this.#topics.delete(topic.name);
    }
  }

  #updateTopic(name: string, topicId: Uuid, answered: MetadataResponse['topics'][number]['partitions']): void {
    const known = this.#topics.get(name);
    const previous = known?.topicId === topicId ? known.partitions : [];
    const partitions: PartitionMetadata[] = [...previous];
    for (const { partitionIndex, leaderId, leaderEpoch, replicaNodes, isrNodes } of answered) {
      const before = previous[partitionIndex];
      if (before !== undefined && leaderEpoch >= 0 && leaderEpoch < before.leaderEpoch) continue;
      partitions[partitionIndex] = {
        partition: partitionIndex,
        leaderId,
        leaderEpoch,
        replicas: replicaNodes,
        isr: isrNodes,
      };
    }
    this.#topics.set(name, { name, topicId, partitions: withoutHoles(partitions) });
  }
}

/** Brokers answer for all partitions of a topic; one that leaves some out must not make holes in our list. */
function withoutHoles(partitions: readonly (PartitionMetadata | undefined)[]): PartitionMetadata[] {
  return Array.from(
    partitions,
    (known, partition) => known ?? { partition, leaderId: -1, leaderEpoch: -1, replicas: [], isr: [] },
  );
}
