// Serving fetches: a fetch offset is the fetcher's acknowledgement; what it gets is the leader's log, also uncommitted
// (observers are protected by, not by hiding records).
import type { Epoch } from '../base/ids.ts';
import { noteFetch, resetCheckQuorum } from './check-quorum.ts';
import { advanceCommit, announcedHighWatermark } from './high-watermark.ts';
import { fetchError, noticeOnce, reply, setTimer } from './outbox.ts';
import { observerOf, voterOf } from './progress.ts';
import { resignIfRemoved } from './resigned.ts';
import type { Leader, ParkedFetch } from './roles.ts';
import type { RaftState } from './state.ts';
import { isSelf } from './state.ts';
import type { CallId, FetchRequest, FetchResponse, RaftEffect, RaftErrorCode, SnapshotId } from './types.ts';
import { becomeUnattached } from './unattached.ts';

/** */
export function onFetchRequest(state: RaftState, effects: RaftEffect[], call: CallId, request: FetchRequest): void {
  const error = requestError(state, request);
  if (error !== 'NONE') {
    // Adopted also where this node leads: whoever knows the epoch could otherwise never fetch from it.
    if (error === 'UNKNOWN_LEADER_EPOCH') becomeUnattached(state, effects, request.currentLeaderEpoch);
    reply(state, effects, call, fetchError(state, error));
    return;
  }
  const leader = state.role;
  if (leader.name !== 'leader') {
    reply(state, effects, call, fetchError(state, 'NOT_LEADER_OR_FOLLOWER'));
    return;
  }
  const { log } = state;
  const snapshotId = snapshotFor(state, request);
  if (snapshotId !== undefined) {
    reply(state, effects, call, { ...fetchError(state, 'NONE'), snapshotId });
    return;
  }
  // 2 and 4: does the fetcher's log agree with this one up to its end?
  if (request.fetchOffset > log.startOffset) {
    const end = log.endOffsetFor(request.lastFetchedEpoch);
    if (end.epoch !== request.lastFetchedEpoch || end.endOffset < request.fetchOffset) {
      reply(state, effects, call, { ...fetchError(state, 'NONE'), diverging: end });
      return;
    }
    if (log.boundaryAtOrBelow(request.fetchOffset) !== request.fetchOffset) {
      reply(state, effects, call, fetchError(state, 'INVALID_REQUEST'));
      return;
    }
  }
  recordProgress(state, effects, leader, request);
  const advanced = advanceCommit(state, effects, leader);
  if (advanced) completeParked(state, effects, leader);
  if (hasAnswer(state, leader, request)) reply(state, effects, call, fetchAnswer(state, leader, request));
  else park(state, effects, leader, call, request);
  if (advanced) resignIfRemoved(state, effects, leader);
}

/** after whatever may have raised what a majority holds. */
export function commitMore(state: RaftState, effects: RaftEffect[], leader: Leader): void {
  if (!advanceCommit(state, effects, leader)) return;
  completeParked(state, effects, leader);
  resignIfRemoved(state, effects, leader);
}

/**
 * 1 and 3: the newest snapshot for whoever is new, behind the log start, or has another history below it. The log
 * starts at the end of the oldest, so only a log from 0 on serves a new follower.
 */
function snapshotFor(state: RaftState, { fetchOffset, lastFetchedEpoch }: FetchRequest): SnapshotId | undefined {
  const oldest = state.snapshots[0]?.id;
  if (oldest === undefined) return undefined;
  const meets =
    fetchOffset > oldest.endOffset
      ? lastFetchedEpoch >= oldest.epoch
      : fetchOffset === oldest.endOffset && lastFetchedEpoch === oldest.epoch;
  return meets ? undefined : state.snapshots.at(-1)?.id;
}

/** up to leadership. Whoever fetches in this node's own name is misconfigured. */
function requestError(state: RaftState, request: FetchRequest): RaftErrorCode {
  if (request.clusterId !== state.config.clusterId) return 'INCONSISTENT_CLUSTER_ID';
  const { maxWaitMs, fetchOffset, lastFetchedEpoch, currentLeaderEpoch: epoch } = request;
  if (maxWaitMs < 0 || fetchOffset < 0 || lastFetchedEpoch < 0 || lastFetchedEpoch > epoch) return 'INVALID_REQUEST';
  if (isSelf(state, request.replicaKey)) return 'INVALID_REQUEST';
  return epochError(state, epoch);
}

