// What happens to partitions when a broker leaves, returns or loses log dirs (C-3.3, C-3.4, C-3.6, C-2.4), and the periodic
// elections (C-5.9, C-10.2). Each call looks at every partition, which is cheap, and changes at most `limit` of them.
import type { NodeId } from '../../base/ids.ts';
import { NO_NODE } from '../../base/ids.ts';
import type { Uuid } from '../../base/uuid.ts';
import { ZERO_UUID } from '../../base/uuid.ts';
import type { MetadataRecord } from '../../gen/kvorum/v1/metadata.ts';
import type { MetadataImage, PartitionState, TopicImage } from '../../metadata/image.ts';
import { ELR_LEVEL } from '../../metadata/level.ts';
import type { Acceptable } from './acceptable.ts';
import { acceptableIn } from './acceptable.ts';
import type { ElectionKind } from './election.ts';
import type { ChangeRules, PartitionTarget } from './partition-change.ts';
import { changePartition } from './partition-change.ts';
import type { ElectionPolicy } from './policy.ts';
import { isLeaderless, isUnbalanced, topicLeadersOf } from './topic-leaders.ts';

export interface Departure {
  readonly records: MetadataRecord[];
  /** Nothing is left to do; else call again with the image after these records. */
  readonly isComplete: boolean;
}

export interface LeavingBroker {
  readonly brokerId: NodeId;
  readonly cause: string;
  /** It may have lost what it had acknowledged: out of every ELR too (C-2.4). */
  readonly unclean: boolean;
  /** Partitions to change, at most. */
  readonly limit: number;
}

/** The broker goes out of every ISR and leadership; at metadata level 1 the last member of an ISR stays there (C-5.4). */
export function brokerLeaves(
  image: MetadataImage,
  policy: ElectionPolicy,
  { brokerId, cause, unclean, limit }: LeavingBroker,
): Departure {
  const acceptable = acceptableIn(image, { leaving: brokerId });
  const lost = unclean ? { unclean: new Set([brokerId]) } : {};
  return change(image, policy, {
    acceptable,
    cause,
    limit,
    concerns: ({ isr, elr }) => isr.includes(brokerId) || (unclean && elr.includes(brokerId)),
    targetOf: ({ isr }) => ({ isr: isr.filter((id) => id !== brokerId), ...lost }),
  });
}

export interface ReturningBroker {
  readonly brokerId: NodeId;
  readonly cause: string;
  readonly limit: number;
}

/** C-3.6: the broker is unfenced by this operation; partitions without a leader get one where that makes it possible. */
export function brokerReturns(
  image: MetadataImage,
  policy: ElectionPolicy,
  { brokerId, cause, limit }: ReturningBroker,
): MetadataRecord[] {
  return change(image, policy, {
    acceptable: acceptableIn(image, { joining: brokerId }),
    cause,
    limit,
    concernsTopic: (topic) => topicLeadersOf(topic).someLeaderless,
    concerns: (state) => isLeaderless(state) && state.replicas.includes(brokerId),
    targetOf: (state, rules) => (candidates(state, rules).includes(brokerId) ? {} : undefined),
  }).records;
}

export interface FailedDirectories {
  readonly brokerId: NodeId;
  /** Those that are online still. */
  readonly logDirs: readonly Uuid[];
  readonly cause: string;
  readonly limit: number;
}

/** The broker's replicas in other log dirs than these go out of ISRs and leaderships; the rest of the broker stays. */
export function directoriesFailed(
  image: MetadataImage,
  policy: ElectionPolicy,
  { brokerId, logDirs, cause, limit }: FailedDirectories,
): Departure {
  return change(image, policy, {
    acceptable: acceptableIn(image, { failing: { brokerId, logDirs } }),
    cause,
    limit,
    concerns: ({ replicas, directories, isr }) => {
      if (!isr.includes(brokerId)) return false;
      const directory = directories[replicas.indexOf(brokerId)] ?? ZERO_UUID;
      return directory !== ZERO_UUID && !logDirs.includes(directory);
    },
    targetOf: ({ isr }) => ({ isr: isr.filter((id) => id !== brokerId) }),
  });
}

