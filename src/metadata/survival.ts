// What acknowledged (acks=all) records of a topic survive as things are now (M-8, D-12): from its replicas, ISR and ELR,
// min.insync.replicas, flush mode and racks. A record may be on `copies` replicas alone, whichever those are: the ISR may have shrunk to
// them before it was acknowledged. So the number in the ISR now promises nothing, min.insync.replicas does.
import type { NodeId } from '../base/ids.ts';
import { NO_NODE } from '../base/ids.ts';
import type { Survival } from '../gen/kvorum/v1/admin.ts';
import { effectiveMinIsr } from './effective-min-isr.ts';
import type { MetadataImage, PartitionState, TopicImage } from './image.ts';
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

export interface ReplicaFacts {
  readonly brokerId: NodeId;
  /** Empty: not known. */
  readonly rack: string;
  /** In the ISR or the ELR. */
  readonly holdsAll: boolean;
  /** C-5.1. What a broker that is down has kept is seen when it is back. */
  readonly isActive: boolean;
  /** See DurabilityPolicy. */
  readonly isSynced: boolean;
  readonly isPowerSafe: boolean;
}

export interface PartitionFacts {
  readonly replicas: readonly ReplicaFacts[];
  readonly isLed: boolean;
  /** In force (C-10.1), at least 1. */
  readonly minIsr: number;
  /** Whether a replica may lead that lacks acknowledged records, where no other lives (C-5.7). */
  readonly allowsUnclean: boolean;
}

/** `powers` is as large as `replicas` with `allPowers`. */
export type SurvivalNumbers = Omit<Survival, 'sentence'>;

/** Without a leader nothing is sure: how the replicas are that are down is not known. */
export function partitionSurvival({ replicas, isLed, minIsr, allowsUnclean }: PartitionFacts): SurvivalNumbers {
  const known = replicas.filter(({ holdsAll, isActive }) => holdsAll && isActive).length;
  const copies = isLed ? Math.min(known, minIsr) : 0;
  const others = replicas.length - copies;
  // Where all are gone for a while, an unclean election takes the first that is back: it has the record only if all have it.
  const survivesAll = copies > 0 && (!allowsUnclean || others === 0);
  const unsafe = replicas.filter(({ isPowerSafe }) => !isPowerSafe).length;
  const allPowers = survivesAll && unsafe < copies;
  const disks = Math.max(0, copies - 1);
  return {
    allProcesses: survivesAll,
    powers: allPowers ? replicas.length : disks,
    allPowers,
    disks,
    anyRack: disks > 0 && spansRacks(replicas, copies),
    replicas: replicas.length,
  };
}

/** Whether any `copies` of the replicas are in two racks at least. */
function spansRacks(replicas: readonly ReplicaFacts[], copies: number): boolean {
  const counts = new Map<string, number>();
  for (const { rack } of replicas) {
    if (rack === '') return false;
    counts.set(rack, (counts.get(rack) ?? 0) + 1);
  }
  return Math.max(...counts.values()) < copies;
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
