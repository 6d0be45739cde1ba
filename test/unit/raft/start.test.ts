import { describe, expect, it } from 'vitest';
import type { RaftConfig, ReplicaKey } from '../../../src/raft/types.ts';
import { Lab } from './lab.ts';
import type { LabNode } from './lab-node.ts';
import { CLUSTER, keyOf, keys, logOf, quorumState } from './notation.ts';

const VOTERS = [1, 2, 3];

interface Disk {
  epoch?: number;
  leaderId?: number;
  votedKey?: ReplicaKey;
  log?: string;
  voterIds?: number[];
  config?: Partial<RaftConfig>;
}

/** Node 1, alone, started from that disk. */
function started({ epoch, leaderId, votedKey, log = '1*', voterIds = VOTERS }: Disk): { lab: Lab; node: LabNode } {
  const lab = new Lab();
  const batches = logOf(
    voterIds.map((id) => keyOf(id)),
    log,
  );
  const state = epoch === undefined ? undefined : quorumState(epoch, leaderId, votedKey);
  const node = lab.add(1, voterIds, { disk: { quorumState: state, snapshots: [], batches } });
  lab.start(1);
  return { lab, node };
}

function vote(epoch: number, candidate: ReplicaKey, preVote = false) {
  const log = { lastEpoch: 1, logEndOffset: 100 };
  return {
    type: 'vote',
    clusterId: CLUSTER,
    voterKey: keyOf(1),
    candidateKey: candidate,
    epoch,
    ...log,
    preVote,
  } as const;
}

describe('R-1 first role after a start', () => {
  it('R-1.1 nothing on disk: epoch 0, no leader, no vote', () => {
    const { node } = started({ log: '' });
    expect(node.told[0]).toBe('unattached 0');
    expect(node.state.votedKey).toBeUndefined();
  });

  it('R-1.2, H-6 quorum state behind the log: the log epoch, without a vote or candidacy in it', () => {
    const { lab, node } = started({ epoch: 1, log: '1* 4*' });
    expect(lab.role(1)).toBe('unattached 4');
    expect(node.told).toContain('notice quorum-state-behind-log');
    expect(lab.ask(1, vote(4, keyOf(2)))).toMatchObject({ epoch: 4, granted: false });
    // Nor after another restart.
    lab.run();
    lab.crash(1);
    lab.start(1);
    expect(lab.role(1)).toBe('unattached 4');
    expect(lab.ask(1, vote(4, keyOf(3)))).toMatchObject({ epoch: 4, granted: false });
    // A higher epoch is fine.
    expect(lab.ask(1, { ...vote(5, keyOf(2)), lastEpoch: 4 })).toMatchObject({ epoch: 5, granted: true });
  });

  it('R-1.3 led: resigned in that epoch, votes for nobody, and goes on to the next', () => {
    const { lab } = started({ epoch: 3, leaderId: 1, votedKey: keyOf(1), log: '1* 3*' });
    expect(lab.role(1)).toBe('resigned 3');
    expect(lab.ask(1, vote(3, keyOf(2)))).toMatchObject({ granted: false, leaderId: -1 });
    lab.advance(1100);
    expect(lab.role(1)).toBe('prospective 4');
  });

  it('R-1.4 voted for itself: candidate in the same epoch', () => {
    const { lab } = started({ epoch: 3, votedKey: keyOf(1) });
    expect(lab.role(1)).toBe('candidate 3');
  });

  it('R-1.4 not with records of that epoch in its log: it has led', () => {
    const { lab } = started({ epoch: 3, votedKey: keyOf(1), log: '1* 3*' });
    expect(lab.role(1)).toBe('unattached 3');
  });

  it('R-2.2 not where it is no voter', () => {
    const lab = new Lab();
    const disk = { quorumState: quorumState(3, -1, keyOf(1)), snapshots: [], batches: logOf(keys(2, 3, 4), '1*') };
    lab.add(1, VOTERS, { disk });
    lab.start(1);
    lab.advance(5000);
    expect(lab.role(1)).toBe('unattached 3');
    expect(lab.node(1).told).toContain('notice configured-voters-differ');
  });

  it('R-1.5 leader known: follower, with the vote kept', () => {
    const { lab, node } = started({ epoch: 3, leaderId: 2, votedKey: keyOf(3) });
    expect(lab.role(1)).toBe('follower 3');
    expect(node.state.votedKey).toEqual(keyOf(3));
  });

  it('R-1.5 leader known but not where it lives: unattached, and no vote in its epoch', () => {
    const { lab } = started({ epoch: 3, leaderId: 9 });
    expect(lab.role(1)).toBe('unattached 3');
    expect(lab.ask(1, vote(3, keyOf(2)))).toMatchObject({ granted: false });
  });

  it('R-1.5 otherwise unattached, with the vote kept', () => {
    const { lab } = started({ epoch: 3, votedKey: keyOf(3) });
    expect(lab.role(1)).toBe('unattached 3');
    expect(lab.ask(1, vote(3, keyOf(2)))).toMatchObject({ granted: false });
    expect(lab.ask(1, vote(3, keyOf(3)))).toMatchObject({ granted: true });
  });

  it('R-1.6 the only voter leads again at once, in a new epoch', () => {
    const { lab } = started({ epoch: 3, leaderId: 1, votedKey: keyOf(1), log: '1* 3*', voterIds: [1] });
    lab.run();
    expect(lab.now).toBe(0);
    expect(lab.role(1)).toBe('leader 5');
    expect(lab.node(1).state.highWatermark).toBe(lab.node(1).state.log.endOffset);
  });

  it('R-1.7 a log that is none: fatal, and deaf afterwards', () => {
    const lab = new Lab();
    const [first, second] = logOf(keys(1, 2, 3), '1* 1:a');
    if (first === undefined || second === undefined) throw new Error('two batches');
    lab.add(1, VOTERS, {
      disk: { quorumState: quorumState(1), snapshots: [], batches: [first, { ...second, baseOffset: 7 }] },
    });
    lab.start(1);
    expect(lab.node(1).told).toEqual([expect.stringMatching(/^fatal .*corrupt/)]);
    lab.advance(5000);
    expect(lab.node(1).told).toHaveLength(1);
  });
});
