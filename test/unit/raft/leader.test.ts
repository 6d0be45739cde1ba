import { describe, expect, it } from 'vitest';
import { ZERO_UUID } from '../../../src/base/uuid.ts';
import { describeQuorum } from '../../../src/raft/describe.ts';
import type { FetchRequest, FetchResponse } from '../../../src/raft/types.ts';
import { Lab, newCluster } from './lab.ts';
import { CLUSTER, keyOf, keys, logOf, quorumState, show } from './notation.ts';

/** Three voters, 1 leads epoch 1, all caught up. */
function formed(config = {}): Lab {
  const lab = newCluster(3, config);
  lab.start(1, 2, 3);
  lab.run();
  return lab;
}

/** Node 1 leads alone for the test to play the others: epoch 3 over a log of epochs 1 and 2. */
function leading(): Lab {
  const lab = new Lab();
  const disk = { quorumState: quorumState(3, -1, keyOf(1)), snapshots: [], batches: logOf(keys(1, 2, 3), '1* 2* 2:a') };
  lab.add(1, [1, 2, 3], { disk });
  lab.start(1);
  lab.run();
  const granted = { type: 'vote', error: 'NONE', epoch: 3, leaderId: -1, granted: true, logEmpty: false } as const;
  const call = lab.sent.find(({ to }) => to === 2)?.call ?? 0;
  lab.nodes.get(1)?.timers.delete('retry');
  lab.add(2, [1, 2, 3]);
  lab.event(1, { type: 'timer', now: lab.now, id: 'retry', generation: 1 });
  const again = lab.sent.findLast(({ to, message }) => to === 2 && message.type === 'vote')?.call ?? call;
  lab.event(1, { type: 'response', now: lab.now, call: again, message: { ...granted, voter: keyOf(2) } });
  lab.run();
  expect(lab.role(1)).toBe('leader 3');
  return lab;
}

const FETCH: FetchRequest = {
  type: 'fetch',
  clusterId: CLUSTER,
  replicaKey: keyOf(2),
  currentLeaderEpoch: 3,
  fetchOffset: 4,
  lastFetchedEpoch: 2,
  maxWaitMs: 500,
  highWatermark: -1,
};

describe('R-5.1 becoming leader', () => {
  it('writes its leadership, then the LeaderChange batch at its log end, high watermark unknown', () => {
    const lab = leading();
    expect(lab.node(1).disk.quorumState).toEqual(quorumState(3, 1, keyOf(1)));
    expect(lab.log(1)).toBe('1* 2* 2:a 3*');
    expect(lab.node(1).state.highWatermark).toBe(-1);
  });

  it('R-6.5 tells no high watermark before it has committed one itself, though it knows one', () => {
    const lab = formed();
    lab.propose(1, 'a');
    lab.run();
    lab.crash(1);
    lab.hold = ({ message }) => message.type === 'fetch';
    lab.until(() => lab.leader() !== undefined);
    const leader = lab.leader() ?? 0;
    expect(lab.node(leader).state.highWatermark).toBe(3);
    lab.hold = () => false;
    const fetch = { ...FETCH, replicaKey: keyOf(9), currentLeaderEpoch: 2, fetchOffset: 0, lastFetchedEpoch: 0 };
    expect(lab.ask(leader, { ...fetch, maxWaitMs: 0 })).toMatchObject({ error: 'NONE', highWatermark: -1 });
  });
});

describe('R-5.2 proposals', () => {
  it('are one atomic batch in the claimed epoch, refused in any other', () => {
    const lab = formed();
    lab.propose(1, 'a', 'b');
    expect(lab.node(1).told.at(-1)).toBe('proposed 2-3');
    lab.event(1, { type: 'propose', now: lab.now, token: 7, claimEpoch: 0, records: [Buffer.from('x')] });
    expect(lab.node(1).told.at(-1)).toBe('refused 1');
    lab.propose(2, 'c');
    expect(lab.node(2).told.at(-1)).toBe('refused 1');
    lab.run();
    for (const id of [1, 2, 3]) expect(show(lab.node(id).committed)).toBe('1* 1:a,b');
  });
});

