// What acknowledged (acks=all) records of a topic survive as things are now: what all of its partitions do (M-8, D-12), from replicas, ISR
// and ELR, min.insync.replicas, flush mode and racks.
import type { NodeId } from '../base/ids.ts';
import { NO_NODE } from '../base/ids.ts';
import type { Survival } from '../gen/kvorum/v1/admin.ts';
import { effectiveMinIsr } from './effective-min-isr.ts';
import type { MetadataImage, PartitionState, TopicImage } from './image.ts';
import type { PartitionFacts, SurvivalNumbers } from './partition-survival.ts';
import { partitionSurvival } from './partition-survival.ts';
import { isAvailable } from './standing.ts';
import { survivalSentence } from './survival-text.ts';

/** What topics and brokers are set to, as far as the node that answers knows. */
export interface DurabilityPolicy {
  /** min.insync.replicas, not capped at the replicas. */
  readonly minIsrOf: (topic: string) => number;
  /** What allows unclean elections of the topic; undefined: nothing does. */
  readonly uncleanCause: (topic: string) => string | undefined;
  /** Whether that broker has the topic's records on its disk before they are acknowledged. */
  readonly isSynced: (topic: string, brokerId: NodeId) => boolean;
  /** The same of all that it holds: else it can vouch for nothing after a power cut, and leaves every ISR (C-2.4). */
  readonly isPowerSafe: (brokerId: NodeId) => boolean;
}

/** What both survive: in each number the weaker of the two. */
function weaker(a: SurvivalNumbers, b: SurvivalNumbers): SurvivalNumbers {
  const isWeakest = b.disks < a.disks || (b.disks === a.disks && b.powers < a.powers);
  return {
    allProcesses: a.allProcesses && b.allProcesses,
    powers: Math.min(a.powers, b.powers),
    allPowers: a.allPowers && b.allPowers,
    disks: Math.min(a.disks, b.disks),
    anyRack: a.anyRack && b.anyRack,
    replicas: isWeakest ? b.replicas : a.replicas,
  };
}

/** Undefined for a topic without partitions. */
export function topicSurvival(image: MetadataImage, topic: TopicImage, policy: DurabilityPolicy): Survival | undefined {
  const all = topic.partitions.toArray();
  const facts = all.map((state, partition) => factsOf(image, topic, partition, state, policy));
  const led = facts.filter(({ isLed }) => isLed);
  const numbers = facts.map(partitionSurvival);
  const [first] = numbers;
  if (first === undefined) return undefined;
  const weakest = numbers.reduce(weaker);
  const ofLed = led
    .map(partitionSurvival)
    .reduce<SurvivalNumbers | undefined>((a, b) => (a ? weaker(a, b) : b), undefined);
  const minIsr = Math.min(...facts.map((it) => it.minIsr));
  const uncleanCause = policy.uncleanCause(topic.name);
  const sentence = survivalSentence({ topic: topic.name, partitions: all, facts, ofLed, minIsr, uncleanCause });
  return { ...weakest, sentence };
}

function factsOf(
  image: MetadataImage,
  topic: TopicImage,
  partition: number,
  state: PartitionState,
  policy: DurabilityPolicy,
): PartitionFacts {
  const subject = { image, topic, partition, state };
  const isSynced = (brokerId: NodeId): boolean => policy.isSynced(topic.name, brokerId);
  // An only replica is elected whatever its broker can vouch for (C-5.5): nobody has more.
  const isPowerSafe = state.replicas.length === 1 ? isSynced : policy.isPowerSafe;
  return {
    replicas: state.replicas.map((brokerId) => ({
      brokerId,
      rack: image.brokers.get(brokerId)?.rack ?? '',
      holdsAll: state.isr.includes(brokerId) || state.elr.includes(brokerId),
      isActive: isAvailable(subject, brokerId),
      isSynced: isSynced(brokerId),
      isPowerSafe: isPowerSafe(brokerId),
    })),
    isLed: state.leader !== NO_NODE,
    minIsr: effectiveMinIsr(policy.minIsrOf(topic.name), state),
    allowsUnclean: policy.uncleanCause(topic.name) !== undefined,
  };
}
