// CreateTopics (key 19): creates topics, or only checks that it could. The answer tells partitions, replication factor
// and configs from version 5, the topic id from 7.
import type { RequestOf, ResponseOf } from '../api.ts';
import { defineApi } from '../api.ts';
import type { Decoded, Encodable } from '../schema.ts';
import { array, bool, int8, int16, int32, string, struct, uuid } from '../schema.ts';

const creatableTopic = struct({
  name: string(),
  /** -1 for the default, or when assignments are given. */
  numPartitions: int32({ default: -1 }),
  /** -1 for the default, or when assignments are given. */
  replicationFactor: int16({ default: -1 }),
  assignments: array(struct({ partitionIndex: int32(), brokerIds: array(int32()) }), { default: [] }),
  configs: array(struct({ name: string(), value: string({ nullable: '0+' }) }), { default: [] }),
});

const request = struct({
  topics: array(creatableTopic),
  timeoutMs: int32({ default: 60000 }),
  validateOnly: bool({ default: false }),
});

const topicResult = struct({
  name: string(),
  topicId: uuid({ versions: '7+', ignorable: true }),
  errorCode: int16(),
  errorMessage: string({ nullable: '0+' }),
  /** Why `configs` is missing, if it is. */
  topicConfigErrorCode: int16({ versions: '5+', tag: 0, ignorable: true }),
  numPartitions: int32({ versions: '5+', default: -1, ignorable: true }),
  replicationFactor: int16({ versions: '5+', default: -1, ignorable: true }),
  configs: array(
    struct({
      name: string(),
      value: string({ nullable: '5+' }),
      readOnly: bool(),
      configSource: int8({ default: -1 }),
      isSensitive: bool(),
    }),
    { versions: '5+', nullable: '5+', default: [], ignorable: true },
  ),
});

const response = struct({
  throttleTimeMs: int32({ default: 0 }),
  topics: array(topicResult),
});

export const createTopicsApi = defineApi({
  key: 19,
  name: 'CreateTopics',
  minVersion: 2,
  maxVersion: 7,
  flexibleFrom: 5,
  request,
  response,
});
export type CreateTopicsRequest = RequestOf<typeof createTopicsApi>;
export type CreateTopicsResponse = ResponseOf<typeof createTopicsApi>;
export type CreatableTopic = Decoded<typeof creatableTopic>;
export type CreatableTopicResultInput = Encodable<typeof topicResult>;
