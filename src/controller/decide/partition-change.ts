// The one way in which a partition changes. What an operation wants of it goes through a fixed order of steps (C-5): complete the
// reassignment (C-8.2), ELR (C-5.5), election (C-5.3), epoch bump (C-4.2), ISR (C-5.4), last known leader (C-5.6).
import { assert } from '../../base/assert.ts';
import type { NodeId } from '../../base/ids.ts';
import { NO_NODE } from '../../base/ids.ts';
import type { Uuid } from '../../base/uuid.ts';
import type { MetadataRecord, PartitionChangeRecord } from '../../gen/kvorum/v1/metadata.ts';
import { effectiveMinIsr } from '../../metadata/effective-min-isr.ts';
import type { PartitionState } from '../../metadata/image.ts';
import { metadataRecord } from '../../metadata/record.ts';
import type { ElectionRules } from './election.ts';
import { elect } from './election.ts';

/** What an operation wants of a partition; what it does not name stays, as far as the rules let it. */
export interface PartitionTarget {
  readonly isr?: readonly NodeId[];
  /** `directories`, one per replica, comes with it. */
  readonly replicas?: readonly NodeId[];
  readonly directories?: readonly Uuid[];
  readonly adding?: readonly NodeId[];
  readonly removing?: readonly NodeId[];
  readonly recovering?: boolean;
  /** Lost acknowledged records perhaps: never in the ELR that results (C-2.4). Not in `isr` either. */
  readonly unclean?: ReadonlySet<NodeId>;
}

/** What a change goes by besides the partition itself. */
export interface ChangeRules extends ElectionRules {
  /** min.insync.replicas of the topic; capped here by {@link effectiveMinIsr}. */
  readonly minIsr: number;
  /** The metadata level has ELRs. Without, the ISR is never empty (C-5.4), and no election is unclean. */
  readonly hasElr: boolean;
}

/** A partition after a change. Both epochs and `leaderOffset` come of its record. */
export interface NextPartition extends Omit<PartitionState, 'leaderEpoch' | 'partitionEpoch' | 'leaderOffset'> {
  /** The change sets the leader, perhaps to the same one, and so raises the leader epoch (C-4.2). */
  readonly setsLeader: boolean;
  /** The leader may lack acknowledged records (C-5.7). */
  readonly unclean: boolean;
}

/** The partition after the operation; equal to the present one where nothing changes. */
export function nextPartition(state: PartitionState, target: PartitionTarget, rules: ChangeRules): NextPartition {
  const { hasElr, minIsr } = rules;
  const placed = completeReassignment(state, target, minIsr);
  const { replicas, directories } = placed;
  const elr = hasElr ? targetElr(state, target, placed, minIsr) : [];
  const allowed = hasElr ? rules : { ...rules, uncleanCause: undefined };
  const { leader, unclean } = elect(state, { replicas, directories, isr: placed.isr, elr }, allowed);
  const takesOver = leader !== NO_NODE && (unclean || !placed.isr.includes(leader));
  const isr = takesOver ? [leader] : placed.isr;
  const noElr = unclean || isr.length >= effectiveMinIsr(minIsr, placed);
  const known = leader !== NO_NODE ? NO_NODE : state.leader !== NO_NODE ? state.leader : state.lastKnownLeader;
  // Field by field, here and below: a broker that is fenced changes thousands of partitions, and spreads take most of the time then.
  return {
    replicas,
    directories,
    adding: placed.adding,
    removing: placed.removing,
    leader,
    setsLeader: unclean || leader !== state.leader || state.replicas.some((id) => !replicas.includes(id)),
    unclean,
    isr: isr.length === 0 && !hasElr ? state.isr : sameMembers(isr, state.isr) ? state.isr : isr,
    elr: noElr ? [] : elr.filter((id) => id !== leader),
    lastKnownLeader: hasElr && replicas.includes(known) ? known : NO_NODE,
    recovering: unclean || (target.recovering ?? state.recovering),
  };
}

type Placement = Pick<PartitionState, 'replicas' | 'directories' | 'adding' | 'removing' | 'isr'>;

/**
 * C-8.2: what was to be removed goes when everybody who is to be added is in sync, and those who stay are enough; all of them,
 * where they are fewer than before (KAFKA-15665).
 */
