// Giving leadership up: at once, in the same epoch, and never again in it; the furthest voter should follow.
import { call, setElectionTimer } from './outbox.ts';
import type { Leader } from './roles.ts';
import type { RaftState } from './state.ts';
import { isOwnId } from './state.ts';
import { enter } from './transition.ts';
import type { RaftEffect, ReplicaKey } from './types.ts';

export function becomeResigned(state: RaftState, effects: RaftEffect[], leader: Leader): void {
  const { clusterId, replica } = state.config;
  enter(state, effects, { name: 'resigned' }, state.epoch, state.leaderId);
  setElectionTimer(state, effects);
  const others = leader.voters.filter((voter) => !isOwnId(state, voter.key.id));
  const preferredSuccessors: ReplicaKey[] = others.toSorted((a, b) => b.endOffset - a.endOffset).map(({ key }) => key);
  for (const { key } of others) {
    call(
      state,
      effects,
      key.id,
      { type: 'endQuorumEpoch', clusterId, leaderKey: replica, epoch: state.epoch, preferredSuccessors },
      false,
    );
  }
}
