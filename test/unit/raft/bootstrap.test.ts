import { describe, expect, it } from 'vitest';
import { describeQuorum } from '../../../src/raft/describe.ts';
import { Lab, newCluster } from './lab.ts';
import { keyOf, keys, logOf, quorumState, voterSet } from './notation.ts';

function expectFormed(lab: Lab, leader: number): void {
  expect(lab.leader()).toBe(leader);
  for (const [, node] of lab.nodes) {
    expect(node.state.log.voters).toEqual(lab.node(leader).state.log.voters);
    expect(node.state.highWatermark).toBe(lab.node(leader).state.log.endOffset);
  }
}

describe('R-0.3a a cluster forms', () => {
  it('at once, by its lowest voter, and pins every identity in its first batch', () => {
    const lab = newCluster(3);
    lab.start(1, 2, 3);
    lab.run();
    expectFormed(lab, 1);
    expect(lab.now).toBe(0);
    expect(lab.log(2)).toBe('1*');
    expect(lab.node(3).state.log.voters).toEqual(voterSet(1, 2, 3));
    expect(lab.node(1).told).toContain('claim 1');
  });

  it('R-1.6 of a single voter, without a timer', () => {
    const lab = newCluster(1);
    lab.start(1);
    lab.run();
    expect(lab.role(1)).toBe('leader 1');
    expect(lab.node(1).told.at(-1)).toBe('claim 1');
    lab.propose(1, 'x');
    lab.run();
    expect(lab.node(1).state.highWatermark).toBe(3);
  });

  for (const order of [
    [1, 2, 3],
    [3, 2, 1],
    [2, 3, 1],
    [2, 1, 3],
    [3, 1, 2],
    [1, 3, 2],
  ]) {
    it(`when the nodes start seconds apart, in the order ${order}`, () => {
      const lab = newCluster(3);
      for (const id of order) {
        expect(lab.leader()).toBeUndefined();
        lab.start(id);
        lab.advance(id === order[2] ? 100 : 5300);
      }
      expectFormed(lab, 1);
      expect(lab.node(1).state.epoch).toBe(1);
    });
  }

  it('not before every voter is there, whatever the majority', () => {
    const lab = newCluster(3);
    lab.start(1, 2);
    lab.advance(30_000);
    expect(lab.leader()).toBeUndefined();
    expect(lab.node(1).state.epoch).toBe(0);
    expect(lab.log(1)).toBe('');
  });

  it('also if the lowest voter cannot reach the others', () => {
    const lab = newCluster(3);

    // Its answers pass, its calls do not.
    lab.hold = (envelope) => envelope.from === 1 && envelope.kind === 'request';
    lab.start(1, 2, 3);
    lab.until(() => lab.leader() === 2);
    expect(lab.node(2).state.log.voters).toEqual(voterSet(1, 2, 3));
  });

  it('although its first leader crashed before its first batch was durable: at a higher epoch', () => {
    const lab = newCluster(3);
    lab.start(1, 2, 3);

    // Leadership is durable, the first batch is not, and nobody fetches it.
    lab.hold = (envelope) => envelope.message.type === 'fetch' || envelope.message.type === 'beginQuorumEpoch';
    lab.until(() => lab.role(1) === 'leader 1');
    const { disk } = lab.node(1);
    lab.crash(1);
    lab.node(1).disk = { ...disk, batches: [] };
    lab.hold = () => false;
    lab.held = [];
    expect(lab.node(1).disk.quorumState).toEqual(quorumState(1, 1, keyOf(1)));
    lab.start(1);
    expect(lab.role(1)).toBe('resigned 1');
    lab.until(() => lab.leader() !== undefined);
    lab.advance(600);
    expectFormed(lab, lab.leader() ?? 0);
    expect(lab.node(1).state.epoch).toBeGreaterThan(1);
  });

  it('although all voters restart in the middle of it', () => {
    const lab = newCluster(3);
    lab.hold = ({ message }) => message.type === 'vote' && 'granted' in message && message.epoch === 1;
    lab.start(1, 2, 3);
    lab.run();
    expect(lab.role(1)).toBe('candidate 1');
    for (const id of [1, 2, 3]) lab.crash(id);
    lab.hold = () => false;
    lab.held = [];
    lab.start(1, 2, 3);
    lab.run();
    // in the same epoch, with the votes repeated.
    expectFormed(lab, 1);
    expect(lab.node(1).state.epoch).toBe(1);
  });

  it('after a split first election', () => {
    const lab = newCluster(3);
    lab.hold = () => true;
    lab.start(1, 2, 3);
    lab.advance(1250);
    expect([lab.role(1), lab.role(2)]).toEqual(['prospective 0', 'prospective 0']);
    lab.release();
    lab.until(() => lab.leader() !== undefined);
    lab.advance(600);
    expectFormed(lab, lab.leader() ?? 0);
  });
});

