// OffsetForLeaderEpoch (key 23): where an epoch ended in the leader's log, so that consumers and followers find out
// whether what they have read still exists.
import type { RequestOf, ResponseOf } from '../api.ts';
import { defineApi } from '../api.ts';
import { array, int16, int32, int64, string, struct } from '../schema.ts';

const request = struct({
  /** -1 from consumers; -2, which older requests stand for, may see beyond the high watermark. */
  replicaId: int32({ versions: '3+', default: -2, ignorable: true }),
  topics: array(
    struct({
      topic: string(),
      partitions: array(
        struct({
          partition: int32(),
          /** -1: do not check. */
          currentLeaderEpoch: int32({ default: -1 }),
          leaderEpoch: int32(),
        }),
      ),
    }),
  ),
});

const response = struct({
  throttleTimeMs: int32({ default: 0 }),
  topics: array(
    struct({
      topic: string(),
      partitions: array(
        struct({
          errorCode: int16(),
          partition: int32(),
          /** The largest epoch not above the one asked for, and its end offset; -1 and -1 if unknown. */
          leaderEpoch: int32({ default: -1 }),
          endOffset: int64({ default: -1 }),
        }),
      ),
    }),
  ),
});

export const offsetForLeaderEpochApi = defineApi({
  key: 23,
  name: 'OffsetForLeaderEpoch',
  minVersion: 2,
  maxVersion: 4,
  flexibleFrom: 4,
  request,
  response,
});
export type OffsetForLeaderEpochRequest = RequestOf<typeof offsetForLeaderEpochApi>;
export type OffsetForLeaderEpochResponse = ResponseOf<typeof offsetForLeaderEpochApi>;
