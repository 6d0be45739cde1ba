// Serving snapshots: the core says which piece of which file, the driver reads it.
import { noteFetch, resetCheckQuorum } from './check-quorum.ts';
import { epochError } from './fetch-request.ts';
import { afterQuorumState, leaderHint, reply } from './outbox.ts';
import { voterOf } from './progress.ts';
import { sameSnapshot } from './snapshot-response.ts';
import type { RaftState } from './state.ts';
import { isSelf } from './state.ts';
import type { CallId, FetchSnapshotRequest, FetchSnapshotResponse, RaftEffect, RaftErrorCode } from './types.ts';
import { becomeUnattached } from './unattached.ts';

export function onFetchSnapshotRequest(
  state: RaftState,
  effects: RaftEffect[],
  call: CallId,
  request: FetchSnapshotRequest,
): void {
  const error = requestError(state, request);
  if (error !== 'NONE') {
    // As for a fetch.
    if (error === 'UNKNOWN_LEADER_EPOCH') becomeUnattached(state, effects, request.currentLeaderEpoch);
    reply(state, effects, call, answer(state, request, error, 0));
    return;
  }
  const leader = state.role;
  if (leader.name !== 'leader') {
    reply(state, effects, call, answer(state, request, 'NOT_LEADER_OR_FOLLOWER', 0));
    return;
  }
  const snapshot = state.snapshots.find(({ id }) => sameSnapshot(id, request.snapshotId));
  if (snapshot === undefined) {
    reply(state, effects, call, answer(state, request, 'SNAPSHOT_NOT_FOUND', 0));
    return;
  }
  const { sizeBytes } = snapshot;
  if (request.position >= sizeBytes) {
    reply(state, effects, call, answer(state, request, 'POSITION_OUT_OF_RANGE', sizeBytes));
    return;
  }
  // it says that the replica is there, and nothing of its log.
  const voter = voterOf(leader, request.replicaKey);
  if (voter !== undefined && noteFetch(leader, voter)) resetCheckQuorum(state, effects, leader);
  const response = answer(state, request, 'NONE', sizeBytes);
  const maxBytes = Math.min(request.maxBytes, state.config.snapshotChunkBytes);
  effects.push({ type: 'serveSnapshot', call, response, maxBytes, after: afterQuorumState(state) });
}

/** up to leadership, for snapshots. */
function requestError(state: RaftState, request: FetchSnapshotRequest): RaftErrorCode {
  const { clusterId, replicaKey, currentLeaderEpoch, snapshotId, position, maxBytes } = request;
  if (clusterId !== state.config.clusterId) return 'INCONSISTENT_CLUSTER_ID';
  if (position < 0 || maxBytes < 1 || snapshotId.endOffset < 0 || snapshotId.epoch < 0) return 'INVALID_REQUEST';
  if (isSelf(state, replicaKey)) return 'INVALID_REQUEST';
  return epochError(state, currentLeaderEpoch);
}

function answer(
  state: RaftState,
  { snapshotId, position }: FetchSnapshotRequest,
  error: RaftErrorCode,
  sizeBytes: number,
): FetchSnapshotResponse {
  return {
    type: 'fetchSnapshot',
    error,
    epoch: state.epoch,
    ...leaderHint(state),
    snapshotId,
    sizeBytes,
    position,
    bytes: NO_BYTES,
  };
}

const NO_BYTES = new Uint8Array(0);
