// The metadata images that nodes publish: S-M1, S-M2, S-M5, S-M6, S-M7 from one to the next, S-M8 between nodes.
import type { Epoch, NodeId, Offset } from '../base/ids.ts';
import { NO_NODE } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';
import type { Violation } from './violation.ts';
import { firstViolation, violation } from './violation.ts';

export interface SeenBroker {
  readonly brokerId: NodeId;
  readonly brokerEpoch: Offset;
  readonly incarnationId: Uuid;
  /** Registered, unfenced and not leaving. */
  readonly isActive: boolean;
}

export interface SeenPartition {
  readonly topic: string;
  readonly topicId: Uuid;
  readonly partition: number;
  readonly replicas: readonly NodeId[];
  readonly isr: readonly NodeId[];
  readonly leader: NodeId;
  readonly leaderEpoch: Epoch;
  readonly partitionEpoch: Epoch;
}

/** An image as a checker needs it. */
export interface SeenImage {
  readonly endOffset: Offset;
  /** Of the whole image: equal exactly for equal images. */
  readonly digest: string;
  readonly brokers: readonly SeenBroker[];
  readonly partitions: readonly SeenPartition[];
}

export class ImageHistory {
  readonly #byEndOffset = new Map<Offset, { readonly node: string; readonly image: SeenImage }>();
  readonly #topicIds = new Map<Uuid, string>();
  readonly #brokerEpochs = new Map<Offset, string>();
  #newest: SeenImage | undefined;

  /** Takes in an image that a node published. Each node publishes every batch end from the first on, again in each life. */
  see(node: string, image: SeenImage): Violation | undefined {
    const known = this.#byEndOffset.get(image.endOffset);
    if (known !== undefined) {
      if (known.image.digest === image.digest) return undefined;
      return violation('S-M8', `the images of ${known.node} and ${node} at offset ${image.endOffset} differ`);
    }
    this.#byEndOffset.set(image.endOffset, { node, image });
    const before = this.#newest;
    if (before !== undefined && image.endOffset < before.endOffset) {
      return violation('S-M8', `${node} has an image at offset ${image.endOffset}, where no batch ended at first`);
    }
    this.#newest = image;
    return checkEpochs(before, image) ?? checkPartitions(image) ?? checkBrokers(before, image) ?? this.#checkIds(image);
  }

  #checkIds(image: SeenImage): Violation | undefined {
    for (const { topicId, topic } of image.partitions) {
      const name = this.#topicIds.get(topicId) ?? topic;
      if (name !== topic) return violation('S-M8', `topic id ${topicId} is of ${name} and of ${topic}`);
      this.#topicIds.set(topicId, topic);
    }
    for (const { brokerId, brokerEpoch, incarnationId } of image.brokers) {
      const holder = `broker ${brokerId}, incarnation ${incarnationId}`;
      const first = this.#brokerEpochs.get(brokerEpoch) ?? holder;
      if (first !== holder) return violation('S-M7', `broker epoch ${brokerEpoch} is of ${first} and of ${holder}`);
      this.#brokerEpochs.set(brokerEpoch, holder);
    }
    return undefined;
  }
}

function checkEpochs(before: SeenImage | undefined, image: SeenImage): Violation | undefined {
  const old = new Map(
    before?.partitions.map((partition) => [`${partition.topicId}-${partition.partition}`, partition]),
  );
  return firstViolation(image.partitions, (is) => {
    const was = old.get(`${is.topicId}-${is.partition}`);
    if (was === undefined) return undefined;
    const at = `${is.topic}-${is.partition} before offset ${image.endOffset}`;
    if (is.partitionEpoch < was.partitionEpoch || is.leaderEpoch < was.leaderEpoch) {
      return violation('S-M1', `an epoch of ${at} went down`);
    }
    if (is.leader !== was.leader && is.leaderEpoch === was.leaderEpoch) {
      return violation('S-M1', `the leader of ${at} changed from ${was.leader} to ${is.leader} within its epoch`);
    }
    const same = is.leader === was.leader && is.isr.join() === was.isr.join() && is.leaderEpoch === was.leaderEpoch;
    if (!same && is.partitionEpoch === was.partitionEpoch) {
      return violation('S-M1', `${at} changed within its partition epoch`);
    }
    return undefined;
  });
}

function checkPartitions(image: SeenImage): Violation | undefined {
  const active = new Set(image.brokers.filter(({ isActive }) => isActive).map(({ brokerId }) => brokerId));
  return firstViolation(image.partitions, ({ topic, partition, leader, isr, replicas }) => {
    const at = `${topic}-${partition} before offset ${image.endOffset}`;
    if (leader !== NO_NODE && !isr.includes(leader)) return violation('S-M2', `the leader of ${at} is not in its ISR`);
    if (isr.length === 0 || new Set(isr).size < isr.length || isr.some((id) => !replicas.includes(id))) {
      return violation('S-M2', `the ISR of ${at} is [${isr.join()}] of [${replicas.join()}]`);
    }
    if (leader !== NO_NODE && !active.has(leader)) return violation('S-M6', `broker ${leader} leads ${at}, not active`);
    const fenced = isr.find((id) => !active.has(id));
    if (fenced !== undefined && isr.length > 1) {
      return violation('S-M6', `broker ${fenced} is in the ISR of ${at}, not active`);
    }
    return undefined;
  });
}

function checkBrokers(before: SeenImage | undefined, image: SeenImage): Violation | undefined {
  const old = new Map(before?.brokers.map((broker) => [broker.brokerId, broker]));
  return firstViolation(image.brokers, ({ brokerId, brokerEpoch, incarnationId }) => {
    const was = old.get(brokerId);
    if (was === undefined) return undefined;
    const at = `broker ${brokerId} before offset ${image.endOffset}`;
    if (brokerEpoch < was.brokerEpoch) return violation('S-M7', `the epoch of ${at} went down`);
    if (brokerEpoch === was.brokerEpoch && incarnationId !== was.incarnationId) {
      return violation('S-M7', `the incarnation of ${at} changed within its epoch`);
    }
    return undefined;
  });
}
