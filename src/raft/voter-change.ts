// one voter more, one less, or one endpoint corrected. In force when appended, committed under the new set, one
// at a time, and only by a leader that has committed in its own epoch (R-11.2: Ongaro's single-server bug).
import { assert } from '../base/assert.ts';
import type { Ms } from '../base/ids.ts';
import { resetCheckQuorum } from './check-quorum.ts';
import { majority } from './commit.ts';
import { encodeControlRecord, isVoterSet, MAX_ENDPOINT_BYTES } from './control-record.ts';
import { commitMore, completeParked } from './fetch-request.ts';
import { announcedHighWatermark } from './high-watermark.ts';
import { announceVoters } from './identity.ts';
import { appendBatches } from './outbox.ts';
import { regroup } from './progress.ts';
import type { Leader } from './roles.ts';
import type { RaftState } from './state.ts';
import { isSelf } from './state.ts';
import type { RaftEffect, ReplicaKey, Voter, VoterChange, VoterChangeError } from './types.ts';
import { sameReplica } from './vote-grant.ts';

interface Refusal {
  readonly error: VoterChangeError;
  readonly message: string;
}

export function changeVoters(state: RaftState, effects: RaftEffect[], token: number, change: VoterChange): void {
  const leader = state.role;
  const refusal: Refusal | undefined =
    leader.name === 'leader'
      ? (whyNotReady(state, leader) ?? whyNot(state, leader, change))
      : { error: 'NOT_LEADER', message: 'this node does not lead' };
  if (leader.name !== 'leader' || refusal !== undefined) {
    effects.push({ type: 'voterChange', token, result: { type: 'refused', ...(refusal as Refusal) } });
    return;
  }
  const voters = changed(state.log.voters ?? [], change);
  assert(isVoterSet(voters), 'the changed voters are a voter set');
  const offset = state.log.endOffset;
  const records = [encodeControlRecord({ type: 'voters', voters })];
  appendBatches(state, effects, [{ baseOffset: offset, epoch: state.epoch, control: true, records }]);
  effects.push({ type: 'voterChange', token, result: { type: 'appended', offset } });
  announceVoters(state, effects);
  regroup(state, leader, voters);
  // another set, another period; none where this node is alone now.
  resetCheckQuorum(state, effects, leader);
  completeParked(state, effects, leader);
  // fewer may be needed now.
  commitMore(state, effects, leader);
}

/** whatever the change. */
function whyNotReady(state: RaftState, leader: Leader): Refusal | undefined {
  if (announcedHighWatermark(state, leader) < 0) {
    return { error: 'NOT_READY', message: `nothing of epoch ${state.epoch} is committed yet` };
  }
  const { votersOffset } = state.log;
  if (votersOffset >= state.highWatermark) {
    return { error: 'NOT_READY', message: `the change at offset ${votersOffset} is not committed yet` };
  }
  return undefined;
}

function whyNot(state: RaftState, leader: Leader, change: VoterChange): Refusal | undefined {
  switch (change.type) {
    case 'add':
      return whyNotEndpoint(change.voter) ?? whyNotAdd(state, leader, change.voter);
    case 'remove':
      return whyNotVoter(state, change.replica) ?? whyNotRemove(state, leader, change.replica);
    case 'update':
      return whyNotVoter(state, change.voter) ?? whyNotEndpoint(change.voter);
  }
}

function whyNotVoter(state: RaftState, key: ReplicaKey): Refusal | undefined {
  if (state.log.voters?.some((voter) => sameReplica(voter, key)) === true) return undefined;
  return { error: 'VOTER_NOT_FOUND', message: `node ${key.id} with directory ${key.directoryId} is no voter` };
}

/** It may come from the node that is to be added: what no record can hold is refused. */
function whyNotEndpoint({ id, endpoint }: Voter): Refusal | undefined {
  const bytes = Buffer.byteLength(endpoint);
  if (bytes <= MAX_ENDPOINT_BYTES) return undefined;
  const message = `the endpoint of node ${id} has ${bytes} bytes, at most ${MAX_ENDPOINT_BYTES} are possible`;
  return { error: 'VOTER_NOT_FOUND', message };
}

/** a voter that lags would hold up what is committed. */
function whyNotAdd(state: RaftState, leader: Leader, voter: Voter): Refusal | undefined {
  const present = state.log.voters?.find(({ id }) => id === voter.id);
  if (present !== undefined) {
    return {
      error: 'DUPLICATE_VOTER',
      message: `node ${voter.id} is a voter with directory ${present.directoryId}: remove that one first`,
    };
  }
  const observer = leader.observers.get(voter.id);
  const { fetchTimeoutMs } = state.config;
  if (observer === undefined || !sameReplica(observer.key, voter) || !isRecent(state, observer.lastFetchMs)) {
    return {
      error: 'NOT_CAUGHT_UP',
      message: `node ${voter.id} with directory ${voter.directoryId} has not fetched for ${fetchTimeoutMs} ms`,
    };
  }
  if (isRecent(state, observer.lastCaughtUpMs)) return undefined;
  const message = `node ${voter.id} has ${observer.endOffset} of ${state.log.endOffset} records: wait until it has caught up`;
  return { error: 'NOT_CAUGHT_UP', message };
}

/** [ours] Those that stay must be able to commit, this change first. */
function whyNotRemove(state: RaftState, leader: Leader, key: ReplicaKey): Refusal | undefined {
  let staying = 0;
  let alive = 0;
  for (const voter of leader.voters) {
    if (sameReplica(voter.key, key)) continue;
    staying++;
    if (isSelf(state, voter.key) || isRecent(state, voter.lastFetchMs)) alive++;
  }
  if (staying === 0) return { error: 'QUORUM_AT_RISK', message: `node ${key.id} is the last voter` };
  if (alive >= majority(staying)) return undefined;
  return {
    error: 'QUORUM_AT_RISK',
    message: `without node ${key.id} only ${alive} of ${staying} voters are there, ${majority(staying)} are needed`,
  };
}

function isRecent(state: RaftState, at: Ms): boolean {
  return at >= 0 && state.now - at <= state.config.fetchTimeoutMs;
}

function changed(voters: readonly Voter[], change: VoterChange): Voter[] {
  const id = change.type === 'remove' ? change.replica.id : change.voter.id;
  const others = voters.filter((voter) => voter.id !== id);
  if (change.type === 'remove') return others;
  return [...others, change.voter].sort((a, b) => a.id - b.id);
}
