// Whether to give a vote: a pure function of what matters, apart from how a request gets here.
import type { Epoch, Offset } from '../base/ids.ts';
import type { ReplicaKey, RoleName } from './types.ts';

export interface VoteQuestion {
  readonly preVote: boolean;
  readonly candidate: ReplicaKey;
  /** whether the candidate's log is at least as complete as the voter's. */
  readonly logOk: boolean;
  /** The voter's role in the epoch asked for. */
  readonly role: RoleName;
  /** Whom it voted for in that epoch. */
  readonly votedKey: ReplicaKey | undefined;
  /** Whether it knows a leader of that epoch. */
  readonly leaderKnown: boolean;
  /** Follower: a fetch from this leader has succeeded since it follows it. */
  readonly hasFetched: boolean;
}

/** True may be followed by a durable vote (Vote) or by nothing (PreVote). */
export function grantsVote(question: VoteQuestion): boolean {
  // the log check holds for a repeated grant too.
  if (!question.logOk) return false;
  return question.preVote ? grantsPreVote(question) : grantsRealVote(question);
}

function grantsPreVote({ role, hasFetched }: VoteQuestion): boolean {
  switch (role) {
    case 'leader':
      return false;
    case 'follower':
      return !hasFetched;
    case 'unattached':
    case 'prospective':
    case 'candidate':
    case 'resigned':
      return true;
  }
}

function grantsRealVote({ role, votedKey, leaderKnown, candidate }: VoteQuestion): boolean {
  if (role !== 'unattached' && role !== 'prospective') return false;
  if (votedKey !== undefined) return sameReplica(votedKey, candidate);
  return !leaderKnown;
}

/** (epoch of the last batch, end offset) compared lexicographically: whether the first log is not behind. */
export function isUpToDate(lastEpoch: Epoch, endOffset: Offset, ownLastEpoch: Epoch, ownEndOffset: Offset): boolean {
  return lastEpoch !== ownLastEpoch ? lastEpoch > ownLastEpoch : endOffset >= ownEndOffset;
}

/** the same node on the same disk. */
export function sameReplica(a: ReplicaKey, b: ReplicaKey): boolean {
  return a.id === b.id && a.directoryId === b.directoryId;
}
