// The metadata images that nodes publish against each other and against the committed log: S-M8, and S-M1 where epochs differ.
// Brokers and controllers alike show ends of committed batches, later and later ones within a life.
import type { NodeId, Offset } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';
import type { MetadataState, PartitionFacts } from './metadata-state.ts';
import { show } from './partition-steps.ts';
import type { Violation } from './violation.ts';
import { firstViolation, violation } from './violation.ts';

export interface SeenImage {
  readonly endOffset: Offset;
  /** Of the whole image: equal exactly for equal images. */
  readonly digest: string;
}

export interface SeenTopic {
  readonly name: string;
  readonly topicId: Uuid;
  readonly partitions: Iterable<PartitionFacts>;
}

export interface SeenBroker {
  readonly brokerId: NodeId;
  readonly brokerEpoch: Offset;
  readonly incarnationId: Uuid;
  readonly fenced: boolean;
  readonly inControlledShutdown: boolean;
}

/** What an image shows of that which its last batches changed. */
export interface SeenChanges {
  readonly endOffset: Offset;
  readonly topics: Iterable<SeenTopic>;
  readonly removedTopics: Iterable<Uuid>;
  readonly brokers: Iterable<SeenBroker>;
}

export class ImageHistory {
  readonly #byEndOffset = new Map<Offset, { readonly node: string; readonly digest: string }>();
  readonly #shown = new Map<string, { readonly life: number; readonly endOffset: Offset }>();
  #newest: Offset = 0;

  /** Takes in an image that a node published in one of its lives; nodes that replay show every batch end, in order. */
  see(node: string, life: number, { endOffset, digest }: SeenImage): Violation | undefined {
    const shown = this.#shown.get(node);
    if (shown?.life === life && endOffset <= shown.endOffset) {
      return violation('S-M8', `${node} shows the image at offset ${endOffset} after that at ${shown.endOffset}`);
    }
    this.#shown.set(node, { life, endOffset });
    const known = this.#byEndOffset.get(endOffset);
    if (known?.digest === digest) return undefined;
    if (known !== undefined) {
      return violation('S-M8', `the images of ${known.node} and ${node} at offset ${endOffset} differ`);
    }
    this.#byEndOffset.set(endOffset, { node, digest });
    if (endOffset < this.#newest) {
      return violation('S-M8', `${node} has an image at offset ${endOffset}, where no batch ended at first`);
    }
    this.#newest = endOffset;
    return undefined;
  }
}

/** S-M1, S-M8: what an image shows is what the log up to its end adds up to. */
export function checkFold(state: MetadataState, seen: SeenChanges): Violation | undefined {
  const where = `in the image at offset ${seen.endOffset}`;
  const kept = [...seen.removedTopics].find((topicId) => state.topics.has(topicId));
  if (kept !== undefined) return violation('S-M8', `topic ${kept} is gone ${where}, and no record removed it`);
  return (
    firstViolation(seen.topics, (topic) => checkTopic(state, topic, where)) ??
    firstViolation(seen.brokers, (broker) => checkBroker(state, broker, where))
  );
}

function checkTopic(state: MetadataState, { name, topicId, partitions }: SeenTopic, where: string) {
  const topic = state.topics.get(topicId);
  const seen = [...partitions];
  if (topic?.name !== name || topic.partitions.length !== seen.length) {
    return violation('S-M8', `topic ${name} with ${seen.length} partitions is ${where}, and not in the log`);
  }
  return firstViolation(seen.entries(), ([partition, is]) => {
    const should = topic.partitions[partition]?.state;
    if (should === undefined || isSame(is, should)) return undefined;
    const epochs = is.leaderEpoch !== should.leaderEpoch || is.partitionEpoch !== should.partitionEpoch;
    const detail = `${name}-${partition} has ${show(is)} ${where}, and by the log ${show(should)}`;
    return violation(epochs ? 'S-M1' : 'S-M8', detail);
  });
}

function isSame(a: PartitionFacts, b: PartitionFacts): boolean {
  return (
    a.leader === b.leader &&
    a.leaderEpoch === b.leaderEpoch &&
    a.partitionEpoch === b.partitionEpoch &&
    a.recovering === b.recovering &&
    a.lastKnownLeader === b.lastKnownLeader &&
    isSameList(a.isr, b.isr) &&
    isSameList(a.elr, b.elr) &&
    isSameList(a.replicas, b.replicas)
  );
}

function isSameList(a: readonly NodeId[], b: readonly NodeId[]): boolean {
  return a === b || (a.length === b.length && a.every((id, i) => id === b[i]));
}

function checkBroker(state: MetadataState, seen: SeenBroker, where: string): Violation | undefined {
  const { brokerId, brokerEpoch, incarnationId, fenced, inControlledShutdown } = seen;
  const facts = state.brokers.get(brokerId);
  const isTrue =
    facts?.brokerEpoch === brokerEpoch &&
    facts.incarnationId === incarnationId &&
    facts.fenced === fenced &&
    facts.leaving === inControlledShutdown;
  return isTrue ? undefined : violation('S-M7', `broker ${brokerId} of epoch ${brokerEpoch} is ${where} as in no log`);
}
