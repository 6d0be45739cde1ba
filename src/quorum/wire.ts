// Raft messages of the core <-> protobuf. What comes from a peer is checked here, so that the core sees well-formed values only:
// RpcError INVALID_ARGUMENT names the field and what it takes.
import { asBuffer } from '../base/bytes.ts';
import { isUuid, ZERO_UUID } from '../base/uuid.ts';
import { RpcError } from '../env/network.ts';
import type * as proto from '../gen/kvorum/v1/raft.ts';
import { RaftError } from '../gen/kvorum/v1/raft.ts';
import type {
  Batch,
  BeginQuorumEpochRequest,
  EndQuorumEpochRequest,
  FetchRequest,
  FetchResponse,
  FetchSnapshotRequest,
  FetchSnapshotResponse,
  LeaderHint,
  QuorumEpochResponse,
  RaftErrorCode,
  ReplicaKey,
  SnapshotId,
  VoteRequest,
  VoteResponse,
} from '../raft/types.ts';
import { MAX_BATCH_BYTES, MAX_BATCH_RECORDS, MAX_VOTERS } from './limits.ts';

const ERROR_TO_PROTO: Readonly<Record<RaftErrorCode, RaftError>> = {
  NONE: RaftError.UNSPECIFIED,
  INCONSISTENT_CLUSTER_ID: RaftError.INCONSISTENT_CLUSTER_ID,
  INVALID_REQUEST: RaftError.INVALID_REQUEST,
  FENCED_LEADER_EPOCH: RaftError.FENCED_LEADER_EPOCH,
  UNKNOWN_LEADER_EPOCH: RaftError.UNKNOWN_LEADER_EPOCH,
  NOT_LEADER_OR_FOLLOWER: RaftError.NOT_LEADER_OR_FOLLOWER,
  INVALID_VOTER_KEY: RaftError.INVALID_VOTER_KEY,
  SNAPSHOT_NOT_FOUND: RaftError.SNAPSHOT_NOT_FOUND,
  POSITION_OUT_OF_RANGE: RaftError.POSITION_OUT_OF_RANGE,
};

const ERROR_FROM_PROTO = new Map<RaftError, RaftErrorCode>(
  Object.entries(ERROR_TO_PROTO).map(([name, code]) => [code, name as RaftErrorCode]),
);

/** An error code that this node does not know is an error all the same. */
function errorOf(error: RaftError): RaftErrorCode {
  return ERROR_FROM_PROTO.get(error) ?? 'INVALID_REQUEST';
}

function invalid(field: string, what: string): RpcError {
  return new RpcError('INVALID_ARGUMENT', `${field} ${what}`);
}

/** RpcError unless each value is at least its minimum. Fields are named as in the .proto file. */
function atLeast(minimum: number, fields: Readonly<Record<string, number>>): void {
  for (const [field, value] of Object.entries(fields)) {
    if (value < minimum) throw invalid(field, `is ${value}, it takes ${minimum} or more`);
  }
}

function keyOf(field: string, key: proto.ReplicaKey | undefined): ReplicaKey {
  if (key === undefined) throw invalid(field, 'is missing');
  const directoryId = key.directoryId === '' ? ZERO_UUID : key.directoryId;
  if (!isUuid(directoryId)) throw invalid(`${field}.directory_id`, 'is not a 22-character id');
  atLeast(0, { [`${field}.id`]: key.id });
  return { id: key.id, directoryId };
}

function snapshotIdOf(field: string, id: proto.SnapshotId | undefined): SnapshotId {
  if (id === undefined) throw invalid(field, 'is missing');
  atLeast(0, { [`${field}.end_offset`]: id.endOffset, [`${field}.epoch`]: id.epoch });
  return { endOffset: id.endOffset, epoch: id.epoch };
}

function batchToProto(batch: Batch): proto.RaftBatch {
  return { ...batch, records: [...batch.records] };
}

function batchOf({ baseOffset, epoch, control, records }: proto.RaftBatch): Batch {
  atLeast(0, { 'batches.base_offset': baseOffset });
  atLeast(1, { 'batches.epoch': epoch });
  if (records.length === 0) throw invalid('batches.records', 'is empty');
  if (records.length > MAX_BATCH_RECORDS)
    throw invalid('batches.records', `has more than ${MAX_BATCH_RECORDS} records`);
  let bytes = 0;
  for (const record of records) bytes += record.length;
  if (bytes > MAX_BATCH_BYTES) throw invalid('batches.records', `has more than ${MAX_BATCH_BYTES} bytes`);
  return { baseOffset, epoch, control, records };
}

// ---- requests ----

export function voteRequestOf(message: proto.VoteRequest): VoteRequest {
  const { epoch, lastEpoch, logEndOffset } = message;
  atLeast(0, { epoch, last_epoch: lastEpoch, log_end_offset: logEndOffset });
  return {
    ...message,
    type: 'vote',
    voterKey: keyOf('voter_key', message.voterKey),
    candidateKey: keyOf('candidate_key', message.candidateKey),
  };
}

export function beginQuorumEpochOf(message: proto.BeginQuorumEpochRequest): BeginQuorumEpochRequest {
  atLeast(0, { epoch: message.epoch });
  return {
    ...message,
    type: 'beginQuorumEpoch',
    voterKey: keyOf('voter_key', message.voterKey),
    leaderKey: keyOf('leader_key', message.leaderKey),
  };
}

