// What every message says of epoch and leader, taken in before anything else is done with it; and: one leader
// for an epoch.
import type { Epoch, NodeId } from '../base/ids.ts';
import { NO_NODE } from '../base/ids.ts';
import { becomeFollower } from './following.ts';
import { fatal, noticeOnce } from './outbox.ts';
import type { RaftState } from './state.ts';
import { isOwnId, isReachable } from './state.ts';
import type { RaftEffect, RaftResponse } from './types.ts';
import { becomeUnattached } from './unattached.ts';

/**
 * `usable`: of this epoch, go on with the payload. `unusable`: drop it, and treat the call as failed.
 * `superseded`: the role has changed, every call of the old period is forgotten (M-6).
 */
export type Hearing = 'usable' | 'unusable' | 'superseded';

/** for a response. */
export function hearResponse(state: RaftState, effects: RaftEffect[], from: NodeId, response: RaftResponse): Hearing {
  if (response.error === 'INCONSISTENT_CLUSTER_ID') {
    const action =
      'one of the two is formatted for the wrong cluster, or controller.quorum.voters names a wrong address';
    const fields = { nodeId: from, clusterId: state.config.clusterId, action };
    noticeOnce(state, effects, 'error', 'inconsistent-cluster-id', fields, from);
    return 'unusable';
  }
  if (response.epoch < state.epoch) return 'unusable';
  return learnLeader(state, effects, response.epoch, response.leaderId, response.leaderEndpoint);
}

/** Takes in that `leaderId` (NO_NODE: nobody known) leads `epoch`, which is not below the own one, and where it listens. */
export function learnLeader(
  state: RaftState,
  effects: RaftEffect[],
  epoch: Epoch,
  leaderId: NodeId,
  endpoint = '',
): Hearing {
  if (leaderId !== NO_NODE && endpoint !== '' && !isReachable(state, leaderId)) {
    state.toldLeader = { id: leaderId, endpoint };
  }
  if (epoch > state.epoch) {
    raiseEpoch(state, effects, epoch, leaderId);
    return 'superseded';
  }
  if (leaderId === NO_NODE) return 'usable';
  // this node was the leader once, before a restart or on another disk.
  if (isOwnId(state, leaderId) && isWithoutLeadership(state)) return 'unusable';
  // or one is known, and where it is was not.
  if (state.leaderId === NO_NODE || (state.leaderId === leaderId && state.role.name === 'unattached')) {
    if (!isReachable(state, leaderId)) return 'usable';
    becomeFollower(state, effects, epoch, leaderId);
    return 'superseded';
  }
  if (state.leaderId !== leaderId) fatal(`two leaders of epoch ${epoch}: ${state.leaderId} and ${leaderId}`);
  return 'usable';
}

function raiseEpoch(state: RaftState, effects: RaftEffect[], epoch: Epoch, leaderId: NodeId): void {
  if (isOwnId(state, leaderId)) becomeUnattached(state, effects, epoch);
  else if (isReachable(state, leaderId)) becomeFollower(state, effects, epoch, leaderId);
  else becomeUnattached(state, effects, epoch, leaderId);
}

function isWithoutLeadership(state: RaftState): boolean {
  const { name } = state.role;
  return name === 'resigned' || name === 'prospective' || name === 'unattached' || name === 'candidate';
}
