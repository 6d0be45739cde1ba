import { describe, expect, it } from 'vitest';
import { describeQuorum } from '../../../src/raft/describe.ts';
import { nextVoterToAsk } from '../../../src/raft/unattached.ts';
import { Lab, newCluster } from './lab.ts';
import { keyOf, keys, logOf, quorumState } from './notation.ts';

function formed(count = 3): Lab {
  const lab = newCluster(count);
  lab.start(...lab.nodes.keys());
  lab.run();
  return lab;
}

describe('election after a crash', () => {
  it('a killed leader is replaced, what was committed stays, and it rejoins', () => {
    const lab = formed();
    lab.propose(1, 'a');
    lab.run();
    lab.crash(1);
    lab.until(() => lab.leader() !== undefined);
    const leader = lab.leader() ?? 0;
    lab.propose(leader, 'b');
    lab.advance(100);
    lab.start(1);
    lab.advance(600);
    expect(lab.leader()).toBe(leader);
    for (const id of [1, 2, 3]) expect(lab.log(id)).toBe('1* 1:a 2* 2:b');
    expect(lab.node(1).state.highWatermark).toBe(lab.node(leader).state.log.endOffset);
  });

  it('a killed follower rejoins within a retry, R-0.2 its high watermark unknown until the leader tells', () => {
    const lab = formed();
    lab.crash(3);
    lab.propose(1, 'a');
    lab.advance(1000);
    lab.start(3);
    expect(lab.node(3).state.highWatermark).toBe(-1);
    lab.advance(100);
    expect(lab.log(3)).toBe('1* 1:a');
    expect(lab.node(3).state.highWatermark).toBe(3);
    expect(lab.role(1)).toBe('leader 1');
  });

  it('of everybody at once: one leader, same logs', () => {
    const lab = formed(5);
    lab.propose(1, 'a');
    lab.run();
    for (const id of [1, 2, 3, 4, 5]) lab.crash(id);
    lab.start(1, 2, 3, 4, 5);
    lab.until(() => lab.leader() !== undefined);
    lab.advance(5000);
    for (const id of [1, 2, 3, 4, 5]) expect(lab.log(id)).toBe(lab.log(lab.leader() ?? 0));
  });
});

describe('L-R3 stable leadership', () => {
  it('KIP-996 an isolated voter raises no epoch and disturbs nobody when it returns', () => {
    const lab = formed();
    lab.isolate(3);
    lab.advance(30_000);
    expect(lab.node(3).state.epoch).toBe(1);
    lab.heal();
    lab.advance(5000);
    expect([lab.role(1), lab.role(3)]).toEqual(['leader 1', 'follower 1']);
  });

  it('R-4.6 nor does one that only the leader cannot hear, since the other still fetches', () => {
    const lab = formed();
    lab.cut(1, 3);
    lab.advance(30_000);
    expect(lab.role(1)).toBe('leader 1');
    expect(lab.node(2).state.epoch).toBe(1);
  });
});

describe('R-3 timers', () => {
  it('R-2.4 an old generation is ignored', () => {
    const lab = formed();
    const { told } = lab.node(2);
    const before = told.length;
    for (let generation = 0; generation < 5; generation++) {
      lab.event(2, { type: 'timer', now: lab.now, id: 'election', generation });
    }
    lab.event(2, { type: 'timer', now: lab.now, id: 'fetch', generation: 0 });
    expect(told).toHaveLength(before);
  });

  it('R-3.2 a higher epoch leaves the remaining time of the old timer', () => {
    const lab = newCluster(3);
    lab.start(2);
    const at = lab.node(2).timers.get('election')?.at;
    lab.advance(300);
    lab.ask(2, {
      type: 'vote',
      clusterId: lab.node(2).config.clusterId,
      voterKey: keyOf(2),
      candidateKey: keyOf(1),
      epoch: 7,
      lastEpoch: 0,
      logEndOffset: 0,
      preVote: true,
    });
    expect(lab.role(2)).toBe('unattached 7');
    expect(lab.node(2).timers.get('election')?.at).toBe(at);
  });

  it('R-3.3 errors do not reset the fetch timer', () => {
    const lab = formed();
    lab.advance(1000);
    lab.event(1, { type: 'resign', now: lab.now, epoch: 1 });
    lab.cuts.add('1>2').add('1>3');
    lab.run();
    lab.cuts.clear();
    const at = lab.node(2).timers.get('fetch')?.at;
    lab.advance(100);
    expect(lab.node(2).timers.get('fetch')?.at).toBe(at);
  });
});

