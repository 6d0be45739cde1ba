// What C-4 and C-5 say of a change of a partition, as properties of the state before, what was asked for, and the state after: written
// from the rules in terms of sets, not from the code. Three replicas at most, so nothing here is quick.
import type { NodeId } from '../../../src/base/ids.ts';
import type { ElectionKind } from '../../../src/controller/decide/election.ts';
import type {
  MetadataRecord,
  PartitionChangeRecord,
  UncleanElectionRecord,
} from '../../../src/gen/kvorum/v1/metadata.ts';
import type { PartitionState } from '../../../src/metadata/image.ts';

/** One operation on a partition that keeps its replicas. */
export interface Asked {
  readonly isr: readonly NodeId[];
  readonly lost: ReadonlySet<NodeId>;
  readonly alive: ReadonlySet<NodeId>;
  readonly minIsr: number;
  readonly election: ElectionKind;
  readonly allowed: boolean;
  readonly hasElr: boolean;
}

/** The first property that does not hold; undefined: all do. */
export function violation(
  before: PartitionState,
  asked: Asked,
  records: readonly MetadataRecord[],
  after: PartitionState,
): string | undefined {
  return (
    formOf(before, records, after) ??
    soundness(asked, after) ??
    leadership(before, asked, unclean(records), after) ??
    eligibility(before, asked, unclean(records), after)
  );
}

function unclean(records: readonly MetadataRecord[]): UncleanElectionRecord | undefined {
  const kind = records.at(-2)?.kind;
  return kind?.$case === 'uncleanElection' ? kind.uncleanElection : undefined;
}

function same(a: readonly NodeId[], b: readonly NodeId[]): boolean {
  return a.length === b.length && a.every((id, i) => id === b[i]);
}

/** Of lists without doubles. */
function sameSet(a: readonly NodeId[], b: readonly NodeId[]): boolean {
  return a.length === b.length && a.every((id) => b.includes(id));
}

/** S-M1, C-4.2: one change, preceded by the record of an unclean election if it is one; only what changes is set. */
function formOf(before: PartitionState, records: readonly MetadataRecord[], after: PartitionState): string | undefined {
  if (records.length === 0) return before === after ? undefined : 'changes without a record';
  const last = records.at(-1)?.kind;
  if (last?.$case !== 'partitionChange' || records.length > 2) return 'is not one change';
  const isUnclean = records.length === 2;
  if (isUnclean && unclean(records) === undefined) return 'is preceded by another record';
  const change = last.partitionChange;
  const setsLeader = change.leader !== undefined;
  if (setsLeader !== (isUnclean || after.leader !== before.leader)) return 'sets the leader without need, or not';
  if (after.partitionEpoch !== before.partitionEpoch + 1) return 'partition epoch';
  if (after.leaderEpoch !== before.leaderEpoch + (setsLeader ? 1 : 0)) return 'leader epoch';
  return unneeded(before, change, isUnclean);
}

function unneeded(before: PartitionState, change: PartitionChangeRecord, isUnclean: boolean): string | undefined {
  const { leader, isr, elr, lastKnownLeader, recovering, replicas, adding, removing, directories } = change;
  if (replicas ?? adding ?? removing ?? directories) return 'touches the assignment';
  if (isr !== undefined && sameSet(isr.replicas, before.isr)) return 'sets the same ISR';
  if (elr !== undefined && sameSet(elr.replicas, before.elr)) return 'sets the same ELR';
  if (lastKnownLeader === before.lastKnownLeader) return 'sets the same last known leader';
  if (recovering === before.recovering) return 'sets the same recovery';
  if ([leader, isr, elr, lastKnownLeader, recovering].every((field) => field === undefined)) return 'changes nothing';
  return leader === before.leader && !isUnclean ? 'sets the same leader' : undefined;
}

