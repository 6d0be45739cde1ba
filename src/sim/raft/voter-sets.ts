// Arithmetic of voter sets for checkers and workload, written apart from the core's.
import type { ReplicaKey, Voter, VoterChange } from '../../raft/types.ts';
import type { Ghost } from './ghost.ts';
import { includesReplica, liveVoterSets, sameReplica } from './ghost.ts';

type VoterSet = readonly ReplicaKey[];

/** Members, their disks and where they listen, in any order. */
export function sameVoters(a: VoterSet | undefined, b: VoterSet | undefined): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined || a.length !== b.length) return false;
  return a.every((one) => b.some((other) => sameReplica(one, other) && endpointOf(one) === endpointOf(other)));
}

function endpointOf(voter: ReplicaKey): string {
  return (voter as Partial<Voter>).endpoint ?? '';
}

/** Whether every majority of `a` has a member in common with every majority of `b`. */
export function quorumsIntersect(a: VoterSet, b: VoterSet): boolean {
  const common = a.filter((one) => b.some((other) => sameReplica(one, other))).length;
  const fromCommon = (set: VoterSet): number => Math.max(0, (set.length >>> 1) + 1 - (set.length - common));
  return fromCommon(a) + fromCommon(b) > common;
}

/** one member more or less, or the same members with one endpoint corrected. */
export function isOneStep(from: VoterSet, to: VoterSet): boolean {
  const without = (a: VoterSet, b: VoterSet): VoterSet =>
    a.filter((one) => !b.some((other) => sameReplica(one, other)));
  const [gone, come] = [without(from, to), without(to, from)];
  if (gone.length + come.length > 0) return gone.length + come.length === 1;
  return (
    to.filter((one) => !from.some((other) => sameReplica(one, other) && endpointOf(one) === endpointOf(other)))
      .length <= 1
  );
}

/** The set as the change would have it, were it accepted. */
export function changed(voters: VoterSet, change: VoterChange): VoterSet {
  switch (change.type) {
    case 'add':
      return [...voters, change.voter];
    case 'remove':
      return voters.filter((voter) => !sameReplica(voter, change.replica));
    case 'update':
      return voters.map((voter) => (sameReplica(voter, change.voter) ? change.voter : voter));
  }
}

/** M-8: a majority of the set's identities keep their disks, were those of `furtherLosses` gone too. */
export function isWithinBudget(ghost: Ghost, voters: VoterSet, furtherLosses: VoterSet = []): boolean {
  const isLost = (voter: ReplicaKey): boolean =>
    ghost.lostDisks.has(voter.directoryId) || includesReplica(furtherLosses, voter);
  return voters.filter(isLost).length <= Math.floor((voters.length - 1) / 2);
}

/** M-8: whether this disk may be lost, whichever voter set is in force. */
export function mayLoseDisk(ghost: Ghost, replica: ReplicaKey): boolean {
  return liveVoterSets(ghost).every(
    (voters) => !includesReplica(voters, replica) || isWithinBudget(ghost, voters, [replica]),
  );
}
