// ListOffsets (key 2): the offset for a timestamp, or for one of the special timestamps below zero (-1 end, -2 start,
// -3 record with the largest timestamp from version 7, -4 local start from 8, -5 last tiered from 9).
import type { RequestOf, ResponseOf } from '../api.ts';
import { defineApi } from '../api.ts';
import type { Encodable } from '../schema.ts';
import { array, int8, int16, int32, int64, string, struct, wide64 } from '../schema.ts';

const request = struct({
  /** -1 from consumers. */
  replicaId: int32(),
  /** 0 read uncommitted, 1 read committed. */
  isolationLevel: int8({ versions: '2+' }),
  topics: array(
    struct({
      name: string(),
      partitions: array(
        struct({
          partitionIndex: int32(),
          /** -1: do not check. */
          currentLeaderEpoch: int32({ versions: '4+', default: -1, ignorable: true }),
          /** Chosen by the client's user, so any 64-bit number must get an answer. */
          timestamp: wide64(),
        }),
      ),
    }),
  ),
});

const partitionResponse = struct({
  partitionIndex: int32(),
  errorCode: int16(),
  timestamp: int64({ default: -1 }),
  offset: int64({ default: -1 }),
  /** Dropped for old clients, where Kafka's schema would have the broker blank it first. */
  leaderEpoch: int32({ versions: '4+', default: -1, ignorable: true }),
});

const response = struct({
  throttleTimeMs: int32({ versions: '2+', default: 0, ignorable: true }),
  topics: array(struct({ name: string(), partitions: array(partitionResponse) })),
});

export const listOffsetsApi = defineApi({
  key: 2,
  name: 'ListOffsets',
  minVersion: 1,
  maxVersion: 9,
  flexibleFrom: 6,
  request,
  response,
});
export type ListOffsetsRequest = RequestOf<typeof listOffsetsApi>;
export type ListOffsetsResponse = ResponseOf<typeof listOffsetsApi>;
export type ListOffsetsPartitionResponseInput = Encodable<typeof partitionResponse>;
