// Answering a leader that announces itself or resigns.
import type { Ms } from '../base/ids.ts';
import { ZERO_UUID } from '../base/uuid.ts';
import { becomeFollower } from './following.ts';
import { learnLeader } from './gossip.ts';
import { quorumEpochResponse, reply, setTimer } from './outbox.ts';
import type { RaftState } from './state.ts';
import { isOwnId } from './state.ts';
import type {
  BeginQuorumEpochRequest,
  CallId,
  EndQuorumEpochRequest,
  RaftEffect,
  RaftErrorCode,
  ReplicaKey,
} from './types.ts';
import { becomeUnattached } from './unattached.ts';
import { sameReplica } from './vote-grant.ts';

export function onBeginQuorumEpochRequest(
  state: RaftState,
  effects: RaftEffect[],
  call: CallId,
  request: BeginQuorumEpochRequest,
): void {
  let error = validate(state, request);
  if (error === 'NONE') {
    const { epoch, leaderKey, leaderEndpoint } = request;
    learnLeader(state, effects, epoch, leaderKey.id, leaderEndpoint);
    // the leader that this node was about to give up is there.: a follower's fetch timer stays as it is.
    if (state.role.name === 'prospective' && state.leaderId === leaderKey.id) {
      becomeFollower(state, effects, epoch, leaderKey.id);
    }
    // meant for this node on another disk. What it says of the leader is true all the same.
    if (!sameReplica(request.voterKey, state.config.replica)) error = 'INVALID_VOTER_KEY';
  }
  reply(state, effects, call, quorumEpochResponse(state, error));
}

export function onEndQuorumEpochRequest(
  state: RaftState,
  effects: RaftEffect[],
  call: CallId,
  request: EndQuorumEpochRequest,
): void {
  const error = validate(state, request);
  if (error === 'NONE') {
    const { epoch, leaderKey, preferredSuccessors } = request;
    // that epoch's leader is no longer one to follow.
    if (epoch > state.epoch) becomeUnattached(state, effects, epoch);
    const { role } = state;
    if (role.name === 'follower' && state.leaderId === leaderKey.id) {
      // It said so itself: no reason left to protect it by refusing pre-votes.
      role.hasFetched = false;
      role.leaderResigned = true;
      setTimer(state, effects, 'fetch', successionDelayMs(state, preferredSuccessors));
    }
  }
  reply(state, effects, call, quorumEpochResponse(state, error));
}

function validate(state: RaftState, request: BeginQuorumEpochRequest | EndQuorumEpochRequest): RaftErrorCode {
  const { clusterId, epoch, leaderKey } = request;
  if (clusterId !== state.config.clusterId) return 'INCONSISTENT_CLUSTER_ID';
  if (epoch < 1 || leaderKey.id < 0 || leaderKey.directoryId === ZERO_UUID) return 'INVALID_REQUEST';
  if (isOwnId(state, leaderKey.id)) return 'INVALID_REQUEST';
  return epoch < state.epoch ? 'FENCED_LEADER_EPOCH' : 'NONE';
}

/** the first successor at once, each further one after twice the time, the last after a whole election timeout. */
function successionDelayMs(state: RaftState, successors: readonly ReplicaKey[]): Ms {
  const position = successors.findIndex((key) => sameReplica(key, state.config.replica));
  if (position === 0) return 0;
  const longest = state.config.electionTimeoutMs;
  if (position < 0) return longest;
  return Math.ceil(longest / 2 ** (successors.length - 1 - position));
}
