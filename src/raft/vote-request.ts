// Answering vote requests. A vote leaves only when it is durable; a pre-vote changes nothing.

import { NO_NODE } from '../base/ids.ts';
import { ZERO_UUID } from '../base/uuid.ts';
import { persistQuorumState, reply, setElectionTimer } from './outbox.ts';
import type { RaftState } from './state.ts';
import { isOwnId, isVoter, knownLeader } from './state.ts';
import type { CallId, RaftEffect, RaftErrorCode, VoteRequest, VoteResponse } from './types.ts';
import { becomeUnattached } from './unattached.ts';
import { grantsVote, isUpToDate, sameReplica } from './vote-grant.ts';

export function onVoteRequest(state: RaftState, effects: RaftEffect[], call: CallId, request: VoteRequest): void {
  const error = validate(state, request);
  if (error !== 'NONE') {
    reply(state, effects, call, voteResponse(state, error, false));
    return;
  }
  // vote and pre-vote alike.
  if (request.epoch > state.epoch) becomeUnattached(state, effects, request.epoch);
  if (!isAskedForOwnVote(state, request)) {
    reply(state, effects, call, voteResponse(state, 'INVALID_VOTER_KEY', false));
    return;
  }
  const granted = grantsVote({
    preVote: request.preVote,
    candidate: request.candidateKey,
    logOk: isUpToDate(request.lastEpoch, request.logEndOffset, state.log.lastEpoch, state.log.endOffset),
    role: state.role.name,
    votedKey: state.votedKey,
    leaderKnown: state.leaderId !== NO_NODE,
    hasFetched: state.role.name === 'follower' && state.role.hasFetched,
  });
  if (granted && !request.preVote) {
    // written before the reply, then a new election timeout.
    if (state.votedKey === undefined) {
      state.votedKey = request.candidateKey;
      persistQuorumState(state, effects);
    }
    setElectionTimer(state, effects);
  }
  reply(state, effects, call, voteResponse(state, 'NONE', granted));
}

/** up to the epoch. A first pre-vote is in epoch 0. */
function validate(state: RaftState, request: VoteRequest): RaftErrorCode {
  const { clusterId, epoch, lastEpoch, logEndOffset, preVote } = request;
  if (clusterId !== state.config.clusterId) return 'INCONSISTENT_CLUSTER_ID';
  if (lastEpoch < 0 || logEndOffset < 0) return 'INVALID_REQUEST';
  if (preVote ? epoch < 0 || lastEpoch > epoch : epoch <= 0 || lastEpoch >= epoch) return 'INVALID_REQUEST';
  return epoch < state.epoch ? 'FENCED_LEADER_EPOCH' : 'NONE';
}

/**
 * the voter asked is this node on this disk, and it is one. Only a first election, by a candidate
 * with an empty log, may leave the disk open; whoever has a log refuses that by.
 */
function isAskedForOwnVote(state: RaftState, { voterKey, lastEpoch, logEndOffset }: VoteRequest): boolean {
  if (!isVoter(state)) return false;
  if (sameReplica(voterKey, state.config.replica)) return true;
  return isOwnId(state, voterKey.id) && voterKey.directoryId === ZERO_UUID && lastEpoch === 0 && logEndOffset === 0;
}

function voteResponse(state: RaftState, error: RaftErrorCode, granted: boolean): VoteResponse {
  return {
    type: 'vote',
    error,
    epoch: state.epoch,
    leaderId: knownLeader(state),
    granted,
    voter: state.config.replica,
    logEmpty: state.log.isEmpty,
  };
}