function completeReassignment(state: PartitionState, target: PartitionTarget, minIsr: number): Placement {
  const { replicas = state.replicas, directories = state.directories } = target;
  const { adding = state.adding, removing = state.removing } = target;
  assert(directories.length === replicas.length, 'a partition is given other replicas without their directories');
  const isr = replicas.filter((id) => (target.isr ?? state.isr).includes(id));
  const underWay = { replicas, directories, adding, removing, isr };
  if (adding.length + removing.length === 0) return underWay;
  const stays = (id: NodeId): boolean => !removing.includes(id);
  const goal = replicas.filter(stays);
  const inSync = isr.filter(stays);
  const isSmaller = goal.length < replicas.length - adding.length;
  const enough = isSmaller ? goal.length : effectiveMinIsr(minIsr, { replicas: goal, adding: [] });
  if (inSync.length < enough || adding.some((id) => stays(id) && !isr.includes(id))) return underWay;
  return {
    replicas: goal,
    directories: directories.filter((_, i) => stays(replicas[i] ?? NO_NODE)),
    adding: [],
    removing: [],
    isr: inSync,
  };
}

/** C-5.5: below min.insync.replicas nothing is acknowledged, so that whoever was in sync until then has everything. */
function targetElr(
  state: PartitionState,
  { unclean }: PartitionTarget,
  placed: Placement,
  minIsr: number,
): readonly NodeId[] {
  const { replicas, isr } = placed;
  if (isr.length >= effectiveMinIsr(minIsr, placed)) return [];
  const wasEligible = (id: NodeId): boolean => state.elr.includes(id) || state.isr.includes(id);
  // Of the only replica nobody has more, whatever it lost: without it the partition would be gone for good.
  const isOut = (id: NodeId): boolean => isr.includes(id) || (replicas.length > 1 && unclean?.has(id) === true);
  return replicas.filter((id) => wasEligible(id) && !isOut(id));
}

/** Where a partition is, for its records. */
export interface PartitionKey {
  readonly topicId: Uuid;
  readonly partition: number;
}

/**
 * The records of an operation: none if nothing changes, else the PartitionChangeRecord with what changes, and before it the
 * UncleanElectionRecord of an unclean election (C-5.7).
 */
export function changePartition(
  at: PartitionKey,
  state: PartitionState,
  target: PartitionTarget,
  rules: ChangeRules & { readonly cause: string },
): MetadataRecord[] {
  const next = nextPartition(state, target, rules);
  const fields = changedFields(state, next);
  if (Object.values(fields).every((field) => field === undefined)) return [];
  const change = metadataRecord({
    $case: 'partitionChange',
    partitionChange: { topicId: at.topicId, partition: at.partition, cause: rules.cause, ...fields },
  });
  if (!next.unclean) return [change];
  const uncleanElection = {
    topicId: at.topicId,
    partition: at.partition,
    leader: next.leader,
    oldLeaderEpoch: state.leaderEpoch,
    newLeaderEpoch: state.leaderEpoch + 1,
    oldIsr: [...state.isr],
    oldElr: [...state.elr],
    cause: rules.uncleanCause ?? '',
  };
  return [metadataRecord({ $case: 'uncleanElection', uncleanElection }), change];
}

type Fields = Omit<PartitionChangeRecord, 'topicId' | 'partition' | 'cause'>;

function changedFields(state: PartitionState, next: NextPartition): Fields {
  const list = (is: readonly NodeId[], was: readonly NodeId[]) =>
    sameOrder(is, was) ? undefined : { replicas: [...is] };
  const replicas = list(next.replicas, state.replicas);
  const moved = replicas !== undefined || !sameOrder(next.directories, state.directories);
  return {
    leader: next.setsLeader ? next.leader : undefined,
    isr: list(next.isr, state.isr),
    replicas,
    adding: list(next.adding, state.adding),
    removing: list(next.removing, state.removing),
    elr: sameMembers(next.elr, state.elr) ? undefined : { replicas: [...next.elr] },
    lastKnownLeader: next.lastKnownLeader === state.lastKnownLeader ? undefined : next.lastKnownLeader,
    recovering: next.recovering === state.recovering ? undefined : next.recovering,
    directories: moved ? { directories: [...next.directories] } : undefined,
  };
}

function sameOrder<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && a.every((value, i) => value === b[i]);
}

/** Of lists without doubles. */
function sameMembers(a: readonly NodeId[], b: readonly NodeId[]): boolean {
  return a.length === b.length && a.every((id) => b.includes(id));
}
