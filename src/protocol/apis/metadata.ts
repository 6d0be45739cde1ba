// Metadata (key 3): brokers, topics, partition leaders. In requests null means all topics (an empty list in version 0).
// Topic ids exist from version 10 on, requests by id work from 12 on.
import { ZERO_UUID } from '../../base/uuid.ts';
import type { RequestOf, ResponseOf } from '../api.ts';
import { defineApi } from '../api.ts';
import type { Encodable } from '../schema.ts';
import { array, bool, int16, int32, string, struct, uuid } from '../schema.ts';

const request = struct({
  topics: array(
    struct({
      topicId: uuid({ versions: '10+', default: ZERO_UUID, ignorable: true }),
      name: string({ nullable: '10+' }),
    }),
    { nullable: '1+' },
  ),
  allowAutoTopicCreation: bool({ versions: '4+', default: true }),
  includeClusterAuthorizedOperations: bool({ versions: '8-10', default: false }),
  includeTopicAuthorizedOperations: bool({ versions: '8+', default: false }),
});

/** Authorized operations are a bit set; this stands for "not asked". */
const NOT_ASKED = -2147483648;

const broker = struct({
  nodeId: int32(),
  host: string(),
  port: int32(),
  rack: string({ versions: '1+', nullable: '1+', default: null, ignorable: true }),
});

const partition = struct({
  errorCode: int16(),
  partitionIndex: int32(),
  leaderId: int32(),
  leaderEpoch: int32({ versions: '7+', default: -1, ignorable: true }),
  replicaNodes: array(int32()),
  isrNodes: array(int32()),
  offlineReplicas: array(int32(), { versions: '5+', ignorable: true }),
});

const topic = struct({
  errorCode: int16(),
  /** Null only for an unknown topic that was asked for by id. */
  name: string({ nullable: '12+' }),
  topicId: uuid({ versions: '10+', ignorable: true }),
  isInternal: bool({ versions: '1+', default: false, ignorable: true }),
  partitions: array(partition),
  topicAuthorizedOperations: int32({ versions: '8+', default: NOT_ASKED }),
});

const response = struct({
  throttleTimeMs: int32({ versions: '3+', default: 0, ignorable: true }),
  brokers: array(broker),
  clusterId: string({ versions: '2+', nullable: '2+', default: null, ignorable: true }),
  /** A live broker, -1 if there is none. */
  controllerId: int32({ versions: '1+', default: -1, ignorable: true }),
  topics: array(topic),
  clusterAuthorizedOperations: int32({ versions: '8-10', default: NOT_ASKED }),
});

export const metadataApi = defineApi({
  key: 3,
  name: 'Metadata',
  minVersion: 0,
  maxVersion: 12,
  flexibleFrom: 9,
  request,
  response,
});
export type MetadataRequest = RequestOf<typeof metadataApi>;
export type MetadataResponse = ResponseOf<typeof metadataApi>;
export type MetadataTopicInput = Encodable<typeof topic>;
export type MetadataPartitionInput = Encodable<typeof partition>;
