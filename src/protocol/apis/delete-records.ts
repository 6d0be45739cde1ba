// DeleteRecords (key 21): the start of partitions is moved up to an offset; -1 for all that is committed. Asked of leaders.
import type { RequestOf, ResponseOf } from '../api.ts';
import { defineApi } from '../api.ts';
import { array, int16, int32, int64, string, struct, wide64 } from '../schema.ts';

const request = struct({
  topics: array(
    struct({
      name: string(),
      partitions: array(
        struct({
          partitionIndex: int32(),
          /** Chosen by the client's user, so any 64-bit number must get an answer. -1: the high watermark. */
          offset: wide64(),
        }),
      ),
    }),
  ),
  timeoutMs: int32(),
});

const response = struct({
  throttleTimeMs: int32({ default: 0 }),
  topics: array(
    struct({
      name: string(),
      partitions: array(
        struct({
          partitionIndex: int32(),
          /** -1 with an error. */
          lowWatermark: int64(),
          errorCode: int16(),
        }),
      ),
    }),
  ),
});

export const deleteRecordsApi = defineApi({
  key: 21,
  name: 'DeleteRecords',
  minVersion: 0,
  maxVersion: 2,
  flexibleFrom: 2,
  request,
  response,
});
export type DeleteRecordsRequest = RequestOf<typeof deleteRecordsApi>;
export type DeleteRecordsResponse = ResponseOf<typeof deleteRecordsApi>;
