// Being a follower: one call to the leader at a time, for records or for a piece of a snapshot, the next one when
// it is answered, again after a failure; and the timer that a leader who answers keeps from expiring.
import type { Epoch, Ms, NodeId } from '../base/ids.ts';
import { call, cancelTimer, retryLater, setTimer } from './outbox.ts';
import type { Download, Follower } from './roles.ts';
import type { RaftState } from './state.ts';
import { isElectable } from './state.ts';
import { enter } from './transition.ts';
import type { CallId, RaftEffect } from './types.ts';
import { fetchCallTimeoutMs, nextVoterToAsk, sendFetch } from './unattached.ts';

/** A leader is known and can be reached: fetch from it at once. `gaveUp`: after pre-votes against it, in vain. */
export function becomeFollower(
  state: RaftState,
  effects: RaftEffect[],
  epoch: Epoch,
  leaderId: NodeId,
  gaveUp = false,
): void {
  enter(state, effects, { ...newFollower(), gaveUp }, epoch, leaderId);
  beginFollowing(state, effects);
}

export function newFollower(): Follower {
  return {
    name: 'follower',
    hasFetched: false,
    fetchCall: undefined,
    download: undefined,
    askElsewhere: false,
    leaderGone: false,
    gaveUp: false,
    leaderResigned: false,
  };
}

/**
 * The fetch timeout and up to a tenth of it more. A leader answers all parked fetches at one append, so followers that all
 * waited exactly the same time would campaign in the same millisecond and split the vote.
 */
function setFetchTimer(state: RaftState, effects: RaftEffect[]): void {
  const { fetchTimeoutMs } = state.config;
  const spreadMs = Math.max(1, Math.floor(fetchTimeoutMs / 10));
  setTimer(state, effects, 'fetch', fetchTimeoutMs + state.random.below('fetch', spreadMs));
}

/** Arms the fetch timeout and sends the first fetch. */
export function beginFollowing(state: RaftState, effects: RaftEffect[]): void {
  cancelTimer(state, effects, 'election');
  setFetchTimer(state, effects);
  if (state.role.name === 'follower') fetchNext(state, effects, state.role, state.config.fetchMaxWaitMs);
}

/** only here is the fetch timer put off. A leader that has said that it resigns is not one for longer. */
export function hearLeader(state: RaftState, effects: RaftEffect[], follower: Follower): void {
  follower.askElsewhere = false;
  if (follower.leaderResigned) return;
  follower.hasFetched = true;
  follower.leaderGone = false;
  follower.gaveUp = false;
  setFetchTimer(state, effects);
}

/** Sends the next fetch, which the leader may keep so long, or asks for the next piece of a snapshot; unless one is under way. */
export function fetchNext(state: RaftState, effects: RaftEffect[], follower: Follower, maxWaitMs: number): void {
  if (follower.fetchCall !== undefined) return;
  if (follower.askElsewhere) {
    // Not of the leader once more: where that is silent, the answer would come too late.
    const other = nextVoterToAsk(state, state.leaderId);
    follower.fetchCall = sendFetch(state, effects, other ?? state.leaderId, maxWaitMs);
  } else if (follower.download !== undefined) {
    follower.fetchCall = askForPiece(state, effects, follower.download);
  } else {
    follower.fetchCall = sendFetch(state, effects, state.leaderId, maxWaitMs);
  }
}

/** Of a snapshot that is complete the last byte again: the leader must go on hearing of this node while it is checked. */
function askForPiece(state: RaftState, effects: RaftEffect[], { id, position, sizeBytes }: Download): CallId {
  const { config } = state;
  const complete = position === sizeBytes;
  return call(
    state,
    effects,
    state.leaderId,
    {
      type: 'fetchSnapshot',
      clusterId: config.clusterId,
      replicaKey: config.replica,
      currentLeaderEpoch: state.epoch,
      snapshotId: id,
      position: complete ? position - 1 : position,
      maxBytes: complete ? 1 : config.snapshotChunkBytes,
    },
    false,
    fetchCallTimeoutMs(config, config.fetchMaxWaitMs),
  );
}

/** A call without result: again after the backoff; of a snapshot the same piece. */
export function onFetchFailed(state: RaftState, effects: RaftEffect[], follower: Follower, to: NodeId): void {
  follower.fetchCall = undefined;
  // an observer asks another voter in between, for its leader may be gone.
  follower.askElsewhere = to === state.leaderId && !isElectable(state);
  retryLater(state, effects);
}

/** How soon, at the latest, a follower asks to replace a leader whose process is gone. */
const LEADER_GONE_MS = 300;

/**
 * nobody listens where the leader was. Its process has ended, and with it its leadership: the follower does
 * not wait its fetch timeout out, and grants pre-votes. Drawn once, so that refusals do not put it off. Not at once again
 * where the others have just refused: the leader may be gone from here alone.
 */
export function onLeaderRefused(state: RaftState, effects: RaftEffect[], to: NodeId): void {
  const { role } = state;
  if (role.name !== 'follower' || role.leaderGone || to !== state.leaderId || !isElectable(state)) return;
  role.leaderGone = true;
  role.hasFetched = false;
  const delayMs = (role.gaveUp ? LEADER_GONE_MS : 0) + turnAfterLeaderMs(state);
  const { fetch } = state.timers;
  if (!fetch.armed || fetch.at > state.now + delayMs) setTimer(state, effects, 'fetch', delayMs);
}

/**
 * A random time in this voter's own share of LEADER_GONE_MS: voters that stand at the same time split the vote, and that costs an
 * election timeout. The shares move on with the epoch, so that over time everybody's turn is uniform.
 */
function turnAfterLeaderMs({ config, epoch, leaderId, log, random }: RaftState): Ms {
  const left = (log.voters ?? []).map(({ id }) => id).filter((id) => id !== leaderId);
  const place = left.toSorted((a, b) => a - b).indexOf(config.replica.id);
  if (place < 0) return random.below('leaderGone', LEADER_GONE_MS);
  const shareMs = Math.max(1, Math.floor(LEADER_GONE_MS / left.length));
  return ((place + epoch) % left.length) * shareMs + random.below('leaderGone', shareMs);
}

/** Another one asks to replace the leader that is gone: it gets the time for it. */
export function giveTurnAway(state: RaftState, effects: RaftEffect[], follower: Follower): void {
  if (!follower.leaderGone) return;
  const { fetch } = state.timers;
  const at = state.now + LEADER_GONE_MS;
  if (fetch.armed && fetch.at < at) setTimer(state, effects, 'fetch', LEADER_GONE_MS);
}

/** an observer goes on fetching after its fetch timeout, not waiting for the call that hangs: somebody else may lead. */
export function onObserverFetchTimeout(state: RaftState, effects: RaftEffect[], follower: Follower): void {
  dropFetchCall(state, follower);
  follower.askElsewhere = true;
  // others may count on its vote, by a voter set that it has not heard of; it does not protect a leader that is silent.
  follower.hasFetched = false;
  setFetchTimer(state, effects);
  fetchNext(state, effects, follower, state.config.fetchMaxWaitMs);
}

/** Whatever the call under way brings is not wanted any more. */
export function dropFetchCall(state: RaftState, follower: Follower): void {
  if (follower.fetchCall !== undefined) state.calls.delete(follower.fetchCall);
  follower.fetchCall = undefined;
}
