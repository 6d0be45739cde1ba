// From pre-vote to leadership, the candidate's side and the first election (R-0.3a).

import type { NodeId } from '../base/ids.ts';
import { NO_NODE } from '../base/ids.ts';
import { isUuid, ZERO_UUID } from '../base/uuid.ts';
import { becomeFollower } from './following.ts';
import { becomeLeader } from './leader.ts';
import { call, noticeOnce, persistQuorumState, retryLater, setElectionTimer, setTimer } from './outbox.ts';
import type { Ballot, Candidate, Prospective } from './roles.ts';
import type { RaftState } from './state.ts';
import { isElectable, isOwnId, isReachable } from './state.ts';
import { ballotOf, newTally, ownBallot, tallyResult } from './tally.ts';
import { enter } from './transition.ts';
import type { RaftEffect, VoteResponse } from './types.ts';
import { becomeUnattached, discoverLeader } from './unattached.ts';

/** The election timeout of every role that has one; also at once where there is nothing to wait for (R-1.6, R-0.3a). */
export function onElectionTimeout(state: RaftState, effects: RaftEffect[]): void {
  switch (state.role.name) {
    case 'resigned':
      // the epoch that this node led is over for it.
      becomeUnattached(state, effects, state.epoch + 1);
      break;
    case 'prospective':
      // It had won, and has let another go first that did not.
      if (tallyResult(state.role.tally) === 'won') becomeCandidate(state, effects);
      else giveUp(state, effects);
      break;
    case 'candidate':
      // Its leadership is being written: nothing to time out any more.
      if (state.role.electedOp !== undefined) return;
      becomeProspective(state, effects);
      return;
    case 'unattached':
      break;
    case 'leader':
    case 'follower':
      return;
  }
  if (state.role.name === 'unattached' && isElectable(state)) becomeProspective(state, effects);
  // the voters of an old set may all be gone for good, while others, whom this log does not name, elected a leader.
  if (state.role.name === 'prospective' && state.leaderId === NO_NODE && !state.role.tally.bootstrap) {
    discoverLeader(state, effects);
  }
}

/** asks in the present epoch; nothing is promised or written. */
export function becomeProspective(state: RaftState, effects: RaftEffect[]): void {
  const role: Prospective = { name: 'prospective', tally: newTally(state), yields: false };
  enter(state, effects, role, state.epoch, state.role.name === 'candidate' ? NO_NODE : state.leaderId);
  setElectionTimer(state, effects);
  const own = ownBallot(state, role.tally);
  if (own !== undefined) own.state = 'granted';
  askForVotes(state, effects, role);
  settle(state, effects);
}

/** How long, at the most, one that would be elected waits for another that goes first. */
const YIELD_MS = 300;

/**
 * Two that ask at the same time grant each other pre-votes; stood both, each would vote for itself, and the whole election timeout
 * be lost. The one that goes first has this one's pre-vote already.
 */
function waitForFirst(state: RaftState, effects: RaftEffect[]): void {
  const halfMs = Math.max(1, Math.floor(Math.min(YIELD_MS, state.config.electionTimeoutMs) / 2));
  setTimer(state, effects, 'election', halfMs + state.random.below('yield', halfMs));
}

function becomeCandidate(state: RaftState, effects: RaftEffect[]): void {
  // a new epoch, with the vote for itself written before anybody is asked.
  enter(state, effects, { name: 'candidate', tally: newTally(state), electedOp: undefined }, state.epoch + 1, NO_NODE);
  beginCandidacy(state, effects);
}

/** Asks everybody; also after a restart in the epoch of its own candidacy. */
export function beginCandidacy(state: RaftState, effects: RaftEffect[]): void {
  setElectionTimer(state, effects);
  if (state.role.name !== 'candidate') return;
  askForVotes(state, effects, state.role);
  onCandidateDiskDone(state, effects, state.role);
}

/** its own vote counts once it is durable.: it leads once its leadership is. */
export function onCandidateDiskDone(state: RaftState, effects: RaftEffect[], candidate: Candidate): void {
  if (candidate.electedOp !== undefined) {
    if (candidate.electedOp <= state.doneOp) becomeLeader(state, effects, candidate.tally);
    return;
  }
  const own = ownBallot(state, candidate.tally);
  if (own === undefined || own.state === 'granted' || state.quorumStateOp > state.doneOp) return;
  own.state = 'granted';
  settle(state, effects);
}

