// The consensus core's one entrance (M-4): an event in, effects out. Only sequences; each kind of event has its own file.
import { assert } from '../base/assert.ts';
import {
  askForVotes,
  becomeProspective,
  onCandidateDiskDone,
  onElectionTimeout,
  onVoteFailed,
  onVoteResponse,
} from './election.ts';
import { commitMore, expireParked, onFetchRequest } from './fetch-request.ts';
import { onFetchResponse } from './fetch-response.ts';
import { fetchNext, onFetchFailed, onLeaderRefused, onObserverFetchTimeout } from './following.ts';
import { hearResponse } from './gossip.ts';
import { onApplied, onBeginAnswered, propose, tellVoters, tellVotersAgain } from './leader.ts';
import { RaftFatal, takeTimer } from './outbox.ts';
import { onBeginQuorumEpochRequest, onEndQuorumEpochRequest } from './quorum-epoch-request.ts';
import { becomeResigned } from './resigned.ts';
import { onFetchSnapshotRequest } from './snapshot-request.ts';
import { onFetchSnapshotResponse, onSnapshotReceived, onSnapshotRejected } from './snapshot-response.ts';
import { onSnapshotTaken } from './snapshots.ts';
import { start } from './start.ts';
import type { OutstandingCall, RaftState } from './state.ts';
import { isElectable } from './state.ts';
import type { CallFailure, CallId, OpId, RaftEffect, RaftEvent, RaftRequest, RaftResponse, TimerId } from './types.ts';
import { discoverLater, discoverLeader } from './unattached.ts';
import { onVoteRequest } from './vote-request.ts';
import { changeVoters } from './voter-change.ts';

/**
 * Pushes what is to be done onto `effects` and changes `state`. Total on whatever peers send: what must not happen becomes
 * a `fatal` effect, alone of its step, and later events are ignored. Throws only if the driver breaks the contract.
 */
export function step(state: RaftState, event: RaftEvent, effects: RaftEffect[]): void {
  if (state.failed) return;
  assert(state.started !== (event.type === 'start'), 'start comes first, once');
  const before = effects.length;
  state.now = event.now;
  try {
    dispatch(state, event, effects);
  } catch (error) {
    if (!(error instanceof RaftFatal)) throw error;
    state.failed = true;
    effects.length = before;
    effects.push({ type: 'fatal', reason: error.message });
  }
}

function dispatch(state: RaftState, event: RaftEvent, effects: RaftEffect[]): void {
  switch (event.type) {
    case 'start':
      return start(state, effects, event.durable);
    case 'timer':
      return onTimer(state, effects, event.id, event.generation);
    case 'request':
      return onRequest(state, effects, event.call, event.message);
    case 'response':
      return onResponse(state, effects, event.call, event.message);
    case 'callFailed':
      return onCallFailed(state, effects, event.call, event.failure);
    case 'diskDone':
      return onDiskDone(state, effects, event.op);
    case 'propose':
      return propose(state, effects, event.token, event.claimEpoch, event.records);
    case 'applied':
      return onApplied(state, effects, event.endOffset);
    case 'snapshotTaken':
      return onSnapshotTaken(state, effects, event.snapshot);
    case 'snapshotReceived':
      return onSnapshotReceived(state, effects, event.snapshot);
    case 'snapshotRejected':
      return onSnapshotRejected(state, effects, event.id, event.reason);
    case 'changeVoters':
      return changeVoters(state, effects, event.token, event.change);
    case 'resign':
      //
      if (state.role.name === 'leader' && event.epoch === state.epoch) becomeResigned(state, effects, state.role);
      return;
  }
}

function onTimer(state: RaftState, effects: RaftEffect[], id: TimerId, generation: number): void {
  if (!takeTimer(state, id, generation)) return;
  const { role } = state;
  switch (id) {
    case 'election':
      return onElectionTimeout(state, effects);
    case 'fetch':
      if (role.name !== 'follower') return;
      return isElectable(state) ? becomeProspective(state, effects) : onObserverFetchTimeout(state, effects, role);
    case 'checkQuorum':
      //
      if (role.name === 'leader') becomeResigned(state, effects, role);
      return;
    case 'beginQuorumEpoch':
      if (role.name === 'leader') tellVoters(state, effects, role);
      return;
    case 'retry':
      return onRetry(state, effects);
    case 'parkedFetch':
      if (role.name === 'leader') expireParked(state, effects, role);
      return;
  }
}

