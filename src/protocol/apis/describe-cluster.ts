// DescribeCluster (key 60): the brokers (or controllers) of the cluster and its id.
import type { RequestOf, ResponseOf } from '../api.ts';
import { defineApi } from '../api.ts';
import { array, bool, int8, int16, int32, string, struct } from '../schema.ts';

const request = struct({
  includeClusterAuthorizedOperations: bool({ default: false }),
  /** 1 brokers, 2 controllers. */
  endpointType: int8({ versions: '1+', default: 1 }),
  includeFencedBrokers: bool({ versions: '2+', default: false }),
});

const response = struct({
  throttleTimeMs: int32({ default: 0 }),
  errorCode: int16(),
  errorMessage: string({ nullable: '0+', default: null }),
  endpointType: int8({ versions: '1+', default: 1 }),
  clusterId: string(),
  controllerId: int32({ default: -1 }),
  brokers: array(
    struct({
      brokerId: int32(),
      host: string(),
      port: int32(),
      rack: string({ nullable: '0+', default: null }),
      isFenced: bool({ versions: '2+', default: false }),
    }),
  ),
  /** A bit set; the smallest int32 stands for "not asked". */
  clusterAuthorizedOperations: int32({ default: -2147483648 }),
});

export const describeClusterApi = defineApi({
  key: 60,
  name: 'DescribeCluster',
  minVersion: 0,
  maxVersion: 2,
  flexibleFrom: 0,
  request,
  response,
});
export type DescribeClusterRequest = RequestOf<typeof describeClusterApi>;
export type DescribeClusterResponse = ResponseOf<typeof describeClusterApi>;
