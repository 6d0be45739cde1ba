// Messages of the core through protobuf and back; what a peer may not say is refused before the core sees it.
import { describe, expect, test } from 'vitest';
import { ZERO_UUID } from '../../../src/base/uuid.ts';
import { RpcError } from '../../../src/env/network.ts';
import * as proto from '../../../src/gen/kvorum/v1/raft.ts';
import { raftService } from '../../../src/quorum/service.ts';
import * as wire from '../../../src/quorum/wire.ts';
import type { RaftErrorCode, RaftRequest, RaftResponse } from '../../../src/raft/types.ts';
import { uuid } from '../metadata/fixture.ts';

const KEY = { id: 2, directoryId: uuid(2) };
const ERRORS: RaftErrorCode[] = [
  'NONE',
  'INCONSISTENT_CLUSTER_ID',
  'INVALID_REQUEST',
  'FENCED_LEADER_EPOCH',
  'UNKNOWN_LEADER_EPOCH',
  'NOT_LEADER_OR_FOLLOWER',
  'INVALID_VOTER_KEY',
  'BROKER_NOT_AVAILABLE',
];
const context = { peer: 'test', remainingMs: 1000 };

const VOTE: RaftRequest = {
  type: 'vote',
  clusterId: uuid(9),
  voterKey: { id: 0, directoryId: ZERO_UUID },
  candidateKey: KEY,
  epoch: 7,
  lastEpoch: 6,
  logEndOffset: 2 ** 40,
  preVote: true,
};
const FETCH_RESPONSE: RaftResponse = {
  type: 'fetch',
  error: 'NONE',
  epoch: 3,
  leaderId: 1,
  highWatermark: -1,
  diverging: undefined,
  snapshotId: undefined,
  batches: [{ baseOffset: 5, epoch: 3, control: true, records: [Buffer.from('a'), Buffer.alloc(0)] }],
};

describe('through the encoding of protobuf', () => {
  test('requests', () => {
    const vote = proto.VoteRequest.decode(proto.VoteRequest.encode(VOTE).finish());
    expect(wire.voteRequestOf(vote)).toEqual(VOTE);
    const end = {
      type: 'endQuorumEpoch' as const,
      clusterId: uuid(9),
      leaderKey: KEY,
      epoch: 4,
      preferredSuccessors: [KEY, { id: 3, directoryId: uuid(3) }],
    };
    const sent = proto.EndQuorumEpochRequest.encode(wire.endQuorumEpochToProto(end)).finish();
    expect(wire.endQuorumEpochOf(proto.EndQuorumEpochRequest.decode(sent))).toEqual(end);
  });

  test.each(ERRORS)('%s', (error) => {
    const response = { ...FETCH_RESPONSE, error } as Extract<RaftResponse, { type: 'fetch' }>;
    const sent = proto.FetchResponse.encode(wire.fetchResponseToProto(response)).finish();
    const back = wire.fetchResponseOf(proto.FetchResponse.decode(sent));
    expect(back).toMatchObject({ ...response, batches: [{ baseOffset: 5, epoch: 3, control: true }] });
    expect(back.batches[0]?.records.map((it) => Buffer.from(it).toString())).toEqual(['a', '']);
  });

  test('an error that is not known is an error', () => {
    const unknown = { ...proto.FetchResponse.decode(Buffer.alloc(0)), error: 999 as proto.RaftError };
    expect(wire.fetchResponseOf(unknown).error).toBe('INVALID_REQUEST');
  });
});

describe('RaftService', () => {
  const service = raftService(uuid(9), () => Promise.reject(new Error('the core was asked')));
  const call = (method: string, request: object) =>
    (service.handlers[method] as (a: object, b: object) => Promise<object>)(request, context);

  test.each([
    ['no candidate', 'vote', { ...VOTE, candidateKey: undefined }],
    ['a malformed directory', 'vote', { ...VOTE, candidateKey: { id: 1, directoryId: 'short' } }],
    ['a negative id', 'vote', { ...VOTE, voterKey: { id: -1, directoryId: '' } }],
    ['no leader', 'beginQuorumEpoch', { clusterId: '', epoch: 1, voterKey: KEY }],
    ['a bad successor', 'endQuorumEpoch', { leaderKey: KEY, preferredSuccessors: [{ id: 1, directoryId: '!' }] }],
    ['no replica', 'fetch', { clusterId: '' }],
  ])('%s is INVALID_ARGUMENT', async (_name, method, request) => {
    const answer = (async () => call(method, request))();
    await expect(answer).rejects.toBeInstanceOf(RpcError);
    await expect(answer).rejects.toMatchObject({ status: 'INVALID_ARGUMENT' });
  });
});
