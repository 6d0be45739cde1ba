// Offering and serving snapshots, the leader's side.
import { describe, expect, it } from 'vitest';
import { ZERO_UUID } from '../../../src/base/uuid.ts';
import type { FetchSnapshotRequest, FetchSnapshotResponse } from '../../../src/raft/types.ts';
import type { Lab } from './lab.ts';
import { newCluster } from './lab.ts';
import { CLUSTER, keyOf } from './notation.ts';

/** Three voters, 1 leads epoch 1 and has snapshots 5-1 and 6-1. */
function trimmed(config = {}): Lab {
  const lab = newCluster(3, config);
  lab.start(1, 2, 3);
  lab.run();
  for (const record of ['a', 'b', 'c']) lab.propose(1, record);
  lab.run();
  lab.snapshot(1);
  lab.propose(1, 'd');
  lab.run();
  lab.snapshot(1);
  return lab;
}

const REQUEST: FetchSnapshotRequest = {
  type: 'fetchSnapshot',
  clusterId: CLUSTER,
  replicaKey: keyOf(2),
  currentLeaderEpoch: 1,
  snapshotId: { endOffset: 6, epoch: 1 },
  position: 0,
  maxBytes: 10,
};

function ask(lab: Lab, id: number, change: Partial<FetchSnapshotRequest> = {}): FetchSnapshotResponse {
  return lab.ask(id, { ...REQUEST, ...change }) as FetchSnapshotResponse;
}

describe('R-10.4 FetchSnapshot', () => {
  for (const [what, change, error] of [
    ['another cluster', { clusterId: ZERO_UUID, position: -1 }, 'INCONSISTENT_CLUSTER_ID'],
    ['a negative position', { position: -1, currentLeaderEpoch: 0 }, 'INVALID_REQUEST'],
    ['no bytes asked for', { maxBytes: 0, currentLeaderEpoch: 0 }, 'INVALID_REQUEST'],
    ['a snapshot that ends below 0', { snapshotId: { endOffset: -1, epoch: 1 } }, 'INVALID_REQUEST'],
    ['the own name', { replicaKey: keyOf(1) }, 'INVALID_REQUEST'],
    ['a lower epoch', { currentLeaderEpoch: 0 }, 'FENCED_LEADER_EPOCH'],
    ['a snapshot of that end and another epoch', { snapshotId: { endOffset: 6, epoch: 2 } }, 'SNAPSHOT_NOT_FOUND'],
    ['a snapshot that is gone', { snapshotId: { endOffset: 4, epoch: 1 } }, 'SNAPSHOT_NOT_FOUND'],
    ['R-10.6 the empty snapshot', { snapshotId: { endOffset: 0, epoch: 0 } }, 'SNAPSHOT_NOT_FOUND'],
    ['a position at its end', { position: 1000 }, 'POSITION_OUT_OF_RANGE'],
  ] as const) {
    it(`R-6.1 ${what}: ${error}`, () => {
      expect(ask(trimmed(), 1, change)).toMatchObject({ error, epoch: 1, bytes: new Uint8Array(0) });
    });
  }

  it('R-6.1 a higher epoch: UNKNOWN_LEADER_EPOCH, and taken over', () => {
    const lab = trimmed();
    expect(ask(lab, 1, { currentLeaderEpoch: 7 })).toMatchObject({ error: 'UNKNOWN_LEADER_EPOCH', epoch: 7 });
    expect(lab.role(1)).toBe('unattached 7');
  });

  it('R-6.1 not the leader: NOT_LEADER_OR_FOLLOWER with the leader and where it listens', () => {
    const answer = ask(trimmed(), 2, { replicaKey: keyOf(3) });
    expect(answer).toMatchObject({ error: 'NOT_LEADER_OR_FOLLOWER', leaderId: 1, leaderEndpoint: 'host1:9093' });
  });

  it('serves both snapshots of the catalogue, piece by piece', () => {
    const lab = trimmed({ snapshotChunkBytes: 16 });
    for (const [endOffset, machine] of [
      [5, ['a', 'b', 'c']],
      [6, ['a', 'b', 'c', 'd']],
    ] as const) {
      let bytes = Buffer.alloc(0);
      for (let size = 1; bytes.length < size; ) {
        const answer = ask(lab, 1, { snapshotId: { endOffset, epoch: 1 }, position: bytes.length, maxBytes: 1000 });
        expect(answer).toMatchObject({ error: 'NONE', leaderId: 1, position: bytes.length });
        expect(answer.bytes.length).toBeLessThanOrEqual(16);
        bytes = Buffer.concat([bytes, answer.bytes]);
        size = answer.sizeBytes;
      }
      expect(JSON.parse(bytes.toString())).toMatchObject({ machine });
    }
    expect(ask(lab, 1, { maxBytes: 3 }).bytes).toHaveLength(3);
  });

  it('M-5a leaves when the epoch that it names is durable', () => {
    const lab = newCluster(1);
    lab.start(1);
    lab.run();
    lab.propose(1, 'a');
    lab.run();
    lab.snapshot(1);
    lab.crash(1);
    lab.node(1).diskHangs = true;
    lab.start(1);
    expect(lab.ask(1, { ...REQUEST, currentLeaderEpoch: 3, snapshotId: { endOffset: 3, epoch: 1 } })).toBeUndefined();
  });

  it('R-6.3 says nothing of the replica log: its end stays as its fetches told', () => {
    const lab = trimmed();
    const before = structuredClone(lab.node(1).state.role);
    lab.advance(1);
    ask(lab, 1);
    const { role } = lab.node(1).state;
    if (role.name !== 'leader' || before.name !== 'leader') throw new Error('a leader');
    for (const [i, voter] of role.voters.entries()) {
      expect({ ...voter, fetched: false }).toEqual({ ...before.voters[i], fetched: false });
    }
  });

  it('R-5.4, R-10.4 counts for check quorum, of a voter only', () => {
    const asked = (replicaKey: typeof REQUEST.replicaKey): string => {
      const lab = trimmed();
      lab.isolate(1);
      for (let waited = 0; waited < 5000; waited += 1000) {
        lab.advance(1000);
        const { role } = lab.node(1).state;
        if (role.name !== 'leader') break;
        lab.ask(1, { ...REQUEST, replicaKey });
      }
      return lab.role(1);
    };
    expect(asked(keyOf(2))).toBe('leader 1');
    expect(asked(keyOf(9))).not.toMatch(/leader/);
    expect(asked(keyOf(2, 2))).not.toMatch(/leader/);
  });
});
