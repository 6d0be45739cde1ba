// DescribeLogDirs (key 35): the log dirs of the broker that is asked, the room on their disks and the sizes of the replicas there.
import type { RequestOf, ResponseOf } from '../api.ts';
import { defineApi } from '../api.ts';
import type { Encodable } from '../schema.ts';
import { array, bool, int16, int32, int64, string, struct } from '../schema.ts';

const request = struct({
  /** Null: all. */
  topics: array(struct({ topic: string(), partitions: array(int32()) }), { nullable: '0+' }),
});

const result = struct({
  errorCode: int16(),
  /** The path. */
  logDir: string(),
  topics: array(
    struct({
      name: string(),
      partitions: array(
        struct({
          partitionIndex: int32(),
          partitionSize: int64(),
          /** How far the log's end is behind the high watermark. */
          offsetLag: int64(),
          isFutureKey: bool(),
        }),
      ),
    }),
  ),
  /** Of the file system that it is on; -1: not known. */
  totalBytes: int64({ versions: '4+', default: -1, ignorable: true }),
  usableBytes: int64({ versions: '4+', default: -1, ignorable: true }),
});

const response = struct({
  throttleTimeMs: int32({ default: 0 }),
  errorCode: int16({ versions: '3+', default: 0, ignorable: true }),
  results: array(result),
});

export const describeLogDirsApi = defineApi({
  key: 35,
  name: 'DescribeLogDirs',
  minVersion: 1,
  maxVersion: 4,
  flexibleFrom: 2,
  request,
  response,
});
export type DescribeLogDirsRequest = RequestOf<typeof describeLogDirsApi>;
export type DescribeLogDirsResponse = ResponseOf<typeof describeLogDirsApi>;
export type DescribeLogDirsResultInput = Encodable<typeof result>;
