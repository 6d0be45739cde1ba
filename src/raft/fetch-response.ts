// Following a leader: one fetch at a time from the end of the log; cut where the logs differ, append, commit, fetch
// again. Only the leader of the present epoch is believed, and only if the log still ends where the fetch began.
import type { Epoch, NodeId } from '../base/ids.ts';
import { raiseHighWatermark } from './high-watermark.ts';
import { noticeIdentity } from './identity.ts';
import { appendBatches, cancelTimer, fatal, noticeOnce, retryLater, setTimer, truncateLog } from './outbox.ts';
import type { Follower } from './roles.ts';
import type { RaftState } from './state.ts';
import { isVoter } from './state.ts';
import { enter } from './transition.ts';
import type { Batch, CallId, FetchRequest, FetchResponse, RaftEffect } from './types.ts';
import { nextVoterToAsk, sendFetch } from './unattached.ts';

/** A leader is known and can be reached: fetch from it at once. */
export function becomeFollower(state: RaftState, effects: RaftEffect[], epoch: Epoch, leaderId: NodeId): void {
  enter(state, effects, newFollower(), epoch, leaderId);
  beginFollowing(state, effects);
}

export function newFollower(): Follower {
  return { name: 'follower', hasFetched: false, fetchCall: undefined, askElsewhere: false, leaderGone: false };
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
  if (state.role.name === 'follower') fetchNext(state, effects, state.role);
}

/** Sends the next fetch, unless one is under way. */
export function fetchNext(state: RaftState, effects: RaftEffect[], follower: Follower): void {
  if (follower.fetchCall !== undefined) return;
  const to = follower.askElsewhere ? nextVoterToAsk(state) : state.leaderId;
  follower.fetchCall = sendFetch(state, effects, to ?? state.leaderId, state.config.fetchMaxWaitMs);
}

/** A fetch without result: again after the backoff. */
export function onFetchFailed(state: RaftState, effects: RaftEffect[], follower: Follower, to: NodeId): void {
  follower.fetchCall = undefined;
  // an observer asks another voter in between, for its leader may be gone.
  follower.askElsewhere = to === state.leaderId && !isVoter(state);
  retryLater(state, effects);
}

/** How soon, at the latest, a follower asks to replace a leader whose process is gone. */
const LEADER_GONE_MS = 300;

/**
 * nobody listens where the leader was. Its process has ended, and with it its leadership: the follower does
 * not wait its fetch timeout out, and grants pre-votes. Drawn once, so that refusals do not put it off.
 */
export function onLeaderRefused(state: RaftState, effects: RaftEffect[], to: NodeId): void {
  const { role } = state;
  if (role.name !== 'follower' || role.leaderGone || to !== state.leaderId || !isVoter(state)) return;
  role.leaderGone = true;
  role.hasFetched = false;
  const delayMs = state.random.below('leaderGone', LEADER_GONE_MS);
  const { fetch } = state.timers;
  if (!fetch.armed || fetch.at > state.now + delayMs) setTimer(state, effects, 'fetch', delayMs);
}

/** an observer goes on fetching after its fetch timeout, not waiting for the call that hangs: somebody else may lead. */
export function onObserverFetchTimeout(state: RaftState, effects: RaftEffect[], follower: Follower): void {
  if (follower.fetchCall !== undefined) state.calls.delete(follower.fetchCall);
  follower.fetchCall = undefined;
  follower.askElsewhere = true;
  setFetchTimer(state, effects);
  fetchNext(state, effects, follower);
}

/** the epoch is the present one. */
export function onFetchResponse(
  state: RaftState,
  effects: RaftEffect[],
  follower: Follower,
  call: CallId,
  to: NodeId,
  request: FetchRequest,
  response: FetchResponse,
): void {
  if (follower.fetchCall !== call) return;
  if (response.error !== 'NONE' || to !== state.leaderId || request.fetchOffset !== state.log.endOffset) {
    onFetchFailed(state, effects, follower, to);
    return;
  }
  follower.fetchCall = undefined;
  follower.hasFetched = true;
  follower.askElsewhere = false;
  follower.leaderGone = false;
  // only here.
  setFetchTimer(state, effects);
  const problem =
    response.diverging === undefined
      ? takeBatches(state, effects, response)
      : cutDiverging(state, effects, response.diverging.epoch, response.diverging.endOffset);
  if (problem === undefined) {
    fetchNext(state, effects, follower);
  } else {
    const fields = { leaderId: state.leaderId, epoch: state.epoch, offset: state.log.endOffset, problem };
    noticeOnce(state, effects, 'error', 'bad-fetch-response', fields, state.epoch);
    retryLater(state, effects);
  }
}

/** cuts back to where this log can agree with the leader's, never below the high watermark. */
function cutDiverging(state: RaftState, effects: RaftEffect[], epoch: Epoch, endOffset: number): string | undefined {
  const { log } = state;
  const local = log.endOffsetFor(epoch);
  const common = local.epoch === epoch ? Math.min(local.endOffset, endOffset) : local.endOffset;
  const target = log.boundaryAtOrBelow(common);
  if (target < state.highWatermark) {
    fatal(
      `leader ${state.leaderId} of epoch ${state.epoch} diverges at ${target}, below the high watermark ${state.highWatermark}`,
    );
  }
  if (target >= log.endOffset) return `diverging at ${endOffset} of epoch ${epoch}, nothing to cut`;
  truncateLog(state, effects, target);
  return undefined;
}

/** appends the good prefix, then takes over the high watermark. What was wrong with the rest. */
function takeBatches(state: RaftState, effects: RaftEffect[], response: FetchResponse): string | undefined {
  const problem = response.batches.length === 0 ? undefined : appendGoodPrefix(state, effects, response.batches);
  if (response.highWatermark >= 0) raiseHighWatermark(state, effects, response.highWatermark);
  return problem;
}

function appendGoodPrefix(state: RaftState, effects: RaftEffect[], batches: readonly Batch[]): string | undefined {
  const { log } = state;
  const voters = log.voters;
  // Checked against the log as it will be: the first batch against its end, each further one against its predecessor.
  const problem = log.appendablePrefix(batches, state.epoch);
  const good = problem === undefined ? batches : batches.slice(0, problem.index);
  if (good.length > 0) appendBatches(state, effects, good);
  if (log.voters !== voters) noticeIdentity(state, effects);
  return problem?.reason;
}
