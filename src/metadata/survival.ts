// What acknowledged (acks=all) records of a topic survive as things are now: what all of its partitions do (M-8, D-12), from replicas, ISR
// and ELR, min.insync.replicas, flush mode and racks.
import type { NodeId } from '../base/ids.ts';
import { NO_NODE } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';
import { ZERO_UUID } from '../base/uuid.ts';
import type { Survival } from '../gen/kvorum/v1/admin.ts';
import { effectiveMinIsr } from './effective-min-isr.ts';
import type { BrokerRegistration, MetadataImage, PartitionState, TopicImage } from './image.ts';
import { isActive } from './image.ts';
import type { PartitionFacts, SurvivalNumbers } from './partition-survival.ts';
import { partitionSurvival } from './partition-survival.ts';
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
  const facts = factsOf(image, topic.name, all, policy);
  const numbers = facts.map(partitionSurvival);
  const [first] = numbers;
  if (first === undefined) return undefined;
  const weakest = numbers.reduce(weaker);
  const led = numbers.filter((_, i) => facts[i]?.isLed);
  const ofLed = led.length === 0 ? undefined : led.reduce(weaker);
  const minIsr = Math.min(...facts.map((it) => it.minIsr));
  const uncleanCause = policy.uncleanCause(topic.name);
  const sentence = survivalSentence({ topic: topic.name, partitions: all, facts, ofLed, minIsr, uncleanCause });
  return { ...weakest, sentence };
}

function factsOf(
  image: MetadataImage,
  topic: string,
  partitions: readonly PartitionState[],
  policy: DurabilityPolicy,
): PartitionFacts[] {
  const minIsr = policy.minIsrOf(topic);
  const allowsUnclean = policy.uncleanCause(topic) !== undefined;
  const synced = new Map<NodeId, boolean>();
  const isSynced = (brokerId: NodeId): boolean => {
    const known = synced.get(brokerId) ?? policy.isSynced(topic, brokerId);
    synced.set(brokerId, known);
    return known;
  };
  return partitions.map((state) => {
    const { replicas, isr, elr, directories, leader } = state;
    // An only replica is elected whatever its broker can vouch for (C-5.5): nobody has more.
    const isPowerSafe = replicas.length === 1 ? isSynced : policy.isPowerSafe;
    return {
      replicas: replicas.map((brokerId, i) => {
        const broker = image.brokers.get(brokerId);
        return {
          brokerId,
          rack: broker?.rack ?? '',
          holdsAll: isr.includes(brokerId) || elr.includes(brokerId),
          isActive: mayLead(broker, directories[i]),
          isSynced: isSynced(brokerId),
          isPowerSafe: isPowerSafe(brokerId),
        };
      }),
      isLed: leader !== NO_NODE,
      minIsr: effectiveMinIsr(minIsr, state),
      allowsUnclean,
    };
  });
}

/** C-5.1, as in standing.ts. */
function mayLead(broker: BrokerRegistration | undefined, directory: Uuid = ZERO_UUID): boolean {
  return isActive(broker) && (directory === ZERO_UUID || broker.logDirs.includes(directory));
}