describe('R-6.1 fetch validation, in order', () => {
  for (const [what, change, error] of [
    ['another cluster', { clusterId: ZERO_UUID, maxWaitMs: -1 }, 'INCONSISTENT_CLUSTER_ID'],
    ['negative wait', { maxWaitMs: -1, currentLeaderEpoch: 9 }, 'INVALID_REQUEST'],
    ['negative offset', { fetchOffset: -1 }, 'INVALID_REQUEST'],
    ['negative last epoch', { lastFetchedEpoch: -1 }, 'INVALID_REQUEST'],
    ['last epoch above the epoch', { lastFetchedEpoch: 4 }, 'INVALID_REQUEST'],
    ["the leader's own name", { replicaKey: keyOf(1) }, 'INVALID_REQUEST'],
    ['inside a batch', { fetchOffset: 1, lastFetchedEpoch: 1 }, 'INVALID_REQUEST'],
    ['old epoch', { currentLeaderEpoch: 2 }, 'FENCED_LEADER_EPOCH'],
  ] as const) {
    it(`${what}: ${error}`, () => {
      const lab = leading();
      const answer = lab.ask(1, { ...FETCH, ...change });
      expect(answer).toMatchObject({ error, epoch: 3, leaderId: 1, batches: [] });
      expect(describeQuorum(lab.node(1).state).voters[1]?.lastFetchMs).toBe(-1);
    });
  }

  it('an epoch above its own: UNKNOWN_LEADER_EPOCH, and taken over', () => {
    const lab = leading();
    expect(lab.ask(1, { ...FETCH, currentLeaderEpoch: 5 })).toMatchObject({ error: 'UNKNOWN_LEADER_EPOCH', epoch: 5 });
    expect(lab.role(1)).toBe('unattached 5');
  });

  it('not the leader: NOT_LEADER_OR_FOLLOWER with the leader', () => {
    const lab = formed();
    expect(lab.ask(2, { ...FETCH, replicaKey: keyOf(3), currentLeaderEpoch: 1, lastFetchedEpoch: 0 })).toMatchObject({
      error: 'NOT_LEADER_OR_FOLLOWER',
      leaderId: 1,
    });
  });
});

describe('R-6.2, R-6.3 where the logs meet', () => {
  it('agreeing: records up to the log end, also uncommitted, high watermark unknown', () => {
    const answer = leading().ask(1, FETCH) as FetchResponse;
    expect(answer).toMatchObject({ error: 'NONE', highWatermark: -1, diverging: undefined });
    expect(show(answer.batches)).toBe('3*');
  });

  it('beyond its end in that epoch, or an epoch it does not have: DIVERGING, and no progress noted', () => {
    const lab = leading();
    for (const [change, diverging] of [
      [
        { fetchOffset: 6, lastFetchedEpoch: 2 },
        { epoch: 2, endOffset: 4 },
      ],
      [
        { fetchOffset: 3, lastFetchedEpoch: 1 },
        { epoch: 1, endOffset: 2 },
      ],
      [
        { fetchOffset: 9, lastFetchedEpoch: 3 },
        { epoch: 3, endOffset: 5 },
      ],
    ] as const) {
      expect(lab.ask(1, { ...FETCH, ...change })).toMatchObject({ error: 'NONE', diverging, batches: [] });
    }
    expect(describeQuorum(lab.node(1).state).voters[1]).toMatchObject({ logEndOffset: -1, lastFetchMs: -1 });
  });

  it('KAFKA-12181 a follower that lost data moves its end down', () => {
    const lab = leading();
    lab.ask(1, { ...FETCH, fetchOffset: 4 });
    lab.ask(1, { ...FETCH, fetchOffset: 2, lastFetchedEpoch: 1 });
    expect(describeQuorum(lab.node(1).state).voters[1]?.logEndOffset).toBe(2);
    expect(lab.node(1).told).toContain('notice replica-lost-data');
  });
});

describe('R-6.4 parked fetches', () => {
  const caughtUp = { ...FETCH, fetchOffset: 5, lastFetchedEpoch: 3 };
  const answers = (lab: Lab) => lab.sent.filter(({ to }) => to === 999).map(({ message }) => message);

  it('are answered at once when nobody may wait', () => {
    expect(leading().ask(1, { ...caughtUp, maxWaitMs: 0 })).toMatchObject({ error: 'NONE', batches: [] });
  });

  it('commit first, then tell the high watermark that the fetch itself has raised', () => {
    const lab = leading();
    expect(lab.ask(1, caughtUp)).toMatchObject({ highWatermark: 5, batches: [] });
  });

  it('end with an append', () => {
    const lab = leading();
    lab.ask(1, caughtUp);
    const before = answers(lab).length;
    lab.ask(1, { ...caughtUp, highWatermark: 5 });
    expect(answers(lab)).toHaveLength(before);
    lab.propose(1, 'x');
    lab.run();
    expect(show((answers(lab).at(-1) as FetchResponse).batches)).toBe('3:x');
  });

  it('end when their time is over, the longest waiting first', () => {
    const lab = leading();
    lab.ask(1, caughtUp);
    const before = answers(lab).length;
    lab.ask(1, { ...caughtUp, highWatermark: 5, maxWaitMs: 200 });
    lab.advance(150);
    lab.ask(1, { ...caughtUp, highWatermark: 5, maxWaitMs: 100, replicaKey: keyOf(9) });
    lab.advance(49);
    expect(answers(lab)).toHaveLength(before);
    lab.advance(1);
    expect(answers(lab)).toHaveLength(before + 1);
    lab.advance(50);
    expect(answers(lab)).toHaveLength(before + 2);
  });

  it('KAFKA-10677, R-2.4 end with an error when leadership ends', () => {
    const lab = leading();
    lab.ask(1, caughtUp);
    lab.ask(1, { ...caughtUp, highWatermark: 5 });
    lab.event(1, { type: 'resign', now: lab.now, epoch: 3 });
    lab.run();
    expect(answers(lab).at(-1)).toMatchObject({ error: 'NOT_LEADER_OR_FOLLOWER', epoch: 3, leaderId: -1 });
  });
});

