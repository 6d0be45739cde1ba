// R-11 in whole clusters: growing, shrinking, the leader leaving, and the schedules that broke others.
import { describe, expect, it } from 'vitest';
import { describeQuorum } from '../../../src/raft/describe.ts';
import type { VoterChange } from '../../../src/raft/types.ts';
import { Lab, newCluster } from './lab.ts';
import { keyOf, keys, logOf, quorumState, voterOf, voterSet } from './notation.ts';

const add = (id: number, generation = 1): VoterChange => ({ type: 'add', voter: voterOf(keyOf(id, generation)) });
const remove = (id: number, generation = 1): VoterChange => ({ type: 'remove', replica: keyOf(id, generation) });

/** Voters 1..count, 1 leads and has committed `a`. */
function formed(count: number, config = {}): Lab {
  const lab = newCluster(count, config);
  lab.start(...Array.from({ length: count }, (_, i) => i + 1));
  lab.run();
  lab.propose(1, 'a');
  lab.run();
  return lab;
}

/** Adds an observer that knows the first voters, and lets it catch up. */
function observer(lab: Lab, id: number, generation = 1): void {
  const known = lab.node(1).config.voterIds;
  lab.add(id, known, { generation });
  lab.start(id);
  lab.advance(600);
}

function voters(lab: Lab, id: number): number[] {
  return describeQuorum(lab.node(id).state).voters.map(({ replica }) => replica.id);
}

function settled(lab: Lab, ms = 5000): number {
  lab.until(() => lab.leader() !== undefined, ms);
  lab.advance(100);
  const leader = lab.leader();
  if (leader === undefined) throw new Error('a leader');
  return leader;
}

/** Nothing that was committed is lost, and everybody who is up agrees. */
function expectAgreement(lab: Lab, ...records: string[]): void {
  for (const node of lab.nodes.values()) {
    expect(node.told.filter((line) => line.startsWith('fatal'))).toEqual([]);
    if (node.up) expect(node.machine).toEqual(records);
  }
}

describe('R-11 from one voter to two, and back', () => {
  it('the second counts at once: nothing commits without it', () => {
    const lab = formed(1);
    observer(lab, 2);
    lab.isolate(2);
    lab.changeVoters(1, add(2));
    expect(voters(lab, 1)).toEqual([1, 2]);
    lab.propose(1, 'b');
    lab.run();
    expect(lab.node(1).machine).toEqual(['a']);
    lab.heal();
    lab.advance(1500);
    expectAgreement(lab, 'a', 'b');
    expect(voters(lab, 2)).toEqual([1, 2]);
  });

  it('KAFKA-16144 the leader must hear of the second from then on', () => {
    const lab = formed(1);
    observer(lab, 2);
    expect(lab.node(1).timers.has('checkQuorum')).toBe(false);
    lab.changeVoters(1, add(2));
    expect(lab.node(1).timers.has('checkQuorum')).toBe(true);
    lab.advance(10_000);
    expect(lab.role(1)).toBe('leader 1');
    lab.isolate(2);
    lab.advance(3100);
    expect(lab.role(1)).toBe('resigned 1');
  });

  it('R-3 the second stands for election when the first is silent, and needs its vote', () => {
    const lab = formed(1);
    observer(lab, 2);
    lab.changeVoters(1, add(2));
    lab.advance(100);
    lab.isolate(1);
    lab.advance(5000);
    expect(lab.role(2)).toMatch(/^prospective|^follower/);
    expect(lab.node(2).state.epoch).toBe(1);
    lab.heal();
    settled(lab);
    lab.advance(3000);
    expectAgreement(lab, 'a');
  });

  it('without the second the first is alone again: it commits alone and hears of nobody', () => {
    const lab = formed(1);
    observer(lab, 2);
    lab.changeVoters(1, add(2));
    lab.advance(100);
    lab.changeVoters(1, remove(2));
    expect(voters(lab, 1)).toEqual([1]);
    expect(lab.node(1).timers.has('checkQuorum')).toBe(false);
    lab.advance(1000);
    expect(describeQuorum(lab.node(2).state).isVoter).toBe(false);
    lab.crash(2);
    lab.propose(1, 'b');
    lab.advance(10_000);
    expect(lab.node(1).machine).toEqual(['a', 'b']);
    expect(lab.role(1)).toBe('leader 1');
  });

  it('R-11.5 without the first the second leads alone, at once', () => {
    const lab = formed(1);
    observer(lab, 2);
    lab.changeVoters(1, add(2));
    lab.advance(600);
    const from = lab.now;
    lab.changeVoters(1, remove(1));
    lab.until(() => lab.role(2).startsWith('leader'));
    expect(lab.now - from).toBeLessThan(50);
    lab.propose(2, 'b');
    lab.advance(500);
    expectAgreement(lab, 'a', 'b');
    expect([lab.role(1), voters(lab, 1)]).toEqual(['follower 2', [2]]);
  });

  it('a crash before the second has the record that adds it: it votes for the first all the same (R-4.4)', () => {
    const lab = formed(1);
    observer(lab, 2);
    lab.isolate(2);
    lab.changeVoters(1, add(2));
    lab.crash(1);
    lab.heal();
    lab.start(1);
    expect(describeQuorum(lab.node(2).state).isVoter).toBe(false);
    expect(settled(lab)).toBe(1);
    expect(lab.node(1).state.highWatermark).toBe(lab.node(1).state.log.endOffset);
    lab.advance(500);
    expect(voters(lab, 2)).toEqual([1, 2]);
  });
});

