// Snapshots of the own state machine: what may become one, what the log keeps, and starting from them.
import { describe, expect, it } from 'vitest';
import { describeQuorum } from '../../../src/raft/describe.ts';
import { votersAsOf } from '../../../src/raft/state.ts';
import { step } from '../../../src/raft/step.ts';
import type { DurableState, RaftEffect, Snapshot } from '../../../src/raft/types.ts';
import { Lab, newCluster } from './lab.ts';
import { diskOf } from './lab-snapshots.ts';
import { keyOf, keys, logOf, quorumState, voterSet } from './notation.ts';

/** Three voters, 1 leads and all have committed `1* 1:a,b 1:c`. */
function committed(): Lab {
  const lab = newCluster(3);
  lab.start(1, 2, 3);
  lab.run();
  lab.propose(1, 'a', 'b');
  lab.propose(1, 'c');
  lab.run();
  return lab;
}

function taken(lab: Lab, id: number, snapshot: Partial<Snapshot>): RaftEffect[] {
  const effects: RaftEffect[] = [];
  const whole = { id: { endOffset: 4, epoch: 1 }, voters: voterSet(1, 2, 3), sizeBytes: 10, ...snapshot };
  step(lab.node(id).state, { type: 'snapshotTaken', now: lab.now, snapshot: whole }, effects);
  return effects;
}

describe('R-10.1 a snapshot that was taken', () => {
  it('enters the catalogue, on followers as on the leader', () => {
    for (const id of [1, 2]) {
      const lab = committed();
      const effects = taken(lab, id, {});
      expect(effects).toMatchObject([
        { type: 'catalogue', snapshots: [{ id: { endOffset: 4, epoch: 1 } }], clearLog: false },
      ]);
    }
  });

  for (const [what, snapshot, reason] of [
    ['above the high watermark', { id: { endOffset: 6, epoch: 1 } }, /high watermark is 5/],
    ['at offset 0', { id: { endOffset: 0, epoch: 0 } }, /ends at 0/],
    ['inside a batch', { id: { endOffset: 3, epoch: 1 } }, /does not end at a batch/],
    ['of another epoch', { id: { endOffset: 4, epoch: 2 } }, /does not end at a batch of that epoch/],
    ['with other voters', { voters: voterSet(1, 2) }, /names other voters/],
    [
      'with another endpoint',
      { voters: voterSet(1, 2, 3).map((voter) => ({ ...voter, endpoint: '' })) },
      /other voters/,
    ],
  ] as const) {
    it(`${what}: the node stops rather than trim its log to it`, () => {
      expect(taken(committed(), 1, snapshot)).toEqual([{ type: 'fatal', reason: expect.stringMatching(reason) }]);
    });
  }

  it('R-10.1 no later than the high watermark, although records follow it', () => {
    const lab = committed();
    lab.isolate(1);
    lab.propose(1, 'uncommitted');
    lab.run();
    expect(taken(lab, 1, { id: { endOffset: 6, epoch: 1 } })).toMatchObject([{ type: 'fatal' }]);
  });

  it('older than the newest of the catalogue: ignored', () => {
    const lab = committed();
    lab.snapshot(1);
    expect(taken(lab, 1, { id: { endOffset: 4, epoch: 1 } })).toEqual([]);
    expect(taken(lab, 1, { id: { endOffset: 5, epoch: 1 } })).toEqual([]);
  });

  it('contains the voters as of its end, not those in force', () => {
    const lab = committed();
    lab.changeVoters(1, { type: 'remove', replica: keyOf(3) });
    const { state } = lab.node(1);
    expect(votersAsOf(state, 5)).toEqual(voterSet(1, 2, 3));
    expect(votersAsOf(state, 6)).toEqual(voterSet(1, 2));
    expect(taken(lab, 1, { id: { endOffset: 5, epoch: 1 } })).toMatchObject([{ type: 'catalogue' }]);
  });
});

describe('R-10.3 the log start', () => {
  it('is the end of the older of the two newest snapshots', () => {
    const lab = committed();
    lab.snapshot(1);
    expect(lab.log(1)).toBe('');
    expect(describeQuorum(lab.node(1).state)).toMatchObject({
      logStartOffset: 5,
      latestSnapshot: { endOffset: 5, epoch: 1 },
    });
    lab.propose(1, 'd');
    lab.run();
    lab.snapshot(1);
    expect(lab.log(1)).toBe('1:d');
    lab.propose(1, 'e');
    lab.run();
    lab.snapshot(1);
    expect(lab.log(1)).toBe('1:e');
    const { state, disk } = lab.node(1);
    expect(describeQuorum(state)).toMatchObject({
      logStartOffset: 6,
      logEndOffset: 7,
      latestSnapshot: { endOffset: 7 },
    });
    // M-5: on disk too, with nothing below.
    expect(disk.snapshots.map(({ id }) => id.endOffset)).toEqual([6, 7]);
    expect(disk.batches.map(({ baseOffset }) => baseOffset)).toEqual([6]);
    expect([...lab.node(1).files.keys()]).toEqual(['6-1', '7-1']);
  });

  it('does not disturb who is caught up, or lags by less than a snapshot', () => {
    const lab = committed();
    lab.snapshot(1);
    lab.cut(1, 3);
    lab.propose(1, 'd');
    lab.run();
    lab.snapshot(1);
    lab.heal();
    lab.advance(3000);
    expect(lab.node(3).machine).toEqual(['a', 'b', 'c', 'd']);
    expect(lab.sent.some(({ message }) => message.type === 'fetchSnapshot')).toBe(false);
    expect(lab.role(1)).toBe('leader 1');
  });

  it('leaves a follower with a log of its own', () => {
    const lab = committed();
    lab.snapshot(2);
    expect([lab.node(1), lab.node(2)].map(({ state }) => state.log.startOffset)).toEqual([0, 5]);
    lab.crash(1);
    lab.until(() => lab.leader() !== undefined);
    lab.advance(100);
    lab.start(1);
    lab.propose(lab.leader() ?? 0, 'd');
    lab.advance(1000);
    for (const id of [1, 2, 3]) expect(lab.node(id).machine).toEqual(['a', 'b', 'c', 'd']);
  });
});

