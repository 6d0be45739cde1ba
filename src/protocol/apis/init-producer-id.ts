// InitProducerId (key 22): gives an idempotent or transactional producer its id and epoch. Version 6 (two-phase commit)
// is unstable in Kafka and would be used if advertised.
import type { RequestOf, ResponseOf } from '../api.ts';
import { defineApi } from '../api.ts';
import { int16, int32, int64, string, struct } from '../schema.ts';

const request = struct({
  transactionalId: string({ nullable: '0+', default: null }),
  transactionTimeoutMs: int32(),
  /** What the producer had before, to resume with a higher epoch; -1 for a new one. */
  producerId: int64({ versions: '3+', default: -1 }),
  producerEpoch: int16({ versions: '3+', default: -1 }),
});

const response = struct({
  throttleTimeMs: int32({ default: 0 }),
  errorCode: int16(),
  producerId: int64({ default: -1 }),
  producerEpoch: int16(),
});

export const initProducerIdApi = defineApi({
  key: 22,
  name: 'InitProducerId',
  minVersion: 0,
  maxVersion: 5,
  flexibleFrom: 2,
  request,
  response,
});
export type InitProducerIdRequest = RequestOf<typeof initProducerIdApi>;
export type InitProducerIdResponse = ResponseOf<typeof initProducerIdApi>;