/** What failed is tried again, by role. */
function onRetry(state: RaftState, effects: RaftEffect[]): void {
  const { role } = state;
  switch (role.name) {
    case 'unattached':
    case 'resigned':
      return discoverLeader(state, effects);
    case 'prospective':
    case 'candidate':
      return askForVotes(state, effects, role);
    case 'leader':
      return tellVotersAgain(state, effects, role);
    case 'follower':
      // Not kept waiting: whether the leader is there is to be known before the fetch timeout.
      return fetchNext(state, effects, role, 0);
  }
}

function onRequest(state: RaftState, effects: RaftEffect[], call: CallId, message: RaftRequest): void {
  switch (message.type) {
    case 'vote':
      return onVoteRequest(state, effects, call, message);
    case 'beginQuorumEpoch':
      return onBeginQuorumEpochRequest(state, effects, call, message);
    case 'endQuorumEpoch':
      return onEndQuorumEpochRequest(state, effects, call, message);
    case 'fetch':
      return onFetchRequest(state, effects, call, message);
    case 'fetchSnapshot':
      return onFetchSnapshotRequest(state, effects, call, message);
  }
}

function onResponse(state: RaftState, effects: RaftEffect[], call: CallId, response: RaftResponse): void {
  const outstanding = state.calls.get(call);
  // M-6: of an earlier role period, or answered already.
  if (outstanding === undefined) return;
  state.calls.delete(call);
  const hearing = hearResponse(state, effects, outstanding.to, response);
  if (hearing === 'superseded') return;
  const { role } = state;
  const { to, message } = outstanding;
  if (hearing === 'unusable') {
    // a useless answer to a vote request is no vote, and not asked for again in this round.
    if (message.type !== 'vote') failCall(state, effects, outstanding);
  } else if (message.type === 'vote' && response.type === 'vote') {
    if (role.name === 'prospective' || role.name === 'candidate') onVoteResponse(state, effects, role, to, response);
  } else if (message.type === 'fetch' && response.type === 'fetch' && role.name === 'follower') {
    onFetchResponse(state, effects, role, call, to, message, response);
  } else if (message.type === 'fetchSnapshot' && response.type === 'fetchSnapshot' && role.name === 'follower') {
    onFetchSnapshotResponse(state, effects, role, call, message, response);
  } else if (message.type === 'beginQuorumEpoch' && response.type === 'quorumEpoch' && role.name === 'leader') {
    onBeginAnswered(state, effects, role, to, response);
  } else {
    failCall(state, effects, outstanding);
  }
}

function onCallFailed(state: RaftState, effects: RaftEffect[], call: CallId, failure: CallFailure): void {
  const outstanding = state.calls.get(call);
  if (outstanding === undefined) return;
  state.calls.delete(call);
  failCall(state, effects, outstanding);
  if (failure === 'refused') onLeaderRefused(state, effects, outstanding.to);
}

/** A call without a usable answer: tried again after the backoff. */
function failCall(state: RaftState, effects: RaftEffect[], { to, message }: OutstandingCall): void {
  const { role } = state;
  switch (role.name) {
    case 'unattached':
    case 'resigned':
      return discoverLater(state, effects);
    case 'prospective':
    case 'candidate':
      if (message.type === 'vote') onVoteFailed(state, effects, role, to);
      return;
    case 'leader':
      if (message.type === 'beginQuorumEpoch') onBeginAnswered(state, effects, role, to, undefined);
      return;
    case 'follower':
      if (message.type === 'fetch' || message.type === 'fetchSnapshot') onFetchFailed(state, effects, role, to);
      return;
  }
}

function onDiskDone(state: RaftState, effects: RaftEffect[], op: OpId): void {
  state.doneOp = Math.max(state.doneOp, op);
  const moved = state.log.flushed(state.doneOp);
  const { role } = state;
  if (role.name === 'candidate') onCandidateDiskDone(state, effects, role);
  //
  else if (role.name === 'leader' && moved) commitMore(state, effects, role);
}
