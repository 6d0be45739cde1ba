// Catching up by a snapshot: scenarios of whole clusters, and the follower's side step by step.
import { describe, expect, it } from 'vitest';
import { describeQuorum } from '../../../src/raft/describe.ts';
import { onLeaderRefused } from '../../../src/raft/following.ts';
import type { FetchSnapshotResponse, VoteRequest } from '../../../src/raft/types.ts';
import { Lab, newCluster } from './lab.ts';
import type { Envelope } from './lab-node.ts';
import { diskOf } from './lab-snapshots.ts';
import { CLUSTER, keyOf, keys, quorumState } from './notation.ts';

const isPiece = ({ kind, message }: Envelope) => kind === 'response' && message.type === 'fetchSnapshot';
const asksForPiece = ({ kind, message }: Envelope) => kind === 'request' && message.type === 'fetchSnapshot';

/** Three voters, 1 leads; 3 has missed the records `a` to `e`, of which the leader keeps only a snapshot. */
function behind(config = {}): Lab {
  const lab = newCluster(3, config);
  lab.start(1, 2, 3);
  lab.run();
  lab.crash(3);
  for (const record of ['a', 'b', 'c', 'd', 'e']) lab.propose(1, record);
  lab.run();
  lab.snapshot(1);
  return lab;
}

/** Positions that node 3 has asked for. */
function positions(lab: Lab): number[] {
  return lab.sent.flatMap(({ from, message }) =>
    from === 3 && message.type === 'fetchSnapshot' && !('bytes' in message) ? [message.position] : [],
  );
}