describe('R-0.3a, R-11.7 an empty disk in a cluster that has formed', () => {
  function formed(): Lab {
    const lab = newCluster(3);
    lab.start(1, 2, 3);
    lab.run();
    return lab;
  }

  for (const id of [1, 3]) {
    it(`node ${id} re-formatted is an observer, does not vote, and says so`, () => {
      const lab = formed();
      lab.crash(id);
      lab.until(() => lab.leader() !== undefined && lab.leader() !== id);
      lab.add(id, [1, 2, 3], { generation: 2 });
      lab.start(id);
      lab.advance(3000);
      const leader = lab.leader() ?? 0;
      expect(leader).not.toBe(id);
      expect(lab.role(id)).toMatch(/^follower/);
      expect(lab.log(id)).toBe(lab.log(leader));
      expect(lab.node(id).told).toContain('notice not-a-voter');
      expect(lab.node(id).told.join(' ')).not.toMatch(/candidate|leader/);
      const description = describeQuorum(lab.node(leader).state);
      expect(description.voters.map((voter) => voter.replica)).toEqual(keys(1, 2, 3));
      expect(description.observers.map((observer) => observer.replica)).toEqual([keyOf(id, 2)]);
      expect(describeQuorum(lab.node(id).state).isVoter).toBe(false);
      // It is not counted either: with the other voter gone, nothing commits.
      const other = [1, 2, 3].find((voter) => voter !== id && voter !== leader) ?? 0;
      const before = lab.node(leader).state.highWatermark;
      lab.crash(other);
      lab.propose(leader, 'x');
      lab.advance(1000);
      expect(lab.log(id)).toContain(':x');
      expect(lab.node(leader).state.highWatermark).toBe(before);
      lab.until(() => lab.leader() === undefined);
      lab.advance(20_000);
      expect(lab.leader()).toBeUndefined();
    });
  }

  it('does not elect with a single survivor: two new disks are no majority', () => {
    const lab = formed();
    lab.propose(1, 'acked');
    lab.run();
    for (const id of [1, 2]) {
      lab.crash(id);
      lab.add(id, [1, 2, 3], { generation: 2 });
      lab.start(id);
    }
    lab.advance(30_000);
    expect(lab.leader()).toBeUndefined();
    expect(lab.log(3)).toBe('1* 1:acked');
    expect(lab.node(2).told).toContain('notice bootstrap-refused');
  });

  it('granted the first vote, re-formatted before the first batch: the old identity is pinned, the new one observes', () => {
    const lab = newCluster(3);
    lab.hold = (envelope) => envelope.from === 2 && envelope.message.type === 'vote' && envelope.message.epoch === 1;
    lab.start(1, 2, 3);
    lab.run();
    lab.crash(2);
    lab.add(2, [1, 2, 3], { generation: 2 });
    lab.start(2);
    lab.release();
    lab.advance(200);
    expect(lab.role(1)).toBe('leader 1');
    expect(lab.node(1).state.log.voters).toEqual(voterSet(1, 2, 3));
    expect(lab.node(1).state.highWatermark).toBe(2);
    expect(lab.role(2)).toBe('follower 1');
    expect(lab.node(2).told).toContain('notice not-a-voter');
  });

  it('R-4.4 answers INVALID_VOTER_KEY to a vote asked of the old disk', () => {
    const lab = new Lab();
    lab.add(1, [1, 2, 3], {
      disk: { quorumState: quorumState(1, 1, keyOf(1)), snapshots: [], batches: logOf(keys(1, 2, 3), '1*') },
    });
    lab.add(2, [1, 2, 3], { generation: 2 });
    lab.start(2, 1);
    lab.until(() => lab.sent.some(({ message }) => 'error' in message && message.error === 'INVALID_VOTER_KEY'));
    lab.advance(10_000);
    expect(lab.leader()).toBeUndefined();
  });

  it('a pinned voter whose log is still empty votes under its own identity', () => {
    const lab = new Lab();
    // Node 1 led epoch 1 and has its first batch; 2 and 3 voted for it and have nothing.
    lab.add(1, [1, 2, 3], {
      disk: { quorumState: quorumState(1, 1, keyOf(1)), snapshots: [], batches: logOf(keys(1, 2, 3), '1*') },
    });
    for (const id of [2, 3]) {
      lab.add(id, [1, 2, 3], { disk: { quorumState: quorumState(1, -1, keyOf(1)), snapshots: [], batches: [] } });
    }
    lab.start(1, 2);
    lab.until(() => lab.leader() === 1);
    lab.advance(100);
    expect(lab.log(2)).toBe(lab.log(1));
    expect(lab.node(1).state.highWatermark).toBe(3);
  });
});
