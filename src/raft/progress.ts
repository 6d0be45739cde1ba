// What a leader knows of the replicas that fetch from it, kept in step with the voter set in force.
import { majority } from './commit.ts';
import type { Leader, Progress } from './roles.ts';
import type { RaftState } from './state.ts';
import { isVoter } from './state.ts';
import type { ReplicaKey, Voter } from './types.ts';
import { sameReplica } from './vote-grant.ts';

/** Of a replica that has not been heard of in this epoch. */
export function newProgress(key: ReplicaKey): Progress {
  return {
    key,
    endOffset: -1,
    lastFetchMs: -1,
    lastCaughtUpMs: -1,
    leaderEndOffset: -1,
    fetched: false,
    begin: 'due',
  };
}

export function voterOf(leader: Leader, key: ReplicaKey): Progress | undefined {
  for (const voter of leader.voters) {
    if (sameReplica(voter.key, key)) return voter;
  }
  return undefined;
}

/** The observer of that key; a new one takes the place of the same node's other disk. */
export function observerOf(leader: Leader, key: ReplicaKey): Progress {
  const known = leader.observers.get(key.id);
  if (known !== undefined && sameReplica(known.key, key)) return known;
  const progress = newProgress(key);
  leader.observers.set(key.id, progress);
  return progress;
}

/** how many others make a majority; all of it where the leader is no voter (KAFKA-16530). */
export function othersNeeded(state: RaftState, voterCount: number): number {
  return isVoter(state) ? majority(voterCount) - 1 : majority(voterCount);
}

/** Another set is in force: who joins brings its progress along, who leaves is an observer from now on. */
export function regroup(state: RaftState, leader: Leader, voters: readonly Voter[]): void {
  const before = leader.voters;
  leader.voters = voters.map((voter) => voterOf(leader, voter) ?? takeObserver(leader, voter));
  for (const progress of before) {
    const left = !leader.voters.includes(progress);
    if (left && progress.lastFetchMs >= 0 && !leader.observers.has(progress.key.id)) {
      leader.observers.set(progress.key.id, progress);
    }
  }
  leader.endOffsets.length = voters.length;
  leader.othersNeeded = othersNeeded(state, voters.length);
}

function takeObserver(leader: Leader, voter: ReplicaKey): Progress {
  const observer = leader.observers.get(voter.id);
  if (observer === undefined || !sameReplica(observer.key, voter)) return newProgress(voter);
  leader.observers.delete(voter.id);
  return observer;
}