describe('R-10.5 a follower catches up by a snapshot', () => {
  it('that was stopped for long, and applies what follows', () => {
    const lab = behind({ snapshotChunkBytes: 1000 });
    lab.propose(1, 'f');
    lab.run();
    lab.start(3);
    lab.advance(10);
    const { state, machine, disk, files } = lab.node(3);
    expect(machine).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
    expect(lab.log(3)).toBe('1:f');
    expect([state.log.startOffset, state.log.endOffset, state.highWatermark, state.appliedEndOffset]).toEqual([
      7, 8, 8, 8,
    ]);
    expect(disk.snapshots).toMatchObject([{ id: { endOffset: 7, epoch: 1 } }]);
    expect(disk.batches.map(({ baseOffset }) => baseOffset)).toEqual([7]);
    expect([...files.keys()]).toEqual(['7-1']);
    // Nobody was disturbed, and its acknowledgement counts again.
    expect(lab.role(1)).toBe('leader 1');
    lab.crash(2);
    lab.propose(1, 'g');
    lab.run();
    expect(lab.node(3).machine.at(-1)).toBe('g');
  });

  it('a new node, a broker or a controller to come, with the voters of the snapshot', () => {
    const lab = behind();
    lab.add(9, [1, 2, 3]);
    lab.start(9);
    lab.advance(300);
    expect(lab.node(9).machine).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(lab.node(9).voters).toEqual([1, 2, 3]);
    expect(describeQuorum(lab.node(9).state)).toMatchObject({ isVoter: false, logStartOffset: 7, highWatermark: 7 });
  });

  it('is itself one to catch up from: it serves what it has loaded', () => {
    const lab = behind();
    lab.start(3);
    lab.advance(300);
    lab.crash(1);
    lab.isolate(2);
    lab.heal();
    lab.event(2, { type: 'timer', now: lab.now, id: 'fetch', generation: -1 });
    lab.until(() => lab.leader() !== undefined);
    const leader = lab.leader() ?? 0;
    lab.advance(100);
    lab.snapshot(leader);
    lab.add(9, [1, 2, 3]);
    lab.start(9);
    lab.advance(500);
    expect(lab.node(9).machine).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  it('one piece after the other, each asked for once', () => {
    const lab = behind({ snapshotChunkBytes: 50 });
    lab.start(3);
    lab.advance(10);
    const asked = positions(lab);
    expect(asked).toEqual(asked.map((_, i) => i * 50));
    expect(asked.length).toBeGreaterThan(3);
    expect(lab.node(3).machine).toHaveLength(5);
  });

  it('and restarts from it', () => {
    const lab = behind();
    lab.start(3);
    lab.advance(10);
    lab.crash(3);
    lab.start(3);
    lab.run();
    expect(lab.node(3).machine).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(lab.log(3)).toBe('');
    expect(lab.role(3)).toBe('follower 1');
    lab.propose(1, 'f');
    lab.run();
    expect(lab.node(3).machine.at(-1)).toBe('f');
  });

  it('M-5c fetches on only when the snapshot is in the catalogue, durably', () => {
    const lab = behind({ snapshotChunkBytes: 1000 });
    lab.node(3).checkHangs = true;
    lab.start(3);
    lab.advance(10);
    lab.node(3).diskHangs = true;
    const before = lab.sent.length;
    lab.resumeChecks(3);
    expect(lab.node(3).state.log.startOffset).toBe(7);
    const told = () => lab.sent.slice(before).filter(({ from, message }) => from === 3 && message.type === 'fetch');
    expect(told()).toEqual([]);
    lab.node(3).diskHangs = false;
    lab.run();
    expect(told()[0]?.message).toMatchObject({ fetchOffset: 7, lastFetchedEpoch: 1, highWatermark: 7 });
  });

  it('R-10.5 crashed in the middle: it has what it had, and begins anew', () => {
    const lab = behind();
    lab.hold = isPiece;
    lab.start(3);
    lab.advance(10);
    lab.crash(3);
    lab.held = [];
    lab.hold = () => false;
    lab.start(3);
    expect(lab.log(3)).toBe('1*');
    lab.advance(10);
    expect(lab.node(3).machine).toHaveLength(5);
  });
});

describe('R-10.5 a history that has diverged below the snapshot gives way, also where its last epoch is the higher one', () => {
  // The leader keeps only a snapshot of its log; the follower records of its own, which nobody else has.
  for (const [what, text, follower] of [
    ['shorter than the snapshot', '1* 1:a 1:b 1:c', '1* 2*'],
    ['as long as the snapshot', '1* 1:a 1:b 1:c', '1* 2* 2:x,y'],
    ['longer, of a lower epoch', '1* 1:a 3* 3:b,c', '1* 1:a 2* 2:q,r,s'],
    ['longer, of the same epoch', '1* 1:a 1:b 1:c', '1* 1:a 1:b 1:c 1:q,r,s'],
    ['longer, of a higher epoch', '1* 1:a 1:b 1:c', '1* 1:a 1:b 1:c 2* 2:q,r,s'],
    ['at a prefix of it', '1* 1:a 1:b 1:c', '1* 1:a'],
    ['new', '1* 1:a 1:b 1:c', ''],
  ] as const) {
    it(`of a follower that is ${what}`, () => {
      const lab = new Lab();
      const ends = text.includes('3*') ? [6] : [5];
      lab.add(1, [1, 2, 3], { disk: diskOf(keys(1, 2, 3), text, ends, quorumState(3)) });
      lab.add(2, [1, 2, 3], { disk: diskOf(keys(1, 2, 3), text, ends, quorumState(3)) });
      lab.add(3, [1, 2, 3], { disk: diskOf(keys(1, 2, 3), follower, [], quorumState(3)) });
      lab.start(1, 2);
      lab.until(() => lab.leader() !== undefined);
      const leader = lab.leader() ?? 0;
      lab.advance(100);
      lab.propose(leader, 'd');
      lab.run();
      lab.start(3);
      lab.advance(1000);
      expect(lab.node(3).machine).toEqual(['a', 'b', 'c', 'd']);
      expect(lab.log(3).endsWith(lab.log(leader))).toBe(true);
      for (const { told } of lab.nodes.values()) expect(told.join(' ')).not.toMatch(/fatal|bad-/);
    });
  }
});

describe('R-10.4 a download that is disturbed', () => {
  it('goes on at the same position after a lost piece', () => {
    const lab = behind({ snapshotChunkBytes: 50 });
    lab.hold = (envelope) => isPiece(envelope) && (envelope.message as FetchSnapshotResponse).position === 100;
    lab.start(3);
    lab.advance(10);
    lab.held = [];
    lab.hold = () => false;
    lab.advance(2000);
    expect(positions(lab).slice(0, 5)).toEqual([0, 50, 100, 100, 150]);
    expect(lab.node(3).machine).toHaveLength(5);
    expect(lab.role(3)).toBe('follower 1');
  });

  it('SNAPSHOT_NOT_FOUND: begins anew with a fetch, and the leader was heard (R-3.3)', () => {
    const lab = behind({ snapshotChunkBytes: 50 });
    lab.hold = (envelope) => asksForPiece(envelope) && positions(lab).length > 2;
    lab.start(3);
    lab.run();
    // Meanwhile the leader takes two more and forgets the first.
    for (const record of ['f', 'g']) {
      lab.propose(1, record);
      lab.run();
      lab.snapshot(1);
    }
    lab.advance(500);
    const due = lab.node(3).state.timers.fetch.at;
    lab.release();
    expect(lab.node(3).state.timers.fetch.at).toBeGreaterThan(due);
    lab.advance(100);
    expect(positions(lab).slice(2, 5)).toEqual([100, 0, 50]);
    expect(lab.node(3).machine).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'g']);
    expect(lab.node(3).state.log.startOffset).toBe(9);
  });

  for (const [what, change] of [
    ['another snapshot', { snapshotId: { endOffset: 9, epoch: 1 } }],
    ['another position', { position: 1 }],
    ['no bytes', { bytes: new Uint8Array(0) }],
    ['more bytes than asked for', { bytes: new Uint8Array(51) }],
    ['more bytes than there are', { sizeBytes: 10 }],
  ] as const) {
    it(`${what} in the answer: said once, and anew from the start`, () => {
      const lab = behind({ snapshotChunkBytes: 50 });
      lab.hold = isPiece;
      lab.start(3);
      lab.run();
      const [held] = lab.held.splice(0);
      lab.hold = () => false;
      if (held === undefined) throw new Error('a piece is under way');
      lab.event(3, {
        type: 'response',
        now: lab.now,
        call: held.call,
        message: { ...held.message, ...change } as never,
      });
      expect(lab.node(3).told).toContain('notice bad-snapshot-response');
      expect(lab.node(3).partial).toBeUndefined();
      lab.advance(100);
      expect(lab.node(3).machine).toHaveLength(5);
    });
  }

  it('another size than before: anew', () => {
    const lab = behind({ snapshotChunkBytes: 50 });
    lab.hold = (envelope) => isPiece(envelope) && (envelope.message as FetchSnapshotResponse).position === 50;
    lab.start(3);
    lab.run();
    const [held] = lab.held.splice(0);
    lab.hold = () => false;
    if (held === undefined) throw new Error('the second piece is under way');
    const message = { ...held.message, sizeBytes: 1000 } as FetchSnapshotResponse;
    lab.event(3, { type: 'response', now: lab.now, call: held.call, message });
    lab.advance(100);
    expect(positions(lab).slice(0, 4)).toEqual([0, 50, 0, 50]);
    expect(lab.node(3).machine).toHaveLength(5);
  });

  it('POSITION_OUT_OF_RANGE: anew, and no sign of a leader (R-3.3)', () => {
    const lab = behind({ snapshotChunkBytes: 50 });
    lab.hold = isPiece;
    lab.start(3);
    lab.run();
    const [held] = lab.held.splice(0);
    lab.hold = () => false;
    if (held === undefined) throw new Error('a piece is under way');
    const due = lab.node(3).state.timers.fetch.at;
    const message = {
      ...held.message,
      error: 'POSITION_OUT_OF_RANGE',
      bytes: new Uint8Array(0),
    } as FetchSnapshotResponse;
    lab.advance(10);
    lab.event(3, { type: 'response', now: lab.now, call: held.call, message });
    expect(lab.node(3).state.timers.fetch.at).toBe(due);
    lab.advance(100);
    expect(lab.node(3).machine).toHaveLength(5);
  });

  it('R-10.5 damaged: nothing of it is used, it is fetched again', () => {
    const lab = behind();
    lab.node(3).damaged = true;
    lab.start(3);
    lab.run();
    expect(lab.node(3).told).toContain('notice snapshot-rejected');
    expect([lab.log(3), lab.node(3).machine]).toEqual(['1*', []]);
    lab.advance(100);
    expect(lab.node(3).machine).toHaveLength(5);
  });

  it('without voters: no snapshot of this log', () => {
    const lab = behind();
    lab.node(3).checkHangs = true;
    lab.start(3);
    lab.advance(10);
    lab.node(3).owed = [];
    const id = { endOffset: 7, epoch: 1 };
    lab.event(3, { type: 'snapshotReceived', now: lab.now, snapshot: { id, voters: [], sizeBytes: 10 } });
    expect(lab.node(3).told).toContain('notice snapshot-rejected');
    expect(lab.log(3)).toBe('1*');
  });

  it('while a large one is checked the leader is asked for its last byte, so that neither gives the other up', () => {
    const lab = behind();
    lab.cut(1, 2);
    lab.node(3).checkHangs = true;
    lab.start(3);
    lab.advance(10);
    const size = lab.node(1).state.snapshots[0]?.sizeBytes ?? 0;
    lab.advance(9000);
    // 2 is gone, 3 is enough.: and 3 has not become a candidate.
    expect([lab.role(1), lab.role(3)]).toEqual(['leader 1', 'follower 1']);
    expect(positions(lab).slice(-5)).toEqual(Array.from({ length: 5 }, () => size - 1));
    lab.resumeChecks(3);
    expect(lab.node(3).machine).toHaveLength(5);
    expect(lab.node(3).state.log.endOffset).toBe(7);
  });
});

