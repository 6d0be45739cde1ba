// Check quorum: a leader that a majority no longer fetches from steps down, so that it does not serve stale state.

import { majority } from './commit.ts';
import { setTimer } from './outbox.ts';
import type { Leader, Progress } from './roles.ts';
import type { RaftState } from './state.ts';
import { isOwnId } from './state.ts';
import type { RaftEffect } from './types.ts';

/** Counts a voter's valid fetch. Whether a majority, this leader included, has now been heard of since the last reset. */
export function noteFetch(leader: Leader, voter: Progress): boolean {
  if (voter.fetched) return false;
  voter.fetched = true;
  leader.fetchedVoters++;
  return leader.fetchedVoters >= majority(leader.voters.length) - 1;
}

/** Starts the next period; nothing to check where the voter set is exactly this node (KAFKA-16144). */
export function resetCheckQuorum(state: RaftState, effects: RaftEffect[], leader: Leader): void {
  leader.fetchedVoters = 0;
  for (const voter of leader.voters) voter.fetched = false;
  const alone = leader.voters.length === 1 && leader.voters.every((voter) => isOwnId(state, voter.key.id));
  if (!alone) setTimer(state, effects, 'checkQuorum', Math.floor(state.config.fetchTimeoutMs * 1.5));
}
