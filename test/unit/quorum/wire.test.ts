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
    const begin = { type: 'beginQuorumEpoch', clusterId: uuid(9), voterKey: KEY, leaderKey: KEY, epoch: 4 } as const;
    const told = { ...begin, leaderEndpoint: 'host:9093' };
    const encoded = proto.BeginQuorumEpochRequest.encode(wire.beginQuorumEpochToProto(told)).finish();
    expect(wire.beginQuorumEpochOf(proto.BeginQuorumEpochRequest.decode(encoded))).toEqual(told);
    expect(wire.beginQuorumEpochToProto(begin).leaderEndpoint).toBe('');
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

  test('every answer says where the leader listens, as far as the sender knows', () => {
    for (const leaderEndpoint of ['host:9093', undefined]) {
      const hint = {
        error: 'NOT_LEADER_OR_FOLLOWER',
        epoch: 3,
        leaderId: 7,
        ...(leaderEndpoint && { leaderEndpoint }),
      } as const;
      const snapshotId = { endOffset: 1, epoch: 1 };
      const piece = {
        ...hint,
        type: 'fetchSnapshot',
        snapshotId,
        sizeBytes: 0,
        position: 0,
        bytes: Buffer.alloc(0),
      } as const;
      const vote = { ...hint, type: 'vote', granted: false, logEmpty: false, voter: KEY } as const;
      const batches = { highWatermark: -1, diverging: undefined, snapshotId: undefined, batches: [] };
      for (const { leaderEndpoint: told } of [
        wire.fetchResponseOf(wire.fetchResponseToProto({ ...hint, ...batches, type: 'fetch' })),
        wire.fetchSnapshotResponseOf(wire.fetchSnapshotResponseToProto(piece)),
        wire.voteResponseOf(wire.voteResponseToProto(vote)),
        wire.quorumEpochResponseOf(wire.quorumEpochResponseToProto({ ...hint, type: 'quorumEpoch' })),
      ]) {
        expect(told).toBe(leaderEndpoint ?? '');
      }
    }
  });

  test('an error that is not known is an error', () => {
    const unknown = { ...proto.FetchResponse.decode(Buffer.alloc(0)), error: 999 as proto.RaftError };
    expect(wire.fetchResponseOf(unknown).error).toBe('INVALID_REQUEST');
  });
});

const CLUSTER = uuid(9);
const FETCH = {
  clusterId: CLUSTER,
  replicaKey: KEY,
  currentLeaderEpoch: 3,
  fetchOffset: 4,
  lastFetchedEpoch: 2,
  maxWaitMs: 10,
  highWatermark: -1,
};
const SNAPSHOT = {
  clusterId: CLUSTER,
  replicaKey: KEY,
  currentLeaderEpoch: 3,
  snapshotId: { endOffset: 9, epoch: 2 },
  position: 0,
  maxBytes: 100,
};
const BEGIN = { clusterId: CLUSTER, epoch: 1, voterKey: KEY, leaderKey: KEY };
const END = { clusterId: CLUSTER, epoch: 1, leaderKey: KEY, preferredSuccessors: [] as object[] };

