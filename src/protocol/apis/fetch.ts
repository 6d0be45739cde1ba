// Fetch (key 1): reads record batches, for consumers and for replicas. Topics go by name up to version 12 and by id
// from 13 on; the replica's id is a plain field up to 14 and inside `replicaState` from 15 on.
import { ZERO_UUID } from '../../base/uuid.ts';
import type { RequestOf, ResponseOf } from '../api.ts';
import { defineApi } from '../api.ts';
import { LEADER_ID_AND_EPOCH, nodeEndpoint } from '../leader-hints.ts';
import type { Decoded, Encodable } from '../schema.ts';
import { array, int8, int16, int32, int64, records, string, struct, uuid, wide64 } from '../schema.ts';

/** Exactly one of the two exists in a version. */
const TOPIC = {
  topic: string({ versions: '0-12', default: '', ignorable: true }),
  topicId: uuid({ versions: '13+', default: ZERO_UUID, ignorable: true }),
};

const fetchPartition = struct({
  partition: int32(),
  /** -1: do not check. */
  currentLeaderEpoch: int32({ versions: '9+', default: -1, ignorable: true }),
  /** Chosen by the client's user (seek), so any 64-bit number must get an answer. */
  fetchOffset: wide64(),
  /** Epoch of the record before `fetchOffset`; -1: do not look for divergence. */
  lastFetchedEpoch: int32({ versions: '12+', default: -1 }),
  /** The follower's; -1 from consumers. */
  logStartOffset: int64({ versions: '5+', default: -1, ignorable: true }),
  partitionMaxBytes: int32(),
  replicaDirectoryId: uuid({ versions: '17+', tag: 0, ignorable: true }),
});

const request = struct({
  clusterId: string({ versions: '12+', tag: 0, nullable: '12+', default: null, ignorable: true }),
  replicaId: int32({ versions: '0-14', default: -1 }),
  replicaState: struct(
    {
      replicaId: int32({ default: -1 }),
      replicaEpoch: int64({ default: -1 }),
    },
    { versions: '15+', tag: 1 },
  ),
  maxWaitMs: int32(),
  minBytes: int32(),
  maxBytes: int32({ default: 0x7fffffff }),
  /** 0 read uncommitted, 1 read committed. */
  isolationLevel: int8({ default: 0 }),
  sessionId: int32({ versions: '7+', default: 0, ignorable: true }),
  sessionEpoch: int32({ versions: '7+', default: -1, ignorable: true }),
  topics: array(struct({ ...TOPIC, partitions: array(fetchPartition) })),
  forgottenTopicsData: array(struct({ ...TOPIC, partitions: array(int32()) }), { versions: '7+', default: [] }),
  rackId: string({ versions: '11+', default: '', ignorable: true }),
});

const partitionData = struct({
  partitionIndex: int32(),
  errorCode: int16(),
  highWatermark: int64(),
  lastStableOffset: int64({ default: -1 }),
  logStartOffset: int64({ versions: '5+', default: -1, ignorable: true }),
  divergingEpoch: struct(
    {
      epoch: int32({ default: -1 }),
      endOffset: int64({ default: -1 }),
    },
    { versions: '12+', tag: 0 },
  ),
  currentLeader: struct(LEADER_ID_AND_EPOCH, { versions: '12+', tag: 1 }),
  snapshotId: struct(
    {
      endOffset: int64({ default: -1 }),
      epoch: int32({ default: -1 }),
    },
    { versions: '12+', tag: 2 },
  ),
  /** Null for read-uncommitted fetches. */
  abortedTransactions: array(struct({ producerId: int64(), firstOffset: int64() }), { nullable: '4+' }),
  preferredReadReplica: int32({ versions: '11+', default: -1 }),
  /** Send empty rather than null: some clients read null wrongly. */
  records: records({ nullable: '0+' }),
});

const response = struct({
  throttleTimeMs: int32({ default: 0 }),
  errorCode: int16({ versions: '7+', default: 0, ignorable: true }),
  sessionId: int32({ versions: '7+', default: 0 }),
  responses: array(struct({ ...TOPIC, partitions: array(partitionData) })),
  nodeEndpoints: array(nodeEndpoint, { versions: '16+', tag: 0 }),
});

export const fetchApi = defineApi({
  key: 1,
  name: 'Fetch',
  minVersion: 4,
  maxVersion: 17,
  flexibleFrom: 12,
  request,
  response,
});
export type FetchRequest = RequestOf<typeof fetchApi>;
export type FetchResponse = ResponseOf<typeof fetchApi>;
export type FetchPartition = Decoded<typeof fetchPartition>;
export type FetchPartitionData = Decoded<typeof partitionData>;
export type FetchPartitionDataInput = Encodable<typeof partitionData>;