describe('R-8 commitment by a leader', () => {
  it('R-8.2 counts itself only when flushed', () => {
    const lab = formed();
    lab.cut(1, 3);
    lab.node(1).diskHangs = true;
    lab.propose(1, 'x');
    lab.run();
    expect(lab.log(2)).toBe('1* 1:x');
    expect(lab.node(1).state.highWatermark).toBe(2);
    lab.node(1).diskHangs = false;
    lab.run();
    expect(lab.node(1).state.highWatermark).toBe(3);
  });

  it('R-8.1 but commits without its own disk once a majority of others has it', () => {
    const lab = formed();
    lab.node(1).diskHangs = true;
    lab.propose(1, 'x');
    lab.run();
    expect(lab.node(1).state.highWatermark).toBe(3);
    expect(show(lab.node(1).committed)).toBe('1* 1:x');
  });

  it('R-8.2 a single voter does not commit before its disk does', () => {
    const lab = newCluster(1);
    lab.start(1);
    lab.run();
    lab.node(1).diskHangs = true;
    lab.propose(1, 'x');
    lab.run();
    expect(lab.node(1).state.highWatermark).toBe(2);
  });

  it('M-5b a follower acknowledges only what it has flushed', () => {
    const lab = formed();
    for (const id of [2, 3]) lab.node(id).diskHangs = true;
    lab.propose(1, 'x');
    lab.advance(100);
    expect(lab.log(2)).toBe('1* 1:x');
    expect(lab.node(1).state.highWatermark).toBe(2);
    lab.node(3).diskHangs = false;
    lab.run();
    expect(lab.node(1).state.highWatermark).toBe(3);
  });

  it('R-11.7 a fetch in the name of another disk counts for nothing', () => {
    const lab = leading();
    lab.ask(1, { ...FETCH, replicaKey: keyOf(2, 2), fetchOffset: 5, lastFetchedEpoch: 3 });
    expect(lab.node(1).state.highWatermark).toBe(-1);
    expect(describeQuorum(lab.node(1).state).observers.map(({ replica }) => replica)).toEqual([keyOf(2, 2)]);
  });
});

describe('R-5.3, R-3.4 BeginQuorumEpoch', () => {
  const begins = (lab: Lab, to: number) => lab.sent.filter((e) => e.to === to && e.message.type === 'beginQuorumEpoch');

  it('is sent to every other voter, again after the backoff where nobody listens, and every half fetch timeout to the silent', () => {
    const lab = formed();
    expect(begins(lab, 2)).toHaveLength(1);
    lab.advance(10_000);
    expect(begins(lab, 2)).toHaveLength(1);
    lab.cuts.add('2>1');
    lab.advance(2100);
    expect(begins(lab, 2).length).toBeGreaterThan(1);
  });

  it('R-3.3 does not keep a follower that cannot fetch from leaving', () => {
    const lab = formed();
    // The leader can send, and receives nothing.
    for (const id of [2, 3]) lab.cuts.add(`${id}>1`);
    lab.until(() => lab.node(2).state.epoch > 1 && lab.leader() !== 1, 6000);
    lab.until(() => ['leader', 'resigned', 'follower', 'unattached'].includes(lab.node(1).state.role.name));
    lab.until(() => lab.node(1).state.role.name !== 'leader', 3000);
    expect(lab.leader()).toBeDefined();
  });

  it('of an old epoch is fenced; of the present one it makes followers, also of a prospective', () => {
    const lab = formed();
    const begin = {
      type: 'beginQuorumEpoch',
      clusterId: CLUSTER,
      voterKey: keyOf(2),
      leaderKey: keyOf(1),
      epoch: 1,
    } as const;
    expect(lab.ask(2, { ...begin, epoch: 1 })).toMatchObject({ error: 'NONE' });
    expect(lab.ask(2, { ...begin, epoch: 4, leaderKey: keyOf(3) })).toMatchObject({
      error: 'NONE',
      epoch: 4,
      leaderId: 3,
    });
    expect(lab.ask(2, begin)).toMatchObject({ error: 'FENCED_LEADER_EPOCH', epoch: 4 });
    lab.isolate(2);
    lab.until(() => lab.role(2) === 'prospective 4');
    expect(lab.ask(2, { ...begin, epoch: 4, leaderKey: keyOf(3) })).toMatchObject({ error: 'NONE' });
    expect(lab.role(2)).toBe('follower 4');
  });

  it('R-2.3 by a second leader of one epoch: fatal', () => {
    const lab = formed();
    lab.ask(2, { type: 'beginQuorumEpoch', clusterId: CLUSTER, voterKey: keyOf(2), leaderKey: keyOf(3), epoch: 1 });
    expect(lab.node(2).told.at(-1)).toBe('fatal two leaders of epoch 1: 1 and 3');
  });

  it('R-0.1 meant for another disk: refused, the leader believed', () => {
    const lab = formed();
    const begin = {
      type: 'beginQuorumEpoch',
      clusterId: CLUSTER,
      voterKey: keyOf(2, 2),
      leaderKey: keyOf(3),
      epoch: 2,
    } as const;
    expect(lab.ask(2, begin)).toMatchObject({ error: 'INVALID_VOTER_KEY', epoch: 2, leaderId: 3 });
  });
});