describe('RaftService', () => {
  const service = raftService(CLUSTER, () => Promise.reject(new Error('the core was asked')));
  const call = (method: string, request: object) =>
    (service.handlers[method] as (a: object, b: object) => Promise<object>)(request, context);

  test.each([
    ['candidate_key', 'vote', { ...VOTE, candidateKey: undefined }],
    ['candidate_key.directory_id', 'vote', { ...VOTE, candidateKey: { id: 1, directoryId: 'short' } }],
    ['voter_key.id', 'vote', { ...VOTE, voterKey: { id: -1, directoryId: '' } }],
    ['epoch', 'vote', { ...VOTE, epoch: -1 }],
    ['last_epoch', 'vote', { ...VOTE, lastEpoch: -1 }],
    ['log_end_offset', 'vote', { ...VOTE, logEndOffset: -1 }],
    ['leader_key', 'beginQuorumEpoch', { ...BEGIN, leaderKey: undefined }],
    ['epoch', 'beginQuorumEpoch', { ...BEGIN, epoch: -2 }],
    [
      'preferred_successors.directory_id',
      'endQuorumEpoch',
      { ...END, preferredSuccessors: [{ id: 1, directoryId: '!' }] },
    ],
    ['preferred_successors', 'endQuorumEpoch', { ...END, preferredSuccessors: Array.from({ length: 101 }, () => KEY) }],
    ['epoch', 'endQuorumEpoch', { ...END, epoch: -1 }],
    ['replica_key', 'fetch', { ...FETCH, replicaKey: undefined }],
    ['current_leader_epoch', 'fetch', { ...FETCH, currentLeaderEpoch: -1 }],
    ['fetch_offset', 'fetch', { ...FETCH, fetchOffset: -1 }],
    ['last_fetched_epoch', 'fetch', { ...FETCH, lastFetchedEpoch: -1 }],
    ['max_wait_ms', 'fetch', { ...FETCH, maxWaitMs: -1 }],
    ['high_watermark', 'fetch', { ...FETCH, highWatermark: -2 }],
    ['snapshot_id', 'fetchSnapshot', { ...SNAPSHOT, snapshotId: undefined }],
    ['snapshot_id.end_offset', 'fetchSnapshot', { ...SNAPSHOT, snapshotId: { endOffset: -1, epoch: 1 } }],
    ['snapshot_id.epoch', 'fetchSnapshot', { ...SNAPSHOT, snapshotId: { endOffset: 1, epoch: -1 } }],
    ['position', 'fetchSnapshot', { ...SNAPSHOT, position: -1 }],
    ['max_bytes', 'fetchSnapshot', { ...SNAPSHOT, maxBytes: 0 }],
  ])('%s of %s is refused by its name', async (field, method, request) => {
    const answer = (async () => call(method, request))();
    await expect(answer).rejects.toBeInstanceOf(RpcError);
    await expect(answer).rejects.toMatchObject({
      status: 'INVALID_ARGUMENT',
      message: expect.stringMatching(new RegExp(`^${field.replace('.', '\\.')} `)),
    });
  });

  test.each([
    ['vote', VOTE],
    ['beginQuorumEpoch', BEGIN],
    ['endQuorumEpoch', END],
    ['fetch', FETCH],
    ['fetchSnapshot', SNAPSHOT],
  ])('%s of another cluster is refused with both clusters named', async (method, request) => {
    const foreign = uuid(8);
    await expect((async () => call(method, { ...request, clusterId: foreign }))()).rejects.toMatchObject({
      status: 'FAILED_PRECONDITION',
      message: expect.stringMatching(new RegExp(`^cluster_id is ${foreign}.*${CLUSTER}`)),
    });
    // What is well formed reaches the core.
    await expect((async () => call(method, request))()).rejects.toThrow('the core was asked');
  });
});

describe('an answer that no core gives is no answer', () => {
  const fetched = (change: object) => ({ ...wire.fetchResponseToProto(FETCH_RESPONSE), ...change });
  const batch = { baseOffset: 5, epoch: 3, control: false, records: [Buffer.from('a')] };
  const piece = {
    ...proto.FetchSnapshotResponse.decode(Buffer.alloc(0)),
    snapshotId: { endOffset: 9, epoch: 2 },
    sizeBytes: 10,
    position: 4,
    bytes: Buffer.alloc(6),
  };

  test('fetch', () => {
    expect(wire.fetchResponseOf(fetched({ batches: [batch] })).batches).toHaveLength(1);
    for (const [field, change] of [
      ['epoch', { epoch: -1 }],
      ['leader_id', { leaderId: -2 }],
      ['high_watermark', { highWatermark: -2 }],
      ['diverging.epoch', { diverging: { epoch: -1, endOffset: 0 } }],
      ['diverging.end_offset', { diverging: { epoch: 1, endOffset: -1 } }],
      ['snapshot_id.end_offset', { snapshotId: { endOffset: -5, epoch: 1 } }],
      ['batches.base_offset', { batches: [{ ...batch, baseOffset: -1 }] }],
      ['batches.epoch', { batches: [{ ...batch, epoch: 0 }] }],
      ['batches.records', { batches: [{ ...batch, records: [] }] }],
      ['batches.records', { batches: [{ ...batch, records: Array.from({ length: 9 }, () => Buffer.alloc(2 ** 20)) }] }],
    ] as const) {
      expect(() => wire.fetchResponseOf(fetched(change)), field).toThrow(field);
    }
  });

  test('a piece of a snapshot', () => {
    expect(wire.fetchSnapshotResponseOf(piece)).toMatchObject({ error: 'NONE', position: 4 });
    for (const change of [{ bytes: Buffer.alloc(0) }, { bytes: Buffer.alloc(7) }, { position: 5 }]) {
      expect(() => wire.fetchSnapshotResponseOf({ ...piece, ...change })).toThrow(/^bytes has/);
    }
    const refused = { ...piece, error: proto.RaftError.SNAPSHOT_NOT_FOUND, bytes: Buffer.alloc(0) };
    expect(wire.fetchSnapshotResponseOf(refused).error).toBe('SNAPSHOT_NOT_FOUND');
  });
});
