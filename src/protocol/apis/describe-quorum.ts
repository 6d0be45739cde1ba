// DescribeQuorum (key 55): leader, epoch, voters and observers of the metadata quorum.
import type { RequestOf, ResponseOf } from '../api.ts';
import { defineApi } from '../api.ts';
import type { Encodable } from '../schema.ts';
import { array, int16, int32, int64, string, struct, uint16, uuid } from '../schema.ts';

const request = struct({
  topics: array(
    struct({
      topicName: string(),
      partitions: array(
        struct({
          partitionIndex: int32(),
        }),
      ),
    }),
  ),
});

const replicaState = struct({
  replicaId: int32(),
  /** Dropped for old clients, where Kafka's schema would have the sender blank it first. */
  replicaDirectoryId: uuid({ versions: '2+', ignorable: true }),
  /** -1 if unknown. */
  logEndOffset: int64(),
  /** Wall clock, ms; -1 if unknown, and for the leader itself. */
  lastFetchTimestamp: int64({ versions: '1+', default: -1, ignorable: true }),
  lastCaughtUpTimestamp: int64({ versions: '1+', default: -1, ignorable: true }),
});

const response = struct({
  errorCode: int16(),
  errorMessage: string({ versions: '2+', nullable: '2+', default: '', ignorable: true }),
  topics: array(
    struct({
      topicName: string(),
      partitions: array(
        struct({
          partitionIndex: int32(),
          errorCode: int16(),
          errorMessage: string({ versions: '2+', nullable: '2+', default: '', ignorable: true }),
          leaderId: int32(),
          leaderEpoch: int32(),
          highWatermark: int64(),
          currentVoters: array(replicaState),
          observers: array(replicaState),
        }),
      ),
    }),
  ),
  /** Dropped for old clients, as the directory ids. */
  nodes: array(
    struct({
      nodeId: int32(),
      listeners: array(
        struct({
          name: string(),
          host: string(),
          port: uint16(),
        }),
      ),
    }),
    { versions: '2+', default: [], ignorable: true },
  ),
});

export const describeQuorumApi = defineApi({
  key: 55,
  name: 'DescribeQuorum',
  minVersion: 0,
  maxVersion: 2,
  flexibleFrom: 0,
  request,
  response,
});
export type DescribeQuorumRequest = RequestOf<typeof describeQuorumApi>;
export type DescribeQuorumResponse = ResponseOf<typeof describeQuorumApi>;
export type QuorumReplicaStateInput = Encodable<typeof replicaState>;
