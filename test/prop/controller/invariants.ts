// The properties of safety.md 6.2 as a checker over one step of the metadata log: what was, the batch, what is.
import type { MetadataRecord } from '../../../src/gen/kvorum/v1/metadata.ts';
import type { MetadataImage, PartitionState } from '../../../src/metadata/image.ts';
import { isActive, partitionOf } from '../../../src/metadata/image.ts';

export interface Step {
  readonly before: MetadataImage;
  readonly records: readonly MetadataRecord[];
  readonly after: MetadataImage;
}

/** What a history has used up (S-M7, S-M8). */
export class History {
  readonly #topicIds = new Set<string>();
  readonly #brokerEpochs = new Set<number>();

  /** The first broken property, undefined if all hold. */
  check(step: Step): string | undefined {
    return (
      checkEpochs(step) ??
      checkPartitions(step.after) ??
      checkPlaced(step) ??
      checkFenced(step.after) ??
      checkElected(step.after) ??
      this.#checkIds(step)
    );
  }

  #checkIds({ before, records, after }: Step): string | undefined {
    let offset = before.endOffset;
    for (const { kind } of records) {
      if (kind?.$case === 'topic') {
        if (this.#topicIds.has(kind.topic.topicId)) return `S-M8: topic id ${kind.topic.topicId} used again`;
        this.#topicIds.add(kind.topic.topicId);
      }
      if (kind?.$case === 'registerBroker') {
        const { brokerId } = kind.registerBroker;
        const epoch = after.brokers.get(brokerId)?.brokerEpoch ?? -1;
        const previous = before.brokers.get(brokerId)?.brokerEpoch ?? -1;
        if (epoch !== offset) return `S-M7: broker ${brokerId} got epoch ${epoch} from the record at ${offset}`;
        if (epoch <= previous) return `S-M7: epoch of broker ${brokerId} not monotone`;
        if (this.#brokerEpochs.has(epoch)) return `S-M7: broker epoch ${epoch} used again`;
        this.#brokerEpochs.add(epoch);
      }
      offset++;
    }
    return undefined;
  }
}

function* partitions(image: MetadataImage): Iterable<[string, number, PartitionState]> {
  for (const topic of image.topics.values()) {
    for (const [partition, state] of topic.partitions.entries()) yield [topic.topicId, partition, state];
  }
}

function checkEpochs({ before, records, after }: Step): string | undefined {
  for (const [topicId, partition, was] of partitions(before)) {
    const is = partitionOf(after, topicId, partition);
    if (is === undefined) continue;
    const changes = records.flatMap(({ kind }) =>
      kind?.$case === 'partitionChange' &&
      kind.partitionChange.topicId === topicId &&
      kind.partitionChange.partition === partition
        ? [kind.partitionChange]
        : [],
    );
    const elections = changes.filter(({ leader }) => leader !== undefined).length;
    if (is.partitionEpoch !== was.partitionEpoch + changes.length) return `S-M1: partitionEpoch of ${topicId}`;
    if (is.leaderEpoch !== was.leaderEpoch + elections) return `S-M1: leaderEpoch of ${topicId}`;
    if (is.leader !== was.leader && elections === 0) return `S-M1: leader of ${topicId} moved without a new epoch`;
  }
  return undefined;
}

function checkPartitions(image: MetadataImage): string | undefined {
  for (const [topicId, partition, { isr, replicas, leader }] of partitions(image)) {
    const at = `${topicId}-${partition}`;
    if (leader !== -1 && !isr.includes(leader)) return `S-M2: leader of ${at} not in the ISR`;
    if (!isr.every((id) => replicas.includes(id))) return `S-M2: ISR of ${at} not among the replicas`;
    if (new Set(isr).size !== isr.length || isr.length === 0) return `S-M2: ISR of ${at}`;
  }
  return undefined;
}

function checkPlaced({ before, after }: Step): string | undefined {
  for (const [topicId, partition, is] of partitions(after)) {
    const was = partitionOf(before, topicId, partition);
    const entered = is.isr.filter((id) => was?.isr.includes(id) !== true);
    if (is.leader !== -1 && is.leaderEpoch !== was?.leaderEpoch) entered.push(is.leader);
    for (const id of entered) {
      if (!isActive(after.brokers.get(id))) return `S-M5: broker ${id} entered ${topicId}-${partition}, not active`;
    }
  }
  return undefined;
}

function checkFenced(image: MetadataImage): string | undefined {
  for (const [topicId, partition, { isr, leader }] of partitions(image)) {
    for (const id of isr) {
      if (isActive(image.brokers.get(id))) continue;
      if (leader === id) return `S-M6: broker ${id} leads ${topicId}-${partition}, not active`;
      if (isr.length > 1) return `S-M6: broker ${id} in the ISR of ${topicId}-${partition}, not active`;
    }
  }
  return undefined;
}

/** Of L-M1: a partition whose ISR has an active member on the right disk has a leader. */
function checkElected(image: MetadataImage): string | undefined {
  for (const [topicId, partition, { isr, leader, replicas, directories }] of partitions(image)) {
    if (leader !== -1) continue;
    for (const id of isr) {
      const broker = image.brokers.get(id);
      const directory = directories[replicas.indexOf(id)] ?? '';
      if (isActive(broker) && (/^A+$/.test(directory) || broker.logDirs.includes(directory))) {
        return `L-M1: ${topicId}-${partition} has no leader though broker ${id} is active`;
      }
    }
  }
  return undefined;
}
