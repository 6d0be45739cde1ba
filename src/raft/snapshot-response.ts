// Taking a snapshot from the leader: piece after piece, then the driver checks and keeps the file, then it stands
// for all of the log. Never one that ends at or below the high watermark, never on a leader: only followers come here.
import { isVoterSet } from './control-record.ts';
import { dropFetchCall, fetchNext, hearLeader, onFetchFailed } from './following.ts';
import { announceVoters } from './identity.ts';
import { cancelTimer, noticeOnce, resetLog, retryLater, setTimer } from './outbox.ts';
import type { Download, Follower } from './roles.ts';
import type { RaftState } from './state.ts';
import type { CallId, FetchSnapshotRequest, FetchSnapshotResponse, RaftEffect, Snapshot, SnapshotId } from './types.ts';

export function sameSnapshot(a: SnapshotId, b: SnapshotId): boolean {
  return a.endOffset === b.endOffset && a.epoch === b.epoch;
}

/** the leader's log begins above the end of this one, or does not meet it. What is wrong with the id, if anything. */
export function beginDownload(state: RaftState, follower: Follower, id: SnapshotId): string | undefined {
  const problem = whyNotWanted(state, id);
  if (problem !== undefined) {
    follower.download = undefined;
    return problem;
  }
  if (follower.download === undefined || !sameSnapshot(follower.download.id, id)) {
    follower.download = { id, position: 0, sizeBytes: undefined };
  }
  return undefined;
}

/**
 * committed state that this log lacks. [ours] Not only a snapshot of a higher (epoch, end): a log that ends earlier
 * with uncommitted records of a higher epoch than the snapshot's has diverged below its end, and must give way too.
 */
function whyNotWanted(state: RaftState, id: SnapshotId): string | undefined {
  const { endOffset, epoch } = id;
  if (endOffset <= state.highWatermark) {
    return `snapshot ends at ${endOffset}, the high watermark is ${state.highWatermark}`;
  }
  if (epoch < 1 || epoch > state.epoch) return `snapshot of epoch ${epoch}`;
  return state.log.contains(id) ? `snapshot ends at ${endOffset}, within the log` : undefined;
}

function isComplete({ position, sizeBytes }: Download): boolean {
  return position === sizeBytes;
}

/** The epoch is the present one. */
export function onFetchSnapshotResponse(
  state: RaftState,
  effects: RaftEffect[],
  follower: Follower,
  call: CallId,
  request: FetchSnapshotRequest,
  response: FetchSnapshotResponse,
): void {
  const { download } = follower;
  if (follower.fetchCall !== call || download === undefined) return;
  follower.fetchCall = undefined;
  if (response.error === 'SNAPSHOT_NOT_FOUND') {
    // begins anew, with a fetch.: the leader is there.
    hearLeader(state, effects, follower);
    follower.download = undefined;
    retryLater(state, effects);
  } else if (response.error !== 'NONE') {
    if (response.error === 'POSITION_OUT_OF_RANGE') follower.download = undefined;
    onFetchFailed(state, effects, follower, state.leaderId);
  } else {
    hearLeader(state, effects, follower);
    takePiece(state, effects, follower, download, request, response);
  }
}

function takePiece(
  state: RaftState,
  effects: RaftEffect[],
  follower: Follower,
  download: Download,
  request: FetchSnapshotRequest,
  { snapshotId, position, sizeBytes, bytes }: FetchSnapshotResponse,
): void {
  const fits =
    sameSnapshot(snapshotId, download.id) &&
    position === request.position &&
    (download.sizeBytes ?? sizeBytes) === sizeBytes &&
    bytes.length > 0 &&
    bytes.length <= request.maxBytes &&
    position + bytes.length <= sizeBytes;
  if (!fits) {
    const fields = { leaderId: state.leaderId, asked: request.snapshotId, position: request.position, snapshotId };
    noticeOnce(state, effects, 'error', 'bad-snapshot-response', fields, state.epoch);
    follower.download = undefined;
    retryLater(state, effects);
    return;
  }
  if (isComplete(download)) {
    askAgainWhileChecked(state, effects);
    return;
  }
  effects.push({ type: 'receiveSnapshot', id: download.id, position, bytes });
  download.sizeBytes = sizeBytes;
  download.position = position + bytes.length;
  if (isComplete(download)) {
    effects.push({ type: 'finishSnapshot', id: download.id, sizeBytes });
    askAgainWhileChecked(state, effects);
  } else {
    fetchNext(state, effects, follower, state.config.fetchMaxWaitMs);
  }
}

/** Checking a large file may take longer than a fetch timeout: the leader is asked for its last byte meanwhile. */
function askAgainWhileChecked(state: RaftState, effects: RaftEffect[]): void {
  setTimer(state, effects, 'retry', Math.max(1, Math.floor(state.config.fetchTimeoutMs / 3)));
}

/** The download that `finishSnapshot` was emitted for, if this is it still. */
function finished(state: RaftState, id: SnapshotId): Follower | undefined {
  const { role } = state;
  if (role.name !== 'follower' || role.download === undefined || !isComplete(role.download)) return undefined;
  return sameSnapshot(role.download.id, id) ? role : undefined;
}

/** What comes after the role has changed is not wanted any more. */
export function onSnapshotReceived(state: RaftState, effects: RaftEffect[], snapshot: Snapshot): void {
  const follower = finished(state, snapshot.id);
  if (follower === undefined) return;
  endDownload(state, effects, follower);
  if (!isVoterSet(snapshot.voters)) {
    rejected(state, effects, snapshot.id, 'it names no voters');
    return;
  }
  if (whyNotWanted(state, snapshot.id) === undefined) {
    const { voters } = state.log;
    resetLog(state, effects, snapshot);
    state.highWatermark = snapshot.id.endOffset;
    effects.push({ type: 'loadSnapshot', snapshot });
    if (state.log.voters !== voters) announceVoters(state, effects);
  }
  fetchNext(state, effects, follower, state.config.fetchMaxWaitMs);
}

/** it was damaged on its way; fetched again, or whatever the leader offers then. */
export function onSnapshotRejected(state: RaftState, effects: RaftEffect[], id: SnapshotId, reason: string): void {
  const follower = finished(state, id);
  if (follower === undefined) return;
  endDownload(state, effects, follower);
  rejected(state, effects, id, reason);
}

/** Nor is the leader asked for its last byte any more. */
function endDownload(state: RaftState, effects: RaftEffect[], follower: Follower): void {
  follower.download = undefined;
  dropFetchCall(state, follower);
  cancelTimer(state, effects, 'retry');
}

function rejected(state: RaftState, effects: RaftEffect[], id: SnapshotId, reason: string): void {
  const fields = { leaderId: state.leaderId, endOffset: id.endOffset, epoch: id.epoch, reason };
  noticeOnce(state, effects, 'warn', 'snapshot-rejected', fields, id.endOffset);
  retryLater(state, effects);
}