/** C-5.9, C-10.2: a leader for each partition without one, where somebody may lead it; unclean where the topic allows that. */
export function electLeaderless(image: MetadataImage, policy: ElectionPolicy, limit: number): MetadataRecord[] {
  const acceptable = acceptableIn(image);
  return change(image, policy, {
    acceptable,
    cause: 'a partition without a leader was found',
    limit,
    concernsTopic: (topic) => topicLeadersOf(topic).someLeaderless,
    concerns: isLeaderless,
    targetOf: (state, rules) => (candidates(state, rules).some((id) => acceptable(id, state)) ? {} : undefined),
  }).records;
}

/** Nobody else can lead a partition that has no leader. */
function candidates({ replicas, isr, elr }: PartitionState, { uncleanCause }: ChangeRules): readonly NodeId[] {
  return uncleanCause !== undefined ? replicas : isr.length > 0 ? isr : elr;
}

/** C-5.9: leadership goes back to the first replica where that is in the ISR. */
export function electPreferred(image: MetadataImage, policy: ElectionPolicy, limit: number): MetadataRecord[] {
  const acceptable = acceptableIn(image);
  return change(image, policy, {
    acceptable,
    cause: 'leaders are balanced',
    limit,
    election: 'preferred',
    concernsTopic: (topic) => topicLeadersOf(topic).someUnbalanced,
    concerns: isUnbalanced,
    targetOf: (state) => {
      const [first = NO_NODE] = state.replicas;
      return state.isr.includes(first) && acceptable(first, state) ? {} : undefined;
    },
  }).records;
}

interface Wanted {
  readonly acceptable: Acceptable;
  readonly cause: string;
  readonly limit: number;
  /** Not set: unclean where the topic allows it, else online. */
  readonly election?: ElectionKind;
  /** Not set: any may have partitions that are concerned. */
  readonly concernsTopic?: (topic: TopicImage) => boolean;
  /** Asked of every partition: quick. */
  readonly concerns: (state: PartitionState) => boolean;
  /** Of those concerned; undefined: nothing. */
  readonly targetOf: (state: PartitionState, rules: ChangeRules) => PartitionTarget | undefined;
}

/** Records are in order of topics' names and partitions. */
function change(image: MetadataImage, policy: ElectionPolicy, wanted: Wanted): Departure {
  const { concernsTopic, concerns, targetOf, limit } = wanted;
  const hasElr = image.level >= ELR_LEVEL;
  const changes: { readonly topic: string; readonly records: MetadataRecord[] }[] = [];
  for (const topic of image.topics.values()) {
    if (concernsTopic?.(topic) === false) continue;
    const { name, topicId, partitions } = topic;
    let rules: ReturnType<typeof topicRules> | undefined;
    for (let partition = 0; partition < partitions.size; partition++) {
      const state = partitions.get(partition);
      if (state === undefined || !concerns(state)) continue;
      rules ??= topicRules(name, policy, wanted, hasElr);
      const target = targetOf(state, rules);
      const records = target === undefined ? [] : changePartition({ topicId, partition }, state, target, rules);
      if (records.length === 0) continue;
      if (changes.length === limit) return { records: inOrder(changes), isComplete: false };
      changes.push({ topic: name, records });
    }
  }
  return { records: inOrder(changes), isComplete: true };
}

function topicRules(topic: string, policy: ElectionPolicy, wanted: Wanted, hasElr: boolean) {
  const { acceptable, cause } = wanted;
  const uncleanCause = hasElr ? policy.uncleanCause(topic) : undefined;
  const election = wanted.election ?? (uncleanCause === undefined ? 'online' : 'unclean');
  return { acceptable, election, uncleanCause, minIsr: policy.minIsrOf(topic), hasElr, cause };
}

function inOrder(changes: readonly { readonly topic: string; readonly records: MetadataRecord[] }[]): MetadataRecord[] {
  const sorted = changes.toSorted((a, b) => (a.topic < b.topic ? -1 : a.topic > b.topic ? 1 : 0));
  return sorted.flatMap(({ records }) => records);
}
