// Giving leadership up: at once, in the same epoch, and never again in it; the furthest voter should follow.
import { call, cancelTimer, retryLater, setElectionTimer } from './outbox.ts';
import type { Leader } from './roles.ts';
import type { RaftState } from './state.ts';
import { isElectable, isOwnId, isVoter } from './state.ts';
import { enter } from './transition.ts';
import type { RaftEffect, ReplicaKey } from './types.ts';

export function becomeResigned(state: RaftState, effects: RaftEffect[], leader: Leader): void {
  enter(state, effects, { name: 'resigned' }, state.epoch, state.leaderId);
  const successors = leader.voters.toSorted((a, b) => b.endOffset - a.endOffset).map(({ key }) => key);
  beginResigned(state, effects, successors);
}

/** the set without this leader is committed. */
export function resignIfRemoved(state: RaftState, effects: RaftEffect[], leader: Leader): void {
  if (state.log.votersOffset < state.highWatermark && !isVoter(state)) becomeResigned(state, effects, leader);
}

/**
 * Also after a restart: whoever follows this node still need not wait for a fetch timeout, since it will not lead this epoch
 * again. Looks for the next leader; who may be elected begins a new epoch if none turns up.
 */
export function beginResigned(state: RaftState, effects: RaftEffect[], successors: readonly ReplicaKey[]): void {
  if (isElectable(state)) setElectionTimer(state, effects);
  else cancelTimer(state, effects, 'election');
  retryLater(state, effects);
  const { clusterId, replica: leaderKey } = state.config;
  const preferredSuccessors = successors.filter(({ id }) => !isOwnId(state, id));
  for (const { id } of preferredSuccessors) {
    const message = { type: 'endQuorumEpoch', clusterId, leaderKey, epoch: state.epoch, preferredSuccessors } as const;
    call(state, effects, id, message, false);
  }
}