describe('answers that come too late', () => {
  /** Node 1 of three in epoch 3, the others not there. */
  function alone(): Lab {
    const lab = new Lab();
    lab.add(1, [1, 2, 3], {
      disk: { quorumState: quorumState(3), snapshots: [], batches: logOf(keys(1, 2, 3), '1*') },
    });
    lab.add(2, [1, 2, 3]);
    lab.hold = ({ from }) => from === 1;
    lab.start(1);
    return lab;
  }
  const asked = (lab: Lab, type: string) => lab.sent.filter(({ to, message }) => to === 2 && message.type === type);

  it('M-6, R-4.9 a grant of an earlier round in the same epoch is not counted', () => {
    const lab = alone();
    lab.until(() => asked(lab, 'vote').length === 2);
    expect(lab.role(1)).toBe('prospective 3');
    const granted = { type: 'vote', error: 'NONE', epoch: 3, leaderId: -1, granted: true, logEmpty: false } as const;
    const answer = (call = 0) =>
      lab.event(1, { type: 'response', now: lab.now, call, message: { ...granted, voter: keyOf(2) } });
    answer(asked(lab, 'vote')[0]?.call);
    expect(lab.role(1)).toBe('prospective 3');
    answer(asked(lab, 'vote')[1]?.call);
    expect(lab.role(1)).toBe('candidate 4');
  });

  it('R-13.3 of a lower epoch: nothing is learned from them', () => {
    const lab = alone();
    lab.until(() => asked(lab, 'fetch').length === 1);
    const message = {
      type: 'fetch',
      error: 'NOT_LEADER_OR_FOLLOWER',
      epoch: 2,
      leaderId: 2,
      highWatermark: -1,
    } as const;
    const call = asked(lab, 'fetch')[0]?.call ?? 0;
    lab.event(1, {
      type: 'response',
      now: lab.now,
      call,
      message: { ...message, diverging: undefined, snapshotId: undefined, batches: [] },
    });
    expect(lab.role(1)).toBe('unattached 3');
    expect(lab.node(1).state.leaderId).toBe(-1);
    expect(lab.node(1).told.join(' ')).not.toContain('fatal');
  });

  it('R-3.2 a candidate whose victory comes too late has an election timeout again', () => {
    const lab = newCluster(3);
    lab.hold = ({ kind, message }) => kind === 'response' && message.type === 'vote' && message.epoch === 1;
    lab.start(1, 2, 3);
    lab.run();
    lab.node(1).diskHangs = true;
    lab.release();
    // Elected, but that cannot be written.
    lab.advance(3000);
    expect(lab.role(1)).toBe('candidate 1');
    const { clusterId } = lab.node(1).config;
    const key = { voterKey: keyOf(1), candidateKey: keyOf(2) };
    lab.ask(1, { type: 'vote', clusterId, ...key, epoch: 9, lastEpoch: 0, logEndOffset: 0, preVote: true });
    expect(lab.role(1)).toBe('unattached 9');
    expect(lab.node(1).timers.has('election')).toBe(true);
  });
});

describe('R-12 observers', () => {
  it('find the leader through any voter, follow, apply what is committed, and are not counted', () => {
    const lab = formed();
    lab.add(9, [3, 2, 1]);
    lab.start(9);
    lab.advance(100);
    expect(lab.role(9)).toBe('follower 1');
    lab.propose(1, 'a');
    lab.run();
    expect(lab.node(9).committedEnd).toBe(3);
    expect(describeQuorum(lab.node(9).state)).toMatchObject({ isVoter: false, leaderId: 1, highWatermark: 3 });
    expect(describeQuorum(lab.node(1).state).observers).toMatchObject([{ replica: keyOf(9), logEndOffset: 3 }]);
    // Two of three voters gone: the observer's copy commits nothing.
    lab.crash(2);
    lab.crash(3);
    lab.propose(1, 'b');
    lab.run();
    expect(lab.log(9)).toBe('1* 1:a 1:b');
    expect(lab.node(9).committedEnd).toBe(3);
  });

  it('find the next leader when theirs is killed, R-2.2 without ever standing for election', () => {
    const lab = formed();
    // It does not wait for its fetch timeout: the failed fetch sends it to the others.
    lab.add(9, [1, 2, 3], { config: { fetchTimeoutMs: 600_000, requestTimeoutMs: 1250 } });
    lab.start(9);
    lab.advance(100);
    lab.crash(1);
    lab.until(() => lab.leader() !== undefined);
    const leader = lab.leader() ?? 0;
    lab.advance(500);
    expect(lab.role(9)).toBe(`follower ${lab.node(leader).state.epoch}`);
    expect(lab.log(9)).toBe(lab.log(leader));
    expect(lab.node(9).told.join(' ')).not.toMatch(/prospective|candidate/);
  });

  it('and when theirs only falls silent', () => {
    const lab = formed();
    lab.add(9, [1, 2, 3]);
    lab.start(9);
    lab.advance(100);
    lab.isolate(1);
    lab.until(() => lab.node(9).state.leaderId > 1, 15_000);
    expect(lab.log(9)).toBe(lab.log(lab.node(9).state.leaderId));
  });

  it('ask the others in turn, not the silent one, which would cost a fetch timeout again', () => {
    const lab = formed();
    lab.add(9, [1, 2, 3]);
    lab.start(9);
    lab.advance(100);
    const { state } = lab.node(9);
    expect(Array.from({ length: 4 }, () => nextVoterToAsk(state, state.leaderId))).toEqual([2, 3, 2, 3]);
  });

  it('wait for a quorum that is not there', () => {
    const lab = newCluster(3);
    lab.add(9, [1, 2, 3]);
    lab.start(9);
    lab.advance(5000);
    lab.start(1, 2, 3);
    lab.advance(300);
    expect(lab.role(9)).toBe('follower 1');
  });
});

describe('R-13 gossip', () => {
  it('another cluster is not believed, and said so once', () => {
    const lab = newCluster(3, {});
    const other = newCluster(3, { clusterId: 'b3RoZXJjbHVzdGVyMDAwMA' });
    const stranger = other.node(2);
    lab.nodes.set(2, stranger);
    lab.start(1, 2, 3);
    lab.advance(10_000);
    expect(lab.leader()).toBeUndefined();
    expect(lab.node(1).told.filter((line) => line === 'notice inconsistent-cluster-id')).toHaveLength(1);
  });
});
