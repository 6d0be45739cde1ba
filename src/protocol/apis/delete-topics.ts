// DeleteTopics (key 20): by name up to version 5, by name or id from 6 on.
import { ZERO_UUID } from '../../base/uuid.ts';
import type { RequestOf, ResponseOf } from '../api.ts';
import { defineApi } from '../api.ts';
import { array, int16, int32, string, struct, uuid } from '../schema.ts';

const request = struct({
  topics: array(
    struct({
      name: string({ nullable: '6+', default: null }),
      topicId: uuid({ default: ZERO_UUID }),
    }),
    { versions: '6+', default: [] },
  ),
  topicNames: array(string(), { versions: '0-5', default: [], ignorable: true }),
  timeoutMs: int32(),
});

const response = struct({
  throttleTimeMs: int32({ default: 0 }),
  responses: array(
    struct({
      name: string({ nullable: '6+' }),
      topicId: uuid({ versions: '6+', ignorable: true }),
      errorCode: int16(),
      errorMessage: string({ versions: '5+', nullable: '5+', default: null, ignorable: true }),
    }),
  ),
});

export const deleteTopicsApi = defineApi({
  key: 20,
  name: 'DeleteTopics',
  minVersion: 1,
  maxVersion: 6,
  flexibleFrom: 4,
  request,
  response,
});
export type DeleteTopicsRequest = RequestOf<typeof deleteTopicsApi>;
export type DeleteTopicsResponse = ResponseOf<typeof deleteTopicsApi>;
