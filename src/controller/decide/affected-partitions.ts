// What happens to partitions when a broker leaves, returns or loses log dirs (C-3.3, C-3.4, C-3.6, C-2.4), and the periodic
// elections (C-5.9, C-10.2). Each call looks at every partition, which is cheap, and changes at most `limit` of them.
import type { NodeId } from '../../base/ids.ts';
import { NO_NODE } from '../../base/ids.ts';
import type { Uuid } from '../../base/uuid.ts';
import { ZERO_UUID } from '../../base/uuid.ts';
import type { MetadataRecord } from '../../gen/kvorum/v1/metadata.ts';
import type { MetadataImage, PartitionState } from '../../metadata/image.ts';
import { ELR_LEVEL } from '../../metadata/level.ts';
import type { Acceptable } from './acceptable.ts';
import { acceptableIn } from './acceptable.ts';
import type { ElectionKind } from './election.ts';
import type { PartitionTarget } from './partition-change.ts';
import { changePartition } from './partition-change.ts';
import type { ElectionPolicy } from './policy.ts';

/** Brokers that are being moved out of their partitions in several batches: nobody elects them meanwhile. */
interface Leaving {
  readonly leaving?: ReadonlySet<NodeId> | undefined;
}

export interface Departure {
  readonly records: MetadataRecord[];
  /** Nothing is left to do; else call again with the image after these records. */
  readonly isComplete: boolean;
}

export interface LeavingBroker extends Leaving {
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
  { brokerId, cause, unclean, limit, leaving }: LeavingBroker,
): Departure {
  const gone = new Set([brokerId]);
  const acceptable = acceptableIn(image, { leaving: new Set([brokerId, ...(leaving ?? [])]) });
  return change(image, policy, { acceptable, cause, limit }, (state) => {
    if (!state.isr.includes(brokerId) && !(unclean && state.elr.includes(brokerId))) return undefined;
    const isr = state.isr.filter((id) => id !== brokerId);
    return unclean ? { isr, unclean: gone } : { isr };
  });
}

export interface ReturningBroker extends Leaving {
  readonly brokerId: NodeId;
  readonly cause: string;
  readonly limit: number;
}

/** C-3.6: the broker is unfenced by this operation; partitions without a leader get one where that makes it possible. */
export function brokerReturns(
  image: MetadataImage,
  policy: ElectionPolicy,
  { brokerId, cause, limit, leaving }: ReturningBroker,
): MetadataRecord[] {
  const acceptable = acceptableIn(image, { joining: brokerId, leaving });
  const { records } = change(image, policy, { acceptable, cause, limit }, ({ leader, replicas }) =>
    leader === NO_NODE && replicas.includes(brokerId) ? {} : undefined,
  );
  return records;
}

export interface FailedDirectories extends Leaving {
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
  { brokerId, logDirs, cause, limit, leaving }: FailedDirectories,
): Departure {
  const acceptable = acceptableIn(image, { failing: { brokerId, logDirs }, leaving });
  return change(image, policy, { acceptable, cause, limit }, ({ replicas, directories, isr }) => {
    if (!isr.includes(brokerId)) return undefined;
    const directory = directories[replicas.indexOf(brokerId)];
    if (directory === undefined || directory === ZERO_UUID || logDirs.includes(directory)) return undefined;
    return { isr: isr.filter((id) => id !== brokerId) };
  });
}

/** C-5.9, C-10.2: a leader for each partition without one, where somebody may lead it; unclean where the topic allows that. */
export function electLeaderless(
  image: MetadataImage,
  policy: ElectionPolicy,
  limit: number,
  { leaving }: Leaving = {},
): MetadataRecord[] {
  const how = { acceptable: acceptableIn(image, { leaving }), cause: 'a partition without a leader was found', limit };
  return change(image, policy, how, ({ leader }) => (leader === NO_NODE ? {} : undefined)).records;
}

/** C-5.9: leadership goes back to the first replica where that is in the ISR. */
export function electPreferred(
  image: MetadataImage,
  policy: ElectionPolicy,
  limit: number,
  { leaving }: Leaving = {},
): MetadataRecord[] {
  const acceptable = acceptableIn(image, { leaving });
  const how = { acceptable, cause: 'leaders are balanced', limit, election: 'preferred' } as const;
  return change(image, policy, how, (state) => {
    const [first = NO_NODE] = state.replicas;
    const isMovable = state.leader !== first && state.leader !== NO_NODE && state.isr.includes(first);
    return isMovable && acceptable(first, state) ? {} : undefined;
  }).records;
}

interface How {
  readonly acceptable: Acceptable;
  readonly cause: string;
  readonly limit: number;
  /** Not set: unclean where the topic allows it, else online. */
  readonly election?: ElectionKind;
}

/** `targetOf` undefined: the partition is not concerned. Records are in order of topics' names and partitions. */
function change(
  image: MetadataImage,
  policy: ElectionPolicy,
  { acceptable, cause, limit, election }: How,
  targetOf: (state: PartitionState) => PartitionTarget | undefined,
): Departure {
  const hasElr = image.level >= ELR_LEVEL;
  const changes: { readonly topic: string; readonly records: MetadataRecord[] }[] = [];
  for (const { name, topicId, partitions } of image.topics.values()) {
    for (let partition = 0; partition < partitions.size; partition++) {
      const state = partitions.get(partition);
      const target = state === undefined ? undefined : targetOf(state);
      if (state === undefined || target === undefined) continue;
      const uncleanCause = hasElr ? policy.uncleanCause(name) : undefined;
      const kind = election ?? (uncleanCause === undefined ? 'online' : 'unclean');
      const rules = { acceptable, election: kind, uncleanCause, minIsr: policy.minIsrOf(name), hasElr, cause };
      const records = changePartition({ topicId, partition }, state, target, rules);
      if (records.length === 0) continue;
      if (changes.length === limit) return { records: inOrder(changes), isComplete: false };
      changes.push({ topic: name, records });
    }
  }
  return { records: inOrder(changes), isComplete: true };
}

function inOrder(changes: readonly { readonly topic: string; readonly records: MetadataRecord[] }[]): MetadataRecord[] {
  const sorted = changes.toSorted((a, b) => (a.topic < b.topic ? -1 : a.topic > b.topic ? 1 : 0));
  return sorted.flatMap(({ records }) => records);
}
