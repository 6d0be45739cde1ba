// The records a follower has asked for: cut where the logs differ, append, commit, fetch again; or take a snapshot instead.
// Only the leader of the present epoch is believed, and only if the log still ends where the fetch began.
import type { Epoch, NodeId } from '../base/ids.ts';
import { fetchNext, hearLeader, onFetchFailed } from './following.ts';
import { raiseHighWatermark } from './high-watermark.ts';
import { announceVoters } from './identity.ts';
import { appendBatches, fatal, noticeOnce, retryLater, truncateLog } from './outbox.ts';
import type { Follower } from './roles.ts';
import { beginDownload } from './snapshot-response.ts';
import type { RaftState } from './state.ts';
import type { Batch, CallId, FetchRequest, FetchResponse, RaftEffect } from './types.ts';

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
  hearLeader(state, effects, follower);
  const problem = takeAnswer(state, effects, follower, response);
  if (problem === undefined) {
    fetchNext(state, effects, follower, state.config.fetchMaxWaitMs);
  } else {
    const fields = { leaderId: state.leaderId, epoch: state.epoch, offset: state.log.endOffset, problem };
    noticeOnce(state, effects, 'error', 'bad-fetch-response', fields, state.epoch);
    retryLater(state, effects);
  }
}

/** What is wrong with it, if anything. */
function takeAnswer(
  state: RaftState,
  effects: RaftEffect[],
  follower: Follower,
  response: FetchResponse,
): string | undefined {
  const { diverging, snapshotId } = response;
  //
  if (snapshotId !== undefined) return beginDownload(state, follower, snapshotId);
  follower.download = undefined;
  if (diverging !== undefined) return cutDiverging(state, effects, diverging.epoch, diverging.endOffset);
  return takeBatches(state, effects, response);
}

/** cuts back to where this log can agree with the leader's, never below the high watermark. */
function cutDiverging(state: RaftState, effects: RaftEffect[], epoch: Epoch, endOffset: number): string | undefined {
  const { log } = state;
  const local = log.endOffsetFor(epoch);
  const common = local.epoch === epoch ? Math.min(local.endOffset, endOffset) : local.endOffset;
  const target = Math.min(common, log.boundaryAtOrBelow(common));
  if (target < state.highWatermark) {
    fatal(
      `leader ${state.leaderId} of epoch ${state.epoch} diverges at ${target}, below the high watermark ${state.highWatermark}`,
    );
  }
  if (target >= log.endOffset) return `diverging at ${endOffset} of epoch ${epoch}, nothing to cut`;
  const { voters } = log;
  truncateLog(state, effects, target);
  //
  if (log.voters !== voters) announceVoters(state, effects);
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
  const { voters } = log;
  // Checked against the log as it will be: the first batch against its end, each further one against its predecessor.
  const problem = log.appendablePrefix(batches, state.epoch);
  const good = problem === undefined ? batches : batches.slice(0, problem.index);
  if (good.length > 0) appendBatches(state, effects, good);
  //
  if (log.voters !== voters) announceVoters(state, effects);
  return problem?.reason;
}