export function endQuorumEpochOf(message: proto.EndQuorumEpochRequest): EndQuorumEpochRequest {
  const { epoch, preferredSuccessors: successors } = message;
  atLeast(0, { epoch });
  if (successors.length > MAX_VOTERS) throw invalid('preferred_successors', `has more than ${MAX_VOTERS} replicas`);
  return {
    ...message,
    type: 'endQuorumEpoch',
    leaderKey: keyOf('leader_key', message.leaderKey),
    preferredSuccessors: successors.map((key) => keyOf('preferred_successors', key)),
  };
}

export function fetchRequestOf(message: proto.FetchRequest): FetchRequest {
  const { currentLeaderEpoch, fetchOffset, lastFetchedEpoch, maxWaitMs, highWatermark } = message;
  atLeast(0, { current_leader_epoch: currentLeaderEpoch, fetch_offset: fetchOffset });
  atLeast(0, { last_fetched_epoch: lastFetchedEpoch, max_wait_ms: maxWaitMs });
  atLeast(-1, { high_watermark: highWatermark });
  return { ...message, type: 'fetch', replicaKey: keyOf('replica_key', message.replicaKey) };
}

export function fetchSnapshotRequestOf(message: proto.FetchSnapshotRequest): FetchSnapshotRequest {
  const { currentLeaderEpoch, position, maxBytes } = message;
  atLeast(0, { current_leader_epoch: currentLeaderEpoch, position });
  atLeast(1, { max_bytes: maxBytes });
  return {
    ...message,
    type: 'fetchSnapshot',
    snapshotId: snapshotIdOf('snapshot_id', message.snapshotId),
    replicaKey: keyOf('replica_key', message.replicaKey),
  };
}

export function beginQuorumEpochToProto(message: BeginQuorumEpochRequest): proto.BeginQuorumEpochRequest {
  return { ...message, leaderEndpoint: message.leaderEndpoint ?? '' };
}

export function endQuorumEpochToProto(message: EndQuorumEpochRequest): proto.EndQuorumEpochRequest {
  return { ...message, preferredSuccessors: [...message.preferredSuccessors] };
}

// ---- responses ----

/** What every answer says: an epoch, and a leader or -1. */
function knowledgeOf(message: { epoch: number; leaderId: number; leaderEndpoint: string; error: RaftError }) {
  const { epoch, leaderId, leaderEndpoint, error } = message;
  atLeast(0, { epoch });
  atLeast(-1, { leader_id: leaderId });
  return { error: errorOf(error), epoch, leaderId, leaderEndpoint };
}

/** Of an answer of the core: its code, and where the leader listens. */
function hintToProto({ error, leaderEndpoint = '' }: LeaderHint & { readonly error: RaftErrorCode }) {
  return { error: ERROR_TO_PROTO[error], leaderEndpoint };
}

export function voteResponseOf(message: proto.VoteResponse): VoteResponse {
  const { granted, logEmpty } = message;
  return { type: 'vote', ...knowledgeOf(message), granted, logEmpty, voter: keyOf('voter', message.voter) };
}

export function voteResponseToProto(message: VoteResponse): proto.VoteResponse {
  return { ...message, ...hintToProto(message) };
}

export function quorumEpochResponseOf(message: proto.QuorumEpochResponse): QuorumEpochResponse {
  return { type: 'quorumEpoch', ...knowledgeOf(message) };
}

export function quorumEpochResponseToProto(message: QuorumEpochResponse): proto.QuorumEpochResponse {
  return { ...message, ...hintToProto(message) };
}

export function fetchResponseOf(message: proto.FetchResponse): FetchResponse {
  const { highWatermark, diverging, snapshotId, batches } = message;
  atLeast(-1, { high_watermark: highWatermark });
  if (diverging !== undefined) {
    atLeast(0, { 'diverging.epoch': diverging.epoch, 'diverging.end_offset': diverging.endOffset });
  }
  return {
    type: 'fetch',
    ...knowledgeOf(message),
    highWatermark,
    diverging,
    snapshotId: snapshotId === undefined ? undefined : snapshotIdOf('snapshot_id', snapshotId),
    batches: batches.map(batchOf),
  };
}

export function fetchResponseToProto(message: FetchResponse): proto.FetchResponse {
  return { ...message, ...hintToProto(message), batches: message.batches.map(batchToProto) };
}

export function fetchSnapshotResponseOf(message: proto.FetchSnapshotResponse): FetchSnapshotResponse {
  const { sizeBytes, position, bytes } = message;
  atLeast(0, { size_bytes: sizeBytes, position });
  const known = knowledgeOf(message);
  const snapshotId = snapshotIdOf('snapshot_id', message.snapshotId ?? { endOffset: 0, epoch: 0 });
  if (known.error === 'NONE' && (bytes.length === 0 || position + bytes.length > sizeBytes)) {
    throw invalid('bytes', `has ${bytes.length} bytes at ${position} of ${sizeBytes}`);
  }
  return { type: 'fetchSnapshot', ...known, snapshotId, sizeBytes, position, bytes };
}

export function fetchSnapshotResponseToProto(message: FetchSnapshotResponse): proto.FetchSnapshotResponse {
  return { ...message, ...hintToProto(message), bytes: asBuffer(message.bytes) };
}