/** S-M2, S-M5. */
function soundness({ alive, hasElr }: Asked, after: PartitionState): string | undefined {
  const { replicas, isr, elr, leader, recovering } = after;
  const ids = [...isr, ...elr];
  if (new Set(ids).size !== ids.length) return 'ISR and ELR overlap';
  if (!ids.every((id) => replicas.includes(id))) return 'ISR or ELR beyond the replicas';
  if (leader !== -1 && !isr.includes(leader)) return 'leader outside the ISR';
  if (leader !== -1 && !alive.has(leader)) return 'leader that is not acceptable';
  if (recovering && isr.length > 1) return 'recovers with several members';
  if (!hasElr && (isr.length === 0 || elr.length > 0 || after.lastKnownLeader !== -1)) return 'ELR below its level';
  return undefined;
}

/** S-M4, C-5.2, C-5.3, C-5.6, C-5.7. */
function leadership(
  before: PartitionState,
  asked: Asked,
  uncleanly: UncleanElectionRecord | undefined,
  after: PartitionState,
): string | undefined {
  const { alive, election, allowed, hasElr } = asked;
  const eligible = asked.isr.length > 0 ? new Set(asked.isr) : hasElr ? holders(before, asked) : new Set<NodeId>();
  const clean = before.replicas.filter((id) => eligible.has(id) && alive.has(id));
  if (uncleanly === undefined) {
    const expected =
      election === 'preferred' && clean.includes(before.replicas[0] ?? -1)
        ? before.replicas[0]
        : clean.includes(before.leader)
          ? before.leader
          : (clean[0] ?? -1);
    if (after.leader !== expected) return `a clean election gives ${expected}`;
    const forced = allowed && hasElr && election !== 'preferred' && clean.length === 0;
    const knownLives = eligible.size === 0 && alive.has(before.lastKnownLeader);
    const anybody = election === 'unclean' && alive.size > 0;
    return forced && (knownLives || anybody) ? 'an unclean election is allowed and needed' : undefined;
  }
  if (!allowed || !hasElr || election === 'preferred') return 'unclean though it is not allowed';
  if (clean.length > 0) return 'unclean though a clean election is possible';
  const isLastKnown = eligible.size === 0 && alive.has(before.lastKnownLeader);
  if (!isLastKnown && election !== 'unclean') return 'unclean beyond the last known leader';
  const expected = isLastKnown ? before.lastKnownLeader : before.replicas.find((id) => alive.has(id));
  if (after.leader !== expected) return `an unclean election gives ${expected}`;
  if (!same(after.isr, [after.leader]) || after.elr.length > 0 || !after.recovering)
    return 'state after an unclean one';
  const { leader, oldLeaderEpoch, newLeaderEpoch, oldIsr, oldElr, cause } = uncleanly;
  const told = same([leader, oldLeaderEpoch, newLeaderEpoch], [after.leader, before.leaderEpoch, after.leaderEpoch]);
  return told && same(oldIsr, before.isr) && same(oldElr, before.elr) && cause !== '' ? undefined : 'history is wrong';
}

/** Who has every acknowledged record as far as is known: in sync or eligible until now, and has not lost anything (S-M11). */
function holders({ isr, elr }: PartitionState, { lost }: Asked): Set<NodeId> {
  return new Set([...isr, ...elr].filter((id) => !lost.has(id)));
}

/** C-5.4, C-5.5, C-5.6. */
function eligibility(
  before: PartitionState,
  asked: Asked,
  uncleanly: UncleanElectionRecord | undefined,
  after: PartitionState,
): string | undefined {
  const { isr, elr, leader, lastKnownLeader, recovering } = after;
  const known = leader !== -1 || !asked.hasElr ? -1 : before.leader !== -1 ? before.leader : before.lastKnownLeader;
  if (lastKnownLeader !== known) return `the last known leader is ${known}`;
  if (recovering !== (uncleanly !== undefined || before.recovering)) return 'recovery begins or ends';
  if (uncleanly !== undefined) return undefined;
  const lead = leader === -1 ? [] : [leader];
  const expected = asked.isr.length > 0 ? asked.isr : asked.hasElr ? lead : before.isr;
  if (!sameSet(isr, expected)) return `the ISR is [${[...expected].join()}]`;
  if (!asked.hasElr) return undefined;
  const has = holders(before, asked);
  const others = [...has].filter((id) => !isr.includes(id));
  const eligible = isr.length >= Math.min(asked.minIsr, after.replicas.length) ? [] : others;
  return sameSet(elr, eligible) ? undefined : `the ELR is [${eligible.join()}]`;
}
