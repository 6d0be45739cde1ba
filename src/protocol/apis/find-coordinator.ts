// FindCoordinator (key 10): which broker coordinates a group or a transactional id. One key per request up to version 3,
// a batch of keys from 4 on.
import type { RequestOf, ResponseOf } from '../api.ts';
import { defineApi } from '../api.ts';
import { array, int8, int16, int32, string, struct } from '../schema.ts';

const request = struct({
  key: string({ versions: '0-3', default: '' }),
  /** 0 group, 1 transactional id. */
  keyType: int8({ versions: '1+', default: 0 }),
  coordinatorKeys: array(string(), { versions: '4+', default: [] }),
});

const response = struct({
  throttleTimeMs: int32({ versions: '1+', default: 0, ignorable: true }),
  errorCode: int16({ versions: '0-3', default: 0 }),
  errorMessage: string({ versions: '1-3', nullable: '1-3', default: '', ignorable: true }),
  nodeId: int32({ versions: '0-3', default: 0 }),
  host: string({ versions: '0-3', default: '' }),
  port: int32({ versions: '0-3', default: 0 }),
  coordinators: array(
    struct({
      key: string(),
      nodeId: int32(),
      host: string(),
      port: int32(),
      errorCode: int16(),
      errorMessage: string({ nullable: '4+' }),
    }),
    { versions: '4+', default: [] },
  ),
});

export const findCoordinatorApi = defineApi({
  key: 10,
  name: 'FindCoordinator',
  minVersion: 0,
  maxVersion: 4,
  flexibleFrom: 3,
  request,
  response,
});
export type FindCoordinatorRequest = RequestOf<typeof findCoordinatorApi>;
export type FindCoordinatorResponse = ResponseOf<typeof findCoordinatorApi>;