describe('R-11.5 the leader is removed', () => {
  it('leads on without counting itself until the record commits, then hands over', () => {
    const lab = formed(3);
    lab.hold = ({ from, to, kind }) => kind === 'response' && from === 1 && to === 3;
    lab.changeVoters(1, remove(1));
    // 2 has it; of 2 and 3 that is no majority.
    expect(lab.log(2)).toMatch(/2,3$/);
    expect([lab.role(1), lab.node(1).state.highWatermark]).toEqual(['leader 1', 3]);
    lab.propose(1, 'b');
    lab.run();
    expect(lab.node(1).told.at(-1)).toBe('proposed 4-4');
    const from = lab.now;
    lab.release();
    lab.until(() => [2, 3].some((id) => lab.role(id).startsWith('leader')));
    expect(lab.now - from).toBeLessThan(50);
    lab.advance(1000);
    expectAgreement(lab, 'a', 'b');
    expect([lab.role(1), voters(lab, 1)]).toEqual([expect.stringMatching(/^follower/), [2, 3]]);
  });

  it('R-5.5 names those that stay as its successors, the furthest first', () => {
    const lab = formed(3);
    lab.changeVoters(1, remove(1));
    const ends = lab.sent.filter(({ message }) => message.type === 'endQuorumEpoch');
    expect(ends.map(({ to }) => to)).toEqual([2, 3]);
    for (const { message } of ends) {
      expect(message).toMatchObject({ epoch: 1, leaderKey: keyOf(1), preferredSuccessors: [keyOf(2), keyOf(3)] });
    }
  });

  it('KAFKA-16530, R-5.4 check quorum: the leader outside the set needs a whole majority of the others', () => {
    const lab = formed(4);
    lab.advance(100);
    // Only 2 has a connection: the record does not commit, and one of three is not enough.
    lab.cut(1, 3);
    lab.cut(1, 4);
    lab.changeVoters(1, remove(1));
    lab.advance(3100);
    expect(lab.node(1).told).toContain('resigned 1');
    lab.heal();
    lab.advance(5000);
    expect(voters(lab, settled(lab))).not.toContain(1);
    expectAgreement(lab, 'a');
  });

  it('R-2.2 the removed does not stand for election, nor raise the epoch', () => {
    const lab = formed(3);
    lab.changeVoters(1, remove(1));
    lab.advance(1000);
    const leader = settled(lab);
    const { epoch } = lab.node(leader).state;
    lab.node(1).told = [];
    lab.isolate(1);
    lab.advance(20_000);
    lab.heal();
    lab.advance(1000);
    expect(lab.node(leader).state.epoch).toBe(epoch);
    expect(lab.node(1).told.join(' ')).not.toMatch(/prospective|candidate/);
  });
});