describe('R-10.5 what a download is not', () => {
  it('R-9.3, M-6 received after the role has changed: not used', () => {
    const lab = behind();
    lab.node(3).checkHangs = true;
    lab.start(3);
    lab.advance(10);
    lab.isolate(3);
    lab.until(() => lab.role(3).startsWith('prospective'));
    lab.resumeChecks(3);
    expect([lab.log(3), lab.node(3).machine]).toEqual(['1*', []]);
    lab.heal();
    lab.advance(5000);
    expect(lab.node(3).machine).toHaveLength(5);
  });

  it('of a snapshot that nobody asked for: ignored', () => {
    const lab = behind();
    lab.start(3);
    lab.advance(10);
    lab.propose(1, 'f');
    lab.run();
    const snapshot = { id: { endOffset: 20, epoch: 1 }, voters: [{ ...keyOf(3), endpoint: '' }], sizeBytes: 9 };
    for (const id of [1, 2, 3]) {
      lab.event(id, { type: 'snapshotReceived', now: lab.now, snapshot });
      lab.event(id, { type: 'snapshotRejected', now: lab.now, id: snapshot.id, reason: 'test' });
      expect(lab.node(id).state.log.endOffset).toBe(8);
      expect(lab.node(id).told.join(' ')).not.toContain('snapshot');
    }
  });

  for (const [what, snapshotId] of [
    ['ends at or below the high watermark', { endOffset: 2, epoch: 1 }],
    ['is of a higher epoch than its leader', { endOffset: 20, epoch: 2 }],
    ['is of no epoch', { endOffset: 20, epoch: 0 }],
    ['ends within the log', { endOffset: 3, epoch: 1 }],
  ] as const) {
    it(`of one that ${what}: refused, and said`, () => {
      const lab = newCluster(3);
      lab.start(1, 2, 3);
      lab.run();
      // Node 2 has x, and does not know yet that it is committed.
      lab.hold = (envelope) => envelope.to === 2 && lab.node(2).state.log.endOffset === 3;
      lab.propose(1, 'x');
      lab.run();
      lab.advance(1);
      const held = lab.held.find(({ message }) => message.type === 'fetch');
      if (held === undefined) throw new Error('an answer to 2 is under way');
      const message = { ...held.message, batches: [], snapshotId };
      lab.event(2, { type: 'response', now: lab.now, call: held.call, message } as never);
      expect(lab.node(2).told).toContain('notice bad-fetch-response');
      expect(lab.sent.some(({ from, message: sent }) => from === 2 && sent.type === 'fetchSnapshot')).toBe(false);
      expect(lab.log(2)).toBe('1* 1:x');
    });
  }

  it('a reason to vote: R-4.6 a follower that downloads refuses pre-votes', () => {
    const lab = behind({ snapshotChunkBytes: 50 });
    lab.hold = (envelope) => isPiece(envelope) && positions(lab).length > 2;
    lab.start(3);
    lab.run();
    const request: VoteRequest = {
      type: 'vote',
      clusterId: CLUSTER,
      voterKey: keyOf(3),
      candidateKey: keyOf(2),
      epoch: 1,
      lastEpoch: 1,
      logEndOffset: 7,
      preVote: true,
    };
    expect(lab.ask(3, request)).toMatchObject({ granted: false });
  });
});

