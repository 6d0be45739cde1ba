// Produce (key 0): appends record batches. Versions 0-2 are advertised, since librdkafka takes their absence for a
// broker without compression, but not served. Records may be compressed with zstd from version 7 on.
import type { RequestOf, ResponseOf } from '../api.ts';
import { defineApi } from '../api.ts';
import { LEADER_ID_AND_EPOCH, nodeEndpoint } from '../leader-hints.ts';
import type { Decoded, Encodable } from '../schema.ts';
import { array, int16, int32, int64, records, string, struct } from '../schema.ts';

const partitionData = struct({
  index: int32(),
  records: records({ nullable: '0+' }),
});

const topicData = struct({
  name: string(),
  partitionData: array(partitionData),
});

const request = struct({
  transactionalId: string({ nullable: '3+', default: null }),
  /** 0 none, 1 leader only, -1 all in-sync replicas. */
  acks: int16(),
  timeoutMs: int32(),
  topicData: array(topicData),
});

const partitionResponse = struct({
  index: int32(),
  errorCode: int16(),
  baseOffset: int64(),
  /** -1 unless the topic uses LogAppendTime. */
  logAppendTimeMs: int64({ default: -1 }),
  logStartOffset: int64({ versions: '5+', default: -1, ignorable: true }),
  recordErrors: array(
    struct({
      batchIndex: int32(),
      batchIndexErrorMessage: string({ nullable: '8+', default: null }),
    }),
    { versions: '8+', default: [], ignorable: true },
  ),
  errorMessage: string({ versions: '8+', nullable: '8+', default: null, ignorable: true }),
  currentLeader: struct(LEADER_ID_AND_EPOCH, { versions: '10+', tag: 0 }),
});

const response = struct({
  responses: array(struct({ name: string(), partitionResponses: array(partitionResponse) })),
  throttleTimeMs: int32({ default: 0 }),
  nodeEndpoints: array(nodeEndpoint, { versions: '10+', tag: 0 }),
});

export const produceApi = defineApi({
  key: 0,
  name: 'Produce',
  minVersion: 3,
  maxVersion: 11,
  advertisedMin: 0,
  flexibleFrom: 9,
  request,
  response,
});
export type ProduceRequest = RequestOf<typeof produceApi>;
export type ProduceResponse = ResponseOf<typeof produceApi>;
export type ProducePartitionData = Decoded<typeof partitionData>;
export type ProducePartitionResponseInput = Encodable<typeof partitionResponse>;