describe('Ongaro 4.2.2: who alone has the record that removes it may still lead', () => {
  it('the leader of two that removes itself and crashes: the other could not be elected', () => {
    const lab = formed(2);
    lab.isolate(2);
    lab.changeVoters(1, remove(1));
    expect(voters(lab, 1)).toEqual([2]);
    lab.crash(1);
    lab.heal();
    lab.start(1);
    // 2 still needs the vote of 1, whose log is ahead. 1 asks 2, commits the record under the set {2}, and leaves.
    lab.until(() => lab.role(2).startsWith('leader'), 10_000);
    lab.advance(500);
    expect(voters(lab, 2)).toEqual([2]);
    expectAgreement(lab, 'a');
    lab.propose(2, 'b');
    lab.advance(500);
    expectAgreement(lab, 'a', 'b');
  });

  it('the removed voter of four, when the leader has died and the others lack the record', () => {
    const lab = formed(4);
    lab.advance(600);
    lab.cut(1, 2);
    lab.cut(1, 3);
    lab.changeVoters(1, remove(4));
    expect([voters(lab, 4), voters(lab, 2)]).toEqual([
      [1, 2, 3],
      [1, 2, 3, 4],
    ]);
    lab.crash(1);
    lab.heal();
    // 2 and 3 would need 4, who has more than they; of {1, 2, 3} they are a majority.
    lab.until(() => [2, 3].some((id) => lab.role(id).startsWith('leader')), 30_000);
    lab.advance(1000);
    const leader = [2, 3].find((id) => lab.role(id).startsWith('leader')) ?? 0;
    expect(voters(lab, leader)).toEqual([1, 2, 3]);
    lab.propose(leader, 'b');
    lab.advance(500);
    expectAgreement(lab, 'a', 'b');
  });

  it('not once it knows that the record is committed', () => {
    const lab = formed(4);
    lab.changeVoters(1, remove(4));
    lab.advance(600);
    lab.isolate(4);
    lab.advance(20_000);
    expect(lab.role(4)).toBe('follower 1');
    expect(lab.node(4).told.join(' ')).not.toMatch(/prospective/);
  });
});

describe('R-11.3, B23 two sets in one cut', () => {
  it('are both undone: the set in force is the one that is left', () => {
    const lab = new Lab();
    const disk = (text: string, epoch: number, leaderId = -1) => {
      return { quorumState: quorumState(epoch, leaderId), snapshots: [], batches: logOf(keys(1, 2, 3), text) };
    };
    for (const id of [1, 2]) lab.add(id, [1, 2, 3], { disk: disk('1* 4* 4:x', 4) });
    lab.start(1, 2);
    const leader = settled(lab);
    // Two leaders have left a set each on 3 alone.
    lab.add(3, [1, 2, 3], { disk: disk('1* 2* 2^2,3 3* 3^1,3', lab.node(leader).state.epoch, leader) });
    lab.start(3);
    expect(voters(lab, 3)).toEqual([1, 3]);
    lab.advance(1000);
    const cuts = lab.sent.filter(
      ({ to, message }) => to === 3 && 'diverging' in message && message.diverging !== undefined,
    );
    expect(cuts).toHaveLength(1);
    expect(voters(lab, 3)).toEqual([1, 2, 3]);
    expect(lab.node(3).voters).toEqual([1, 2, 3]);
    expect(lab.node(3).state.log.voters).toEqual(voterSet(1, 2, 3));
    expectAgreement(lab, 'x');
  });
});

describe('B22 two leaders, each with one uncommitted change (Ongaro 2015)', () => {
  it('R-11.2 the second may not change the voters before an entry of its own epoch is committed', () => {
    // Of 1 to 4, the first leader adds 5 on its own disk alone.
    const lab = formed(4);
    observer(lab, 5);
    lab.isolate(1);
    lab.changeVoters(1, add(5));
    expect(voters(lab, 1)).toEqual([1, 2, 3, 4, 5]);
    // The second, elected by 2, 3 and 4, would remove 1: with its first batch still on no other disk, it may not.
    lab.hold = ({ kind, message }) =>
      kind === 'response' &&
      message.type === 'fetch' &&
      'batches' in message &&
      message.batches.some((b) => b.epoch > 1);
    lab.until(() => [2, 3, 4].some((id) => lab.role(id).startsWith('leader')), 20_000);
    const second = [2, 3, 4].find((id) => lab.role(id).startsWith('leader')) ?? 0;
    lab.run();
    lab.changeVoters(second, remove(1));
    expect(lab.node(second).told.at(-1)).toBe('voter change refused NOT_READY');
    expect(voters(lab, second)).toEqual([1, 2, 3, 4]);
    // Were it allowed, {second, one more} would be a majority of the three, and {1, 5, one more} one of the five.
    lab.hold = () => false;
    lab.release();
    lab.advance(1000);
    lab.changeVoters(second, remove(1));
    expect(lab.node(second).told.some((line) => line.startsWith('voter change at'))).toBe(true);
    lab.heal();
    lab.advance(8000);
    // The first change is gone with the records of the first leader.
    const leader = settled(lab);
    for (const id of [1, 2, 3, 4, 5]) expect(voters(lab, id)).toEqual([2, 3, 4]);
    expect(lab.role(leader)).toMatch(/^leader/);
    expectAgreement(lab, 'a');
  });
});