describe('R-1 a start from snapshots', () => {
  const TEXT = '1* 1:a 1:b 2* 2:c';

  function started(ends: number[], change: Partial<DurableState> = {}): Lab {
    const lab = new Lab();
    lab.add(1, [1, 2, 3], { disk: { ...diskOf(keys(1, 2, 3), TEXT, ends, quorumState(2)), ...change } });
    lab.start(1);
    return lab;
  }

  it('R-10.3 loads the newest one first; what it holds is committed; the log begins at the end of the older', () => {
    const lab = started([3, 4]);
    lab.run();
    const { state, machine, voters } = lab.node(1);
    expect(machine).toEqual(['a', 'b']);
    expect([state.log.startOffset, state.highWatermark, state.log.endOffset, state.appliedEndOffset]).toEqual([
      3, 4, 6, 4,
    ]);
    expect(lab.log(1)).toBe('1:b 2* 2:c');
    expect(voters).toEqual([1, 2, 3]);
  });

  it('R-9.1 what is committed above it is applied after it, each record once', () => {
    const lab = new Lab();
    for (const id of [1, 2, 3]) {
      lab.add(id, [1, 2, 3], { disk: diskOf(keys(1, 2, 3), TEXT, [3, 4], quorumState(2)) });
    }
    lab.start(1, 2, 3);
    lab.until(() => lab.leader() !== undefined);
    lab.advance(1000);
    for (const id of [1, 2, 3]) expect(lab.node(id).machine).toEqual(['a', 'b', 'c']);
    expect(lab.node(lab.leader() ?? 0).told).toContain('claim 3');
  });

  it('R-9.2 no claim before the snapshot is applied', () => {
    const lab = new Lab();
    const effects: RaftEffect[] = [];
    lab.add(1, [1], { disk: diskOf(keys(1), TEXT, [4, 6], quorumState(2)) });
    const { state } = lab.node(1);
    step(state, { type: 'start', now: 0, durable: lab.node(1).disk }, effects);
    for (let op = 1; op <= 9; op++) step(state, { type: 'diskDone', now: 0, op }, effects);
    expect(state.role.name).toBe('leader');
    const kinds = effects.map(({ type }) => type);
    expect(kinds.indexOf('loadSnapshot')).toBeLessThan(kinds.indexOf('commit'));
    expect(kinds).not.toContain('claim');
    step(state, { type: 'applied', now: 0, endOffset: 6 }, effects);
    expect(effects.map(({ type }) => type)).not.toContain('claim');
    step(state, { type: 'applied', now: 0, endOffset: state.highWatermark }, effects);
    expect(effects.at(-1)).toEqual({ type: 'claim', epoch: 3 });
  });

  it('knows its last epoch and its voters although its log is empty', () => {
    const lab = started([6]);
    const { state } = lab.node(1);
    expect([lab.log(1), state.log.endOffset, state.log.lastEpoch, state.log.isEmpty]).toEqual(['', 6, 2, false]);
    expect(describeQuorum(state)).toMatchObject({ isVoter: true, logStartOffset: 6, highWatermark: 6 });
  });

  it('R-1.2 a quorum state behind the snapshot is behind the log', () => {
    const lab = started([6], { quorumState: quorumState(1) });
    expect(lab.role(1)).toBe('unattached 2');
    expect(lab.node(1).told).toContain('notice quorum-state-behind-log');
  });

  const snapshot = (endOffset: number, epoch: number): Snapshot => {
    return { id: { endOffset, epoch }, voters: voterSet(1, 2, 3), sizeBytes: 10 };
  };
  const batches = logOf(keys(1, 2, 3), TEXT);
  for (const [what, durable, reason] of [
    [
      'a gap between the oldest and the log',
      { snapshots: [snapshot(2, 1)], batches: batches.slice(2) },
      /base offset 3/,
    ],
    [
      'a newest one beyond the log',
      { snapshots: [snapshot(4, 1), snapshot(9, 2)], batches: batches.slice(3) },
      /does not end/,
    ],
    ['one inside a batch', { snapshots: [snapshot(1, 1)], batches }, /base offset 0/],
    [
      'one of another epoch',
      { snapshots: [snapshot(3, 1), snapshot(5, 1)], batches: batches.slice(2) },
      /of that epoch/,
    ],
    [
      'two in the wrong order',
      { snapshots: [snapshot(5, 2), snapshot(4, 1)], batches: batches.slice(4) },
      /after one at 5/,
    ],
    ['one without voters', { snapshots: [{ ...snapshot(6, 2), voters: [] }], batches: [] }, /names no voters/],
    [
      'other voters than the log',
      { snapshots: [snapshot(3, 1), { ...snapshot(4, 1), voters: voterSet(1) }], batches: batches.slice(2) },
      /other voters/,
    ],
  ] as const) {
    it(`R-1.7, R-10.7 ${what}: the node does not start`, () => {
      const lab = started([], durable);
      expect(lab.node(1).told).toEqual([expect.stringMatching(/^fatal the metadata log is corrupt/)]);
      expect(lab.node(1).told[0]).toMatch(reason);
    });
  }
});