/** for fetches of records and of snapshots. */
export function epochError(state: RaftState, epoch: Epoch): RaftErrorCode {
  if (epoch < state.epoch) return 'FENCED_LEADER_EPOCH';
  return epoch > state.epoch ? 'UNKNOWN_LEADER_EPOCH' : 'NONE';
}

/** only a valid fetch says anything about a replica. Identity is node and disk. */
function recordProgress(state: RaftState, effects: RaftEffect[], leader: Leader, request: FetchRequest): void {
  const { replicaKey: key, fetchOffset } = request;
  const voter = voterOf(leader, key);
  const progress = voter ?? observerOf(leader, key);
  if (fetchOffset < progress.endOffset) {
    noticeOnce(
      state,
      effects,
      'warn',
      'replica-lost-data',
      { replica: key, had: progress.endOffset, has: fetchOffset },
      key.id,
    );
  }
  const leo = state.log.endOffset;
  if (fetchOffset >= leo) progress.lastCaughtUpMs = state.now;
  else if (progress.lastFetchMs >= 0 && fetchOffset >= progress.leaderEndOffset) {
    progress.lastCaughtUpMs = Math.max(progress.lastCaughtUpMs, progress.lastFetchMs);
  }
  progress.endOffset = fetchOffset;
  progress.lastFetchMs = state.now;
  progress.leaderEndOffset = leo;
  if (voter !== undefined && noteFetch(leader, voter)) resetCheckQuorum(state, effects, leader);
}

/** records beyond the fetch offset, or a high watermark that the fetcher does not have (KIP-1166). */
function hasAnswer(state: RaftState, leader: Leader, request: FetchRequest): boolean {
  return (
    request.maxWaitMs === 0 ||
    state.log.endOffset > request.fetchOffset ||
    request.highWatermark < announcedHighWatermark(state, leader)
  );
}

function fetchAnswer(state: RaftState, leader: Leader, request: FetchRequest): FetchResponse {
  return {
    type: 'fetch',
    error: 'NONE',
    epoch: state.epoch,
    leaderId: state.leaderId,
    highWatermark: announcedHighWatermark(state, leader),
    diverging: undefined,
    snapshotId: undefined,
    batches: state.log.read(request.fetchOffset, state.config.fetchMaxBytes),
  };
}

// ---- parked fetches ----

function park(state: RaftState, effects: RaftEffect[], leader: Leader, call: CallId, request: FetchRequest): void {
  const waitMs = Math.min(request.maxWaitMs, state.config.fetchMaxWaitMs);
  const deadline = state.now + waitMs;
  leader.parked.push({ call, request, deadline });
  const timer = state.timers.parkedFetch;
  // An earlier setting is left to fire: it re-arms for whoever is left.
  if (!timer.armed || timer.at > deadline) setTimer(state, effects, 'parkedFetch', waitMs);
}

/** After an append or a higher high watermark: whoever has something to read now gets it. */
export function completeParked(state: RaftState, effects: RaftEffect[], leader: Leader): void {
  let kept = 0;
  for (const parked of leader.parked) {
    if (hasAnswer(state, leader, parked.request)) answerParked(state, effects, leader, parked);
    else leader.parked[kept++] = parked;
  }
  leader.parked.length = kept;
}

/** the longest waiting have waited long enough. */
export function expireParked(state: RaftState, effects: RaftEffect[], leader: Leader): void {
  let kept = 0;
  let next = Number.POSITIVE_INFINITY;
  for (const parked of leader.parked) {
    if (parked.deadline <= state.now) {
      answerParked(state, effects, leader, parked);
    } else {
      leader.parked[kept++] = parked;
      next = Math.min(next, parked.deadline);
    }
  }
  leader.parked.length = kept;
  if (kept > 0) setTimer(state, effects, 'parkedFetch', next - state.now);
}

function answerParked(state: RaftState, effects: RaftEffect[], leader: Leader, parked: ParkedFetch): void {
  reply(state, effects, parked.call, fetchAnswer(state, leader, parked.request));
}