describe('R-5.4 check quorum', () => {
  it('a leader that nobody fetches from resigns after one and a half fetch timeouts', () => {
    const lab = formed();
    const from = lab.now;
    lab.isolate(1);
    lab.until(() => lab.role(1).startsWith('resigned'), 4000);
    expect(lab.now - from).toBeLessThanOrEqual(3000);
    expect(lab.node(1).told).toContain('renounce 1');
  });

  it('one of two others is enough', () => {
    const lab = formed();
    lab.crash(3);
    lab.advance(20_000);
    expect(lab.role(1)).toBe('leader 1');
  });

  it('one of four others is not', () => {
    const lab = newCluster(5);
    lab.start(1, 2, 3, 4, 5);
    lab.run();
    for (const id of [3, 4, 5]) lab.crash(id);
    lab.advance(3100);
    expect(lab.node(1).told).toContain('resigned 1');
  });

  it('observers do not keep it', () => {
    const lab = formed();
    lab.add(9, [1, 2, 3]);
    lab.start(9);
    lab.advance(500);
    for (const id of [2, 3]) lab.crash(id);
    lab.advance(3100);
    expect(lab.role(1)).not.toContain('leader');
  });

  it('KAFKA-16144 a single voter has nobody to hear of', () => {
    const lab = newCluster(1);
    lab.start(1);
    lab.advance(20_000);
    expect(lab.role(1)).toBe('leader 1');
  });
});

describe('R-5.5, R-5.6 resigning', () => {
  it('of another epoch is not meant', () => {
    const lab = formed();
    lab.event(1, { type: 'resign', now: lab.now, epoch: 0 });
    expect(lab.role(1)).toBe('leader 1');
  });

  it('hands over to the voter that has fetched furthest, without waiting for a timeout', () => {
    const lab = formed();
    lab.cut(1, 2);
    lab.propose(1, 'x');
    lab.run();
    lab.heal();
    const from = lab.now;
    lab.event(1, { type: 'resign', now: lab.now, epoch: 1 });
    lab.until(() => lab.leader() === 3);
    expect(lab.now - from).toBeLessThan(50);
    const end = lab.sent.find(({ message }) => message.type === 'endQuorumEpoch')?.message;
    expect(end).toMatchObject({ preferredSuccessors: [keyOf(3), keyOf(2)] });
  });

  it('then stops: the others elect without it, too', () => {
    const lab = formed();
    const from = lab.now;
    lab.event(1, { type: 'resign', now: lab.now, epoch: 1 });
    lab.run();
    lab.crash(1);
    lab.until(() => lab.leader() !== undefined);
    expect(lab.now - from).toBeLessThan(50);
  });

  it('R-2.1 the resigned go on in the next epoch after their election timeout', () => {
    const lab = leading();
    lab.event(1, { type: 'resign', now: lab.now, epoch: 3 });
    expect(lab.ask(1, FETCH)).toMatchObject({ error: 'NOT_LEADER_OR_FOLLOWER', leaderId: -1 });
    lab.advance(1100);
    expect(lab.role(1)).toBe('prospective 4');
    expect(lab.node(1).disk.quorumState).toEqual(quorumState(4));
  });
});