describe('R-3.3 the leader of a download', () => {
  it('whose process has ended is replaced as that of a fetch, and a piece that arrives revokes it', () => {
    const lab = behind({ snapshotChunkBytes: 50 });
    lab.hold = asksForPiece;
    lab.start(3);
    lab.run();
    const [asked] = lab.held;
    if (asked === undefined) throw new Error('a piece is asked for');
    const { state } = lab.node(3);
    const due = state.timers.fetch.at;
    lab.event(3, { type: 'callFailed', now: lab.now, call: asked.call, failure: 'refused' });
    expect(state.timers.fetch.at).toBeLessThanOrEqual(lab.now + 300);
    expect(state.role).toMatchObject({ name: 'follower', leaderGone: true, hasFetched: false });
    expect(state.timers.fetch.at).toBeLessThan(due);
    lab.held = [];
    lab.hold = () => false;
    // The same call again, not a fetch.
    lab.advance(25);
    expect(state.role).toMatchObject({ name: 'follower', leaderGone: false, hasFetched: true });
    expect(state.timers.fetch.at).toBeGreaterThan(due - 1);
    expect(lab.node(3).machine).toHaveLength(5);
  });

  it('whose call times out is not', () => {
    const lab = behind();
    lab.start(3);
    lab.advance(10);
    const { state } = lab.node(3);
    onLeaderRefused(state, [], 2);
    expect(state.role).toMatchObject({ leaderGone: false });
  });
});

