// A leader's own duties: the first batch of its epoch, appends, telling the voters, and claiming for the state machine.
import { assert } from '../base/assert.ts';
import type { Epoch, NodeId, Offset } from '../base/ids.ts';
import { resetCheckQuorum } from './check-quorum.ts';
import type { ControlRecord } from './control-record.ts';
import { encodeControlRecord } from './control-record.ts';
import { completeParked } from './fetch-request.ts';
import { announceVoters } from './identity.ts';
import { appendBatches, call, cancelTimer, leaderHint, retryLater, setTimer } from './outbox.ts';
import { newProgress, othersNeeded } from './progress.ts';
import type { Leader, Progress, Tally } from './roles.ts';
import type { RaftState } from './state.ts';
import { isOwnId, knownLeader } from './state.ts';
import { grantingVoters } from './tally.ts';
import { enter } from './transition.ts';
import type { Batch, QuorumEpochResponse, RaftEffect } from './types.ts';

/** How long an observer that has gone is still shown. */
const OBSERVER_SESSION_MS = 300_000;

/** elected, and that is durable. */
export function becomeLeader(state: RaftState, effects: RaftEffect[], tally: Tally): void {
  const own = state.config.replica;
  const granting = grantingVoters(tally);
  // R-0.3a: a first election was won by every voter; their identities are pinned from now on.
  const pinned = state.log.voters;
  const voters = pinned ?? granting.map((key) => ({ ...key, endpoint: state.config.endpoints.get(key.id) ?? '' }));
  const leader: Leader = {
    name: 'leader',
    epochStartOffset: state.log.endOffset,
    claimed: false,
    voters: voters.map(newProgress),
    observers: new Map(),
    parked: [],
    fetchedVoters: 0,
    othersNeeded: othersNeeded(state, voters.length),
    endOffsets: voters.map(() => -1),
  };
  enter(state, effects, leader, state.epoch, own.id);
  cancelTimer(state, effects, 'election');
  const records: ControlRecord[] = [{ type: 'leaderChange', leader: own, voters, grantingVoters: granting }];
  if (pinned === undefined) records.push({ type: 'voters', voters });
  appendOne(state, effects, true, records.map(encodeControlRecord));
  if (pinned === undefined) announceVoters(state, effects);
  resetCheckQuorum(state, effects, leader);
  tellVoters(state, effects, leader);
}

function appendOne(state: RaftState, effects: RaftEffect[], control: boolean, records: readonly Uint8Array[]): Batch {
  const batch: Batch = { baseOffset: state.log.endOffset, epoch: state.epoch, control, records };
  appendBatches(state, effects, [batch]);
  return batch;
}

/** one atomic batch, in the epoch that the caller has claimed; anything else leaves no trace. */
export function propose(
  state: RaftState,
  effects: RaftEffect[],
  token: number,
  claimEpoch: Epoch,
  records: readonly Uint8Array[],
): void {
  assert(records.length > 0, 'a proposal has records');
  const leader = state.role;
  if (leader.name !== 'leader' || !leader.claimed || state.epoch !== claimEpoch) {
    effects.push({ type: 'refused', token, leaderId: knownLeader(state) });
    return;
  }
  const { baseOffset } = appendOne(state, effects, false, records);
  effects.push({ type: 'proposed', token, baseOffset, lastOffset: baseOffset + records.length - 1 });
  completeParked(state, effects, leader);
}

/** the state machine has applied all that earlier leaders committed, and this one's first batch. */
export function onApplied(state: RaftState, effects: RaftEffect[], endOffset: Offset): void {
  state.appliedEndOffset = Math.max(state.appliedEndOffset, endOffset);
  const leader = state.role;
  if (leader.name !== 'leader' || leader.claimed || state.appliedEndOffset <= leader.epochStartOffset) return;
  leader.claimed = true;
  effects.push({ type: 'claim', epoch: state.epoch });
}

// ---- BeginQuorumEpoch ----

/** now, and every half fetch timeout again, to the voters that have not fetched since. */
export function tellVoters(state: RaftState, effects: RaftEffect[], leader: Leader): void {
  const periodMs = Math.max(1, Math.floor(state.config.fetchTimeoutMs / 2));
  for (const voter of leader.voters) {
    if (isOwnId(state, voter.key.id)) continue;
    const silent = voter.lastFetchMs < 0 || state.now - voter.lastFetchMs >= periodMs;
    if (silent && voter.begin !== 'sent') sendBegin(state, effects, voter);
  }
  for (const [id, observer] of leader.observers) {
    if (state.now - observer.lastFetchMs > OBSERVER_SESSION_MS) leader.observers.delete(id);
  }
  setTimer(state, effects, 'beginQuorumEpoch', periodMs);
}

/** again to those whom it has not reached. */
export function tellVotersAgain(state: RaftState, effects: RaftEffect[], leader: Leader): void {
  for (const voter of leader.voters) {
    if (!isOwnId(state, voter.key.id) && voter.begin === 'due') sendBegin(state, effects, voter);
  }
}

function sendBegin(state: RaftState, effects: RaftEffect[], voter: Progress): void {
  const { clusterId, replica: leaderKey } = state.config;
  voter.begin = 'sent';
  const { leaderEndpoint } = leaderHint(state);
  const { key: voterKey } = voter;
  const request = {
    type: 'beginQuorumEpoch',
    clusterId,
    voterKey,
    leaderKey,
    epoch: state.epoch,
    leaderEndpoint,
  } as const;
  call(state, effects, voterKey.id, request, false);
}

/** A response of this epoch, whatever it says, has reached its voter; so has a fetch. */
export function onBeginAnswered(
  state: RaftState,
  effects: RaftEffect[],
  leader: Leader,
  from: NodeId,
  response: QuorumEpochResponse | undefined,
): void {
  const voter = leader.voters.find((progress) => progress.key.id === from);
  if (voter === undefined) return;
  if (response !== undefined || voter.lastFetchMs >= 0) {
    voter.begin = 'acknowledged';
  } else {
    voter.begin = 'due';
    retryLater(state, effects);
  }
}
