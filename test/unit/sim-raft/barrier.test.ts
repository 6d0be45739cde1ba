import { describe, expect, it } from 'vitest';
import type { FetchRequest, FetchResponse, QuorumEpochResponse } from '../../../src/raft/types.ts';
import { claims } from '../../../src/sim/raft/checks/claims.ts';
import { durabilityBarrier } from '../../../src/sim/raft/checks/durability-barrier.ts';
import { History, violationOf } from './history.ts';

function fetchRequest(history: History, id: number, epoch: number, fetchOffset: number): FetchRequest {
  return {
    type: 'fetch',
    clusterId: 'c',
    replicaKey: history.key(id),
    currentLeaderEpoch: epoch,
    fetchOffset,
    lastFetchedEpoch: 1,
    maxWaitMs: 0,
    highWatermark: -1,
  };
}

function fetchResponse(epoch: number, leaderId: number): FetchResponse {
  return {
    type: 'fetch',
    error: 'NONE',
    epoch,
    leaderId,
    highWatermark: -1,
    diverging: undefined,
    snapshotId: undefined,
    batches: [],
  };
}

describe('M-5 durability barrier', () => {
  const checkers = () => [durabilityBarrier()];

  it('rejects an epoch that leaves before it is durable', () => {
    const history = new History({ checkers: checkers() }).startAll().writeState(0, 2);
    const answer: QuorumEpochResponse = { type: 'quorumEpoch', error: 'NONE', epoch: 2, leaderId: -1 };
    expect(violationOf(() => history.send(0, answer))).toBe('M-5');
  });

  it('rejects a leader that serves before its leadership is durable', () => {
    const history = new History({ checkers: checkers() })
      .startAll()
      .state(0, 2, { vote: 0 })
      .writeState(0, 2, { leader: 0, vote: 0 });
    expect(violationOf(() => history.send(0, fetchResponse(2, 0)))).toBe('M-5');
  });

  it('rejects a fetch behind an append or a cut that is not durable', () => {
    const appended = new History({ checkers: checkers() }).startAll().state(1, 1).append(1, 1, 'v');
    expect(violationOf(() => appended.send(1, fetchRequest(appended, 1, 1, 1)))).toBe('M-5');
    const cut = new History({ checkers: checkers() })
      .startAll()
      .state(1, 1)
      .append(1, 1, 'v', 'a')
      .sync(1)
      .truncate(1, 1);
    expect(violationOf(() => cut.send(1, fetchRequest(cut, 1, 1, 1)))).toBe('M-5');
  });

  it('accepts an observer that does not flush (R-12.2), and an answer of an epoch that is past', () => {
    const observer = new History({ observers: 1, checkers: checkers() }).startAll().state(3, 1).append(3, 1, 'v');
    expect(violationOf(() => observer.send(3, fetchRequest(observer, 3, 1, 1)))).toBeUndefined();
    const past = new History({ checkers: checkers() }).startAll().state(0, 2, { leader: 0 }).state(0, 3);
    expect(violationOf(() => past.send(0, fetchResponse(2, 0)))).toBeUndefined();
  });
});

describe('R-9.2 claims', () => {
  const led = () => new History({ checkers: [claims] }).startAll().elect(0, 1, 1, 2).sync(0).follow(1, 0).commit(0, 1);

  it('rejects a claim before the first batch of the epoch is applied (B17), or without leadership', () => {
    expect(violationOf(() => led().claim(0, 1))).toBe('R-9.2');
    expect(violationOf(() => led().apply(1, 1).claim(1, 1))).toBe('R-9.2');
  });

  it('rejects a role that ends a claim unsaid, and a renunciation of nothing', () => {
    const history = led().apply(0, 1).claim(0, 1);
    expect(violationOf(() => history.role(0, 'resigned', 1))).toBe('R-9.2');
    expect(violationOf(() => led().renounce(0, 1))).toBe('R-9.2');
  });

  it('accepts a claim, its end, and the next one', () => {
    const history = led().apply(0, 1).claim(0, 1).renounce(0, 1).role(0, 'resigned', 1).role(0, 'unattached', 2);
    expect(violationOf(() => history.elect(0, 3, 1).apply(0, 2).claim(0, 3))).toBeUndefined();
  });
});
