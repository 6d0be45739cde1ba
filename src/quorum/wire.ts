// Raft messages of the core <-> protobuf. What comes from a peer is checked here, so that the core sees well-formed values only.
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
  QuorumEpochResponse,
  RaftErrorCode,
  ReplicaKey,
  VoteRequest,
  VoteResponse,
} from '../raft/types.ts';

const ERROR_TO_PROTO: Readonly<Record<RaftErrorCode, RaftError>> = {
  NONE: RaftError.UNSPECIFIED,
  INCONSISTENT_CLUSTER_ID: RaftError.INCONSISTENT_CLUSTER_ID,
  INVALID_REQUEST: RaftError.INVALID_REQUEST,
  FENCED_LEADER_EPOCH: RaftError.FENCED_LEADER_EPOCH,
  UNKNOWN_LEADER_EPOCH: RaftError.UNKNOWN_LEADER_EPOCH,
  NOT_LEADER_OR_FOLLOWER: RaftError.NOT_LEADER_OR_FOLLOWER,
  INVALID_VOTER_KEY: RaftError.INVALID_VOTER_KEY,
  BROKER_NOT_AVAILABLE: RaftError.BROKER_NOT_AVAILABLE,
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

function keyOf(field: string, key: proto.ReplicaKey | undefined): ReplicaKey {
  if (key === undefined) throw new RpcError('INVALID_ARGUMENT', `${field} is missing`);
  const directoryId = key.directoryId === '' ? ZERO_UUID : key.directoryId;
  if (!isUuid(directoryId)) throw new RpcError('INVALID_ARGUMENT', `${field}.directory_id is not a 22-character id`);
  if (key.id < 0) throw new RpcError('INVALID_ARGUMENT', `${field}.id is negative`);
  return { id: key.id, directoryId };
}

function batchToProto(batch: Batch): proto.RaftBatch {
  return { ...batch, records: [...batch.records] };
}

function batchOf(batch: proto.RaftBatch): Batch {
  return { baseOffset: batch.baseOffset, epoch: batch.epoch, control: batch.control, records: batch.records };
}

export function voteRequestOf(message: proto.VoteRequest): VoteRequest {
  return {
    ...message,
    type: 'vote',
    voterKey: keyOf('voter_key', message.voterKey),
    candidateKey: keyOf('candidate_key', message.candidateKey),
  };
}

export function voteResponseOf(message: proto.VoteResponse): VoteResponse {
  return { ...message, type: 'vote', error: errorOf(message.error), voter: keyOf('voter', message.voter) };
}

export function voteResponseToProto(message: VoteResponse): proto.VoteResponse {
  return { ...message, error: ERROR_TO_PROTO[message.error] };
}

export function beginQuorumEpochOf(message: proto.BeginQuorumEpochRequest): BeginQuorumEpochRequest {
  return {
    ...message,
    type: 'beginQuorumEpoch',
    voterKey: keyOf('voter_key', message.voterKey),
    leaderKey: keyOf('leader_key', message.leaderKey),
  };
}

export function endQuorumEpochOf(message: proto.EndQuorumEpochRequest): EndQuorumEpochRequest {
  return {
    ...message,
    type: 'endQuorumEpoch',
    leaderKey: keyOf('leader_key', message.leaderKey),
    preferredSuccessors: message.preferredSuccessors.map((key) => keyOf('preferred_successors', key)),
  };
}

export function endQuorumEpochToProto(message: EndQuorumEpochRequest): proto.EndQuorumEpochRequest {
  return { ...message, preferredSuccessors: [...message.preferredSuccessors] };
}

export function quorumEpochResponseOf(message: proto.QuorumEpochResponse): QuorumEpochResponse {
  return { ...message, type: 'quorumEpoch', error: errorOf(message.error) };
}

export function quorumEpochResponseToProto(message: QuorumEpochResponse): proto.QuorumEpochResponse {
  return { ...message, error: ERROR_TO_PROTO[message.error] };
}

export function fetchRequestOf(message: proto.FetchRequest): FetchRequest {
  return { ...message, type: 'fetch', replicaKey: keyOf('replica_key', message.replicaKey) };
}

export function fetchResponseOf(message: proto.FetchResponse): FetchResponse {
  return {
    ...message,
    type: 'fetch',
    error: errorOf(message.error),
    diverging: message.diverging,
    snapshotId: message.snapshotId,
    batches: message.batches.map(batchOf),
  };
}

export function fetchResponseToProto(message: FetchResponse): proto.FetchResponse {
  return { ...message, error: ERROR_TO_PROTO[message.error], batches: message.batches.map(batchToProto) };
}

export function fetchSnapshotRequestOf(message: proto.FetchSnapshotRequest): FetchSnapshotRequest {
  const { snapshotId } = message;
  if (snapshotId === undefined) throw new RpcError('INVALID_ARGUMENT', 'snapshot_id is missing');
  return { ...message, type: 'fetchSnapshot', snapshotId, replicaKey: keyOf('replica_key', message.replicaKey) };
}

export function fetchSnapshotResponseOf(message: proto.FetchSnapshotResponse): FetchSnapshotResponse {
  const snapshotId = message.snapshotId ?? { endOffset: 0, epoch: 0 };
  return { ...message, type: 'fetchSnapshot', error: errorOf(message.error), snapshotId };
}

export function fetchSnapshotResponseToProto(message: FetchSnapshotResponse): proto.FetchSnapshotResponse {
  return { ...message, error: ERROR_TO_PROTO[message.error], bytes: asBuffer(message.bytes) };
}
