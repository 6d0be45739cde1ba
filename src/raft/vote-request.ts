// Answering vote requests. A vote leaves only when it is durable; a pre-vote changes nothing.

import { NO_NODE } from '../base/ids.ts';
import { ZERO_UUID } from '../base/uuid.ts';
import { askAgain } from './election.ts';
import { giveTurnAway } from './following.ts';
import { leaderHint, persistQuorumState, reply } from './outbox.ts';
import type { RaftState } from './state.ts';
import { isOwnId, isSelf, isVoter } from './state.ts';
import type { CallId, RaftEffect, RaftErrorCode, VoteRequest, VoteResponse } from './types.ts';
import { becomeUnattached, waitForElection } from './unattached.ts';
import { grantsVote, isUpToDate } from './vote-grant.ts';

export function onVoteRequest(state: RaftState, effects: RaftEffect[], call: CallId, request: VoteRequest): void {
  const error = validate(state, request);
  if (error !== 'NONE') {
    reply(state, effects, call, voteResponse(state, error, false));
    return;
  }
  const { preVote, candidateKey } = request;
  const asked = isAskedForOwnVote(state, request);
  const logOk = isUpToDate(request.lastEpoch, request.logEndOffset, state.log.lastEpoch, state.log.endOffset);
  if (request.epoch > state.epoch) {
    // vote and pre-vote alike. In a new epoch nobody has this vote yet: epoch and vote are one write.
    const vote = asked && logOk && !preVote ? candidateKey : undefined;
    becomeUnattached(state, effects, request.epoch, NO_NODE, vote);
  }
  if (!asked) {
    reply(state, effects, call, voteResponse(state, 'INVALID_VOTER_KEY', false));
    return;
  }
  const granted = grantsVote({
    preVote,
    candidate: candidateKey,
    logOk,
    role: state.role.name,
    votedKey: state.votedKey,
    leaderKnown: state.leaderId !== NO_NODE,
    hasFetched: state.role.name === 'follower' && state.role.hasFetched,
  });
  if (granted && !preVote) {
    // written before the reply, then a new election timeout.
    if (state.votedKey === undefined) {
      state.votedKey = candidateKey;
      persistQuorumState(state, effects);
    }
    waitForElection(state, effects);
  }
  if (granted && preVote) letGoFirst(state, effects, request);
  reply(state, effects, call, voteResponse(state, 'NONE', granted));
  // Whoever asks for pre-votes follows nobody any more: what it refused for its leader's sake it would grant now.
  if (!granted && state.role.name === 'prospective') askAgain(state, effects, state.role, candidateKey.id);
}

/** a pre-vote promises nothing. But who asks too does not stand at the same time; the further log goes first, then the lower id. */
function letGoFirst(
  state: RaftState,
  effects: RaftEffect[],
  { candidateKey, lastEpoch, logEndOffset }: VoteRequest,
): void {
  const { role, log, config } = state;
  if (role.name === 'follower') giveTurnAway(state, effects, role);
  if (role.name !== 'prospective') return;
  const isEven = isUpToDate(log.lastEpoch, log.endOffset, lastEpoch, logEndOffset);
  if (!isEven || candidateKey.id < config.replica.id) role.yields = true;
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
 * the voter asked is this node on this disk. Whether it is one the candidate's log says: this one may
 * not have the record that added it yet, and without its vote nobody could bring it. Only a first election, by a candidate
 * with an empty log among configured voters, may leave the disk open; whoever has a log refuses that by.
 */
function isAskedForOwnVote(state: RaftState, { voterKey, lastEpoch, logEndOffset }: VoteRequest): boolean {
  if (isSelf(state, voterKey)) return true;
  if (!isOwnId(state, voterKey.id) || voterKey.directoryId !== ZERO_UUID) return false;
  return isVoter(state) && lastEpoch === 0 && logEndOffset === 0;
}

function voteResponse(state: RaftState, error: RaftErrorCode, granted: boolean): VoteResponse {
  return {
    type: 'vote',
    error,
    epoch: state.epoch,
    ...leaderHint(state),
    granted,
    voter: state.config.replica,
    logEmpty: state.log.isEmpty,
  };
}
