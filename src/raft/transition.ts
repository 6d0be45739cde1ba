// Every change of role passes through here: checked against the table, calls of the old period forgotten,
// parked fetches failed, the claim renounced, timers of the old role cancelled, the role announced.
import type { Epoch, NodeId } from '../base/ids.ts';
import { cancelTimer, fatal, fetchError, persistQuorumState, reply } from './outbox.ts';
import type { Role } from './roles.ts';
import { isAllowedTransition } from './roles.ts';
import type { RaftState } from './state.ts';
import { knownLeader } from './state.ts';
import type { RaftEffect, ReplicaKey } from './types.ts';

/**
 * Enters `role` in `epoch` with that leader. A higher epoch clears the vote, nothing else does; `vote` is one given in
 * it at once.
 */
export function enter(
  state: RaftState,
  effects: RaftEffect[],
  role: Role,
  epoch: Epoch,
  leaderId: NodeId,
  vote?: ReplicaKey,
): void {
  const from = state.role;
  if (!isAllowedTransition(from.name, role.name, state.epoch, epoch)) {
    fatal(`no transition from ${from.name} in epoch ${state.epoch} to ${role.name} in epoch ${epoch}`);
  }
  if (from.name === 'leader' && from.claimed) effects.push({ type: 'renounce', epoch: state.epoch });
  if (epoch > state.epoch) state.votedKey = vote;
  // A candidate's vote for itself, before it is written.
  if (role.name === 'candidate') state.votedKey = state.config.replica;
  state.role = role;
  state.epoch = epoch;
  state.leaderId = leaderId;
  // all but Prospective and Resigned. A leader has written its leadership before it enters.
  if (role.name === 'unattached' || role.name === 'candidate' || role.name === 'follower') {
    persistQuorumState(state, effects);
  }
  state.calls.clear();
  // KAFKA-10677: whoever waits for a leader that is none any more must not wait on. After the write: the answer names the new epoch.
  if (from.name === 'leader') {
    for (const parked of from.parked) reply(state, effects, parked.call, fetchError(state, 'NOT_LEADER_OR_FOLLOWER'));
  }
  cancelTimer(state, effects, 'fetch');
  cancelTimer(state, effects, 'retry');
  cancelTimer(state, effects, 'checkQuorum');
  cancelTimer(state, effects, 'beginQuorumEpoch');
  cancelTimer(state, effects, 'parkedFetch');
  announce(state, effects);
}

/** Tells the driver what this node is now. */
export function announce(state: RaftState, effects: RaftEffect[]): void {
  const leaderId = knownLeader(state);
  const role = { type: 'role', role: state.role.name, epoch: state.epoch, leaderId } as const;
  const { toldLeader } = state;
  effects.push(toldLeader?.id === leaderId ? { ...role, leaderEndpoint: toldLeader.endpoint } : role);
}