/** Asks the voters that have not been asked, or in vain. */
export function askForVotes(state: RaftState, effects: RaftEffect[], role: Prospective | Candidate): void {
  const { config, log } = state;
  for (const ballot of role.tally.ballots) {
    if (isOwnId(state, ballot.id) || (ballot.state !== 'unasked' && ballot.state !== 'failed')) continue;
    ballot.state = 'asked';
    // it leaves when all that it says of the log is flushed.
    call(
      state,
      effects,
      ballot.id,
      {
        type: 'vote',
        clusterId: config.clusterId,
        voterKey: { id: ballot.id, directoryId: ballot.directoryId },
        candidateKey: config.replica,
        epoch: state.epoch,
        lastEpoch: log.lastEpoch,
        logEndOffset: log.endOffset,
        preVote: role.name === 'prospective',
      },
      true,
    );
  }
}

/** Asks a voter that has refused, as it may think differently now. */
export function askAgain(state: RaftState, effects: RaftEffect[], role: Prospective, id: NodeId): void {
  const ballot = ballotOf(role.tally, id);
  if (ballot?.state !== 'rejected') return;
  ballot.state = 'unasked';
  askForVotes(state, effects, role);
}

export function onVoteFailed(state: RaftState, effects: RaftEffect[], role: Prospective | Candidate, to: NodeId): void {
  const ballot = ballotOf(role.tally, to);
  if (ballot?.state !== 'asked') return;
  ballot.state = 'failed';
  // R-0.3a: while voters start one by one only the lowest id keeps asking, so that two do not split every first election.
  const waits = role.name === 'prospective' && role.tally.bootstrap && !isLowestVoter(state);
  if (!waits) retryLater(state, effects);
}

/** Whether this node begins a first election without waiting for its election timeout (R-0.3a). */
export function isLowestVoter(state: RaftState): boolean {
  return state.config.voterIds.every((id) => id >= state.config.replica.id);
}

/** the response is of this epoch. */
export function onVoteResponse(
  state: RaftState,
  effects: RaftEffect[],
  role: Prospective | Candidate,
  from: NodeId,
  response: VoteResponse,
): void {
  const ballot = ballotOf(role.tally, from);
  if (ballot?.state !== 'asked' || response.error !== 'NONE') return;
  ballot.state = countsAsGrant(state, effects, role, ballot, response) ? 'granted' : 'rejected';
  settle(state, effects);
}

/** A grant counts only from the identity in force; in a first election it tells the identity, from an empty log only. */
function countsAsGrant(
  state: RaftState,
  effects: RaftEffect[],
  role: Prospective | Candidate,
  ballot: Ballot,
  response: VoteResponse,
): boolean {
  const { voter } = response;
  if (!role.tally.bootstrap)
    return response.granted && voter.id === ballot.id && voter.directoryId === ballot.directoryId;
  if (!response.logEmpty) {
    const action = 'this disk is empty and the cluster is not: the node waits for a leader and follows it';
    noticeOnce(state, effects, 'warn', 'bootstrap-refused', { nodeId: state.config.replica.id, by: voter, action });
    return false;
  }
  if (!response.granted || voter.id !== ballot.id || voter.directoryId === ZERO_UUID || !isUuid(voter.directoryId)) {
    return false;
  }
  ballot.directoryId = voter.directoryId;
  return true;
}

/** Draws the consequence of the votes counted so far. */
function settle(state: RaftState, effects: RaftEffect[]): void {
  const { role } = state;
  if (role.name === 'prospective') {
    const result = tallyResult(role.tally);
    if (result === 'won' && role.yields) waitForFirst(state, effects);
    else if (result === 'won') becomeCandidate(state, effects);
    else if (result === 'lost') giveUp(state, effects);
  } else if (role.name === 'candidate' && role.electedOp === undefined && tallyResult(role.tally) === 'won') {
    // leadership is written first. A lost candidate waits its timeout out (KAFKA-18345).
    state.leaderId = state.config.replica.id;
    persistQuorumState(state, effects);
    role.electedOp = state.quorumStateOp;
  }
}

/** A pre-vote round without success: back to the known leader, or to none. */
function giveUp(state: RaftState, effects: RaftEffect[]): void {
  const { epoch, leaderId } = state;
  if (isReachable(state, leaderId) && !isOwnId(state, leaderId)) becomeFollower(state, effects, epoch, leaderId, true);
  else becomeUnattached(state, effects, epoch, leaderId);
}