describe('DS-7 a snapshot during an election', () => {
  it('a voter without a log votes for whoever has one, and catches up by the next leader snapshot', () => {
    const lab = behind({ snapshotChunkBytes: 50 });
    lab.hold = (envelope) => isPiece(envelope) && positions(lab).length > 2;
    lab.start(3);
    lab.run();
    expect(lab.node(3).partial?.bytes.length).toBe(100);
    // The leader dies in the middle of the download: 2 needs the vote of 3.
    lab.crash(1);
    lab.held = [];
    lab.hold = () => false;
    lab.until(() => lab.leader() === 2);
    lab.advance(1000);
    expect(lab.node(3).machine).toEqual(['a', 'b', 'c', 'd', 'e']);
    // Node 2 has the whole log: records, not a snapshot.
    expect(lab.node(3).state.log.startOffset).toBe(0);
    // The old leader comes back and has lost nothing.
    lab.start(1);
    lab.propose(2, 'f');
    lab.advance(1000);
    for (const id of [1, 2, 3]) expect(lab.node(id).machine).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
  });

  it('a new leader with another snapshot: the pieces of the old one are not mixed with it', () => {
    const lab = behind({ snapshotChunkBytes: 50 });
    lab.propose(1, 'f');
    lab.run();
    lab.snapshot(2);
    lab.hold = (envelope) => isPiece(envelope) && positions(lab).length > 2;
    lab.start(3);
    lab.run();
    lab.crash(1);
    lab.held = [];
    lab.hold = () => false;
    lab.until(() => lab.leader() === 2);
    lab.advance(1000);
    expect(lab.node(3).machine).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
    expect(lab.node(3).state.log.startOffset).toBe(8);
  });

  it('an election won while the downloaded file is checked: the file is not loaded, the leader keeps its log', () => {
    const lab = behind();
    // 2 trims its log too, and takes no part; 3 has everything but the leader's word for it.
    lab.start(3);
    lab.advance(100);
    lab.propose(1, 'f');
    lab.run();
    lab.node(3).checkHangs = true;
    lab.crash(1);
    lab.crash(2);
    lab.start(2);
    lab.until(() => lab.leader() !== undefined);
    const leader = lab.leader() ?? 0;
    const before = lab.log(leader);
    const snapshot = { id: { endOffset: 30, epoch: 1 }, voters: [{ ...keyOf(3), endpoint: '' }], sizeBytes: 9 };
    lab.event(leader, { type: 'snapshotReceived', now: lab.now, snapshot });
    expect(lab.log(leader)).toBe(before);
    lab.advance(1000);
    for (const id of [2, 3]) expect(lab.node(id).machine.at(-1)).toBe('f');
  });
});