describe('R-11.7 a voter whose disk died is replaced', () => {
  it('follows as an observer, is removed under its old and added under its new identity', () => {
    const lab = formed(3);
    lab.crash(3);
    lab.add(3, [1, 2, 3], { generation: 2 });
    lab.start(3);
    lab.advance(600);
    expect(describeQuorum(lab.node(3).state).isVoter).toBe(false);
    lab.changeVoters(1, add(3, 2));
    expect(lab.node(1).told.at(-1)).toBe('voter change refused DUPLICATE_VOTER');
    lab.changeVoters(1, remove(3));
    lab.advance(600);
    lab.changeVoters(1, add(3, 2));
    lab.advance(600);
    expect(describeQuorum(lab.node(3).state).isVoter).toBe(true);
    expect(describeQuorum(lab.node(1).state).voters.map(({ replica }) => replica)).toEqual([
      keyOf(1),
      keyOf(2),
      keyOf(3, 2),
    ]);
    // It carries the quorum.
    lab.crash(2);
    lab.propose(1, 'b');
    lab.advance(100);
    expect(lab.node(3).machine).toEqual(['a', 'b']);
  });
});

describe('R-11.6 finding a leader that became a voter meanwhile', () => {
  /** 4 has taken the place of 2 and leads; 3 was away all the time and knows nothing of it. */
  function ledByNewcomer(): Lab {
    const lab = formed(3);
    lab.crash(3);
    observer(lab, 4);
    lab.changeVoters(1, add(4));
    lab.advance(600);
    lab.changeVoters(1, remove(2));
    lab.advance(600);
    lab.event(1, { type: 'resign', now: lab.now, epoch: 1 });
    expect(settled(lab)).toBe(4);
    return lab;
  }

  it('a voter that was away learns from the others where it listens', () => {
    const lab = ledByNewcomer();
    lab.start(3);
    lab.advance(1000);
    expect(lab.role(3)).toBe(lab.role(4).replace('leader', 'follower'));
    expect(voters(lab, 3)).toEqual([1, 3, 4]);
    const told = lab.sent.filter(({ to, kind }) => to === 3 && kind === 'response').map(({ message }) => message);
    expect(told).toContainEqual(expect.objectContaining({ leaderId: 4, leaderEndpoint: 'host4:9093' }));
  });

  it('so does a broker with an old configuration', () => {
    const lab = ledByNewcomer();
    lab.add(9, [1, 2, 3], { config: { endpoints: new Map() } });
    lab.start(9);
    lab.advance(1000);
    expect(lab.role(9)).toMatch(/^follower/);
    expect(lab.node(9).state.leaderId).toBe(4);
    expect(lab.node(9).machine).toEqual(['a']);
  });

  it('or from the leader itself, which announces itself to every voter', () => {
    const lab = ledByNewcomer();
    // It cannot ask anybody.
    lab.cuts.add('3>1').add('3>2');
    lab.start(3);
    lab.advance(1100);
    expect(lab.node(3).state.leaderId).toBe(4);
    expect(lab.role(3)).toMatch(/^follower/);
  });

  it('R-1.5 after a restart it is asked for anew', () => {
    const lab = ledByNewcomer();
    lab.add(9, [1, 2, 3], { config: { endpoints: new Map() } });
    lab.start(9);
    lab.advance(1000);
    const { disk } = lab.node(9);
    lab.crash(9);
    // It has not got the record that added 4.
    lab.node(9).disk = { ...disk, batches: disk.batches.slice(0, 1) };
    lab.start(9);
    expect(lab.role(9)).toMatch(/^unattached/);
    lab.advance(1000);
    expect(lab.role(9)).toMatch(/^follower/);
    expect(voters(lab, 9)).toEqual([1, 3, 4]);
  });
});

describe('R-11 a new node with an empty log that is configured as a voter', () => {
  it('disturbs nobody: its first election ends with the first answer', () => {
    const lab = formed(3);
    lab.add(4, [1, 2, 3, 4]);
    lab.start(4);
    lab.advance(10_000);
    expect([lab.role(1), lab.role(4)]).toEqual(['leader 1', 'follower 1']);
    expect(voters(lab, 4)).toEqual([1, 2, 3]);
    expect(lab.node(4).machine).toEqual(['a']);
    // Nor while there is no leader: it grants and asks, and is not elected.
    lab.crash(1);
    settled(lab);
    lab.advance(1000);
    expect(lab.leader()).not.toBe(4);
  });
});
