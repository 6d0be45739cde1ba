// Check quorum: a leader that a majority no longer fetches from steps down, so that it does not serve stale state.

import { cancelTimer, setTimer } from './outbox.ts';
import type { Leader, Progress } from './roles.ts';
import type { RaftState } from './state.ts';
import { isOnlyVoter } from './state.ts';
import type { RaftEffect } from './types.ts';

/** Counts a voter's valid Fetch or FetchSnapshot. Whether a majority has now been heard of since the last reset. */
export function noteFetch(leader: Leader, voter: Progress): boolean {
  if (voter.fetched) return false;
  voter.fetched = true;
  leader.fetchedVoters++;
  return leader.fetchedVoters >= leader.othersNeeded;
}

/** Starts the next period; nothing to check where the voter set is exactly this node (KAFKA-16144). */
export function resetCheckQuorum(state: RaftState, effects: RaftEffect[], leader: Leader): void {
  leader.fetchedVoters = 0;
  for (const voter of leader.voters) voter.fetched = false;
  if (isOnlyVoter(state)) cancelTimer(state, effects, 'checkQuorum');
  else setTimer(state, effects, 'checkQuorum', Math.floor(state.config.fetchTimeoutMs * 1.5));
}
