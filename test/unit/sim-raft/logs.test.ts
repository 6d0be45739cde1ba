import { describe, expect, it } from 'vitest';
import { durableMajority, ownEpochCommit } from '../../../src/sim/raft/checks/commit-rules.ts';
import { createdByLeader } from '../../../src/sim/raft/checks/created-by-leader.ts';
import { logMatching } from '../../../src/sim/raft/checks/log-matching.ts';
import { quorumStateCoversLog } from '../../../src/sim/raft/checks/quorum-state.ts';
import { highWatermarkBounds, stateMachineSafety } from '../../../src/sim/raft/checks/state-machine-safety.ts';
import { truncationAboveHighWatermark } from '../../../src/sim/raft/checks/truncation.ts';
import { replicaKey } from '../../../src/sim/raft/replica-key.ts';
import { History, violationOf } from './history.ts';

/** Node 0 leads epoch 1; all three have its first batch durably and 0 has committed it. */
function steady(options: ConstructorParameters<typeof History>[0] = {}): History {
  return new History(options).startAll().elect(0, 1, 1, 2).sync(0).follow(1, 0).follow(2, 0).commit(0, 1);
}

describe('S-R4 log matching', () => {
  const checkers = [logMatching];

  it('rejects two batches at the same end and epoch', () => {
    const history = new History({ checkers }).startAll().append(0, 1, 'v', 'a').append(1, 1, 'v');
    expect(violationOf(() => history.append(1, 1, 'b'))).toBe('S-R4');
  });

  it('rejects equal batches after different prefixes', () => {
    const history = new History({ checkers }).startAll().append(0, 1, 'v', 'a').append(1, 1, 'v').append(1, 2, 'b');
    // Both logs get (end 3, epoch 4): the same bytes, but what is before differs.
    history.append(1, 4, 'same');
    expect(violationOf(() => history.append(0, 4, 'same'))).toBe('S-R4');
  });

  it('rejects an epoch that falls along a log', () => {
    const history = new History({ checkers }).startAll().append(0, 3, 'v');
    expect(violationOf(() => history.append(0, 2, 'a'))).toBe('S-R4');
  });

  it('accepts other batches at the same offsets in other epochs, and a batch again after a truncation', () => {
    const history = new History({ checkers }).startAll().append(0, 1, 'v', 'a').append(1, 1, 'v').append(1, 2, 'b');
    expect(
      violationOf(() => history.truncate(0, 1).append(0, 2, 'b').truncate(1, 1).append(1, 1, 'a')),
    ).toBeUndefined();
  });
});

describe('S-R6, S-R12, S-R17 what is committed', () => {
  const checkers = [stateMachineSafety];

  it('rejects another batch than was committed there (S-R6)', () => {
    const history = steady({ checkers });
    history.append(0, 1, 'a').append(1, 2, 'b').commit(0, 2);
    expect(violationOf(() => history.role(1, 'leader', 2, 1).commit(1, 2))).toBe('S-R6');
  });

  it('rejects a follower that commits before any leader (S-R6)', () => {
    const history = steady({ checkers }).append(0, 1, 'a').copy(1, 0);
    expect(violationOf(() => history.commit(1, 2))).toBe('S-R6');
  });

  it('rejects an observer that does (S-R12)', () => {
    const history = steady({ observers: 1, checkers }).append(0, 1, 'a').copy(3, 0);
    expect(violationOf(() => history.commit(3, 2))).toBe('S-R12');
  });

  it('rejects a batch handed out twice, and one left out (S-R17)', () => {
    const twice = steady({ checkers }).append(0, 1, 'a');
    const log = twice.node(0).disk.written.entries.map((entry) => entry.batch);
    expect(violationOf(() => twice.commitBatches(0, 2, log))).toBe('S-R17');
    const gap = steady({ checkers }).append(0, 1, 'a', 'b');
    const last = gap
      .node(0)
      .disk.written.entries.slice(2)
      .map((entry) => entry.batch);
    expect(violationOf(() => gap.commitBatches(0, 3, last))).toBe('S-R17');
  });

  it('rejects batches that end elsewhere than the high watermark (S-R17)', () => {
    const history = steady({ checkers }).append(0, 1, 'a', 'b');
    expect(
      violationOf(() =>
        history.commitBatches(
          0,
          3,
          history
            .node(0)
            .disk.written.entries.slice(1, 2)
            .map((entry) => entry.batch),
        ),
      ),
    ).toBe('S-R17');
  });

  it('accepts everything again, from the first batch, after a restart', () => {
    const history = steady().commit(1, 1).crash(1).start(1, 'follower', 1, 0);
    expect(violationOf(() => history.commit(1, 1))).toBeUndefined();
  });
});

describe('S-R7 high watermark', () => {
  const checkers = [highWatermarkBounds];

  it('rejects one that does not rise, one beyond the log, and a cut below it', () => {
    expect(violationOf(() => steady({ checkers }).commitBatches(0, 1, []))).toBe('S-R7');
    expect(violationOf(() => steady({ checkers }).commitBatches(0, 5, []))).toBe('S-R7');
    expect(violationOf(() => steady({ checkers }).truncate(0, 0))).toBe('S-R7');
  });

  it('accepts a lower one in the next incarnation', () => {
    const history = steady().append(0, 1, 'a').sync(0).copy(1, 0).sync(1).commit(0, 2).commit(1, 2);
    expect(violationOf(() => history.crash(1).start(1, 'follower', 1, 0).commit(1, 1))).toBeUndefined();
  });
});

describe('S-R8 durable majority', () => {
  const checkers = [durableMajority];

  it('rejects a commit that a follower holds, but not durably', () => {
    const history = steady({ checkers }).append(0, 1, 'a').sync(0).copy(1, 0);
    expect(violationOf(() => history.commit(0, 2))).toBe('S-R8');
  });

  it('rejects a commit that the leader itself holds, but not durably', () => {
    const history = steady({ checkers }).append(0, 1, 'a').copy(1, 0).sync(1);
    expect(violationOf(() => history.commit(0, 2))).toBe('S-R8');
  });

  it('rejects the holder that has another batch there', () => {
    const history = steady({ checkers }).append(0, 1, 'a').sync(0).append(1, 2, 'b').sync(1);
    expect(violationOf(() => history.commit(0, 2))).toBe('S-R8');
  });

  it('rejects an observer or a re-formatted voter that is counted', () => {
    const observed = steady({ observers: 1, checkers }).append(0, 1, 'a').sync(0).copy(3, 0).sync(3);
    expect(violationOf(() => observed.commit(0, 2))).toBe('S-R8');
    const wiped = steady({ checkers })
      .append(0, 1, 'a')
      .sync(0)
      .crash(1, 0, replicaKey(1, 1, 1));
    wiped.start(1, 'unattached', 0).copy(1, 0).sync(1);
    expect(violationOf(() => wiped.commit(0, 2))).toBe('S-R8');
  });

  it('accepts a majority without the leader, one that has crashed since, and one that lost its disk since', () => {
    const without = steady().append(0, 1, 'a').copy(1, 0).sync(1).copy(2, 0).sync(2);
    expect(violationOf(() => without.commit(0, 2))).toBeUndefined();
    const crashed = steady().append(0, 1, 'a').sync(0).copy(1, 0).sync(1).crash(1);
    expect(violationOf(() => crashed.commit(0, 2))).toBeUndefined();
    const lost = steady()
      .append(0, 1, 'a')
      .sync(0)
      .copy(1, 0)
      .sync(1)
      .crash(1, 0, replicaKey(1, 1, 1));
    expect(violationOf(() => lost.commit(0, 2))).toBeUndefined();
  });
});

describe('S-R9 commit of the own epoch', () => {
  it('rejects a leader that commits only what earlier leaders wrote', () => {
    const history = new History({ checkers: [ownEpochCommit] }).startAll().elect(0, 1, 1, 2).sync(0).follow(1, 0);
    history.elect(1, 2, 2);
    expect(violationOf(() => history.commit(1, 1))).toBe('S-R9');
  });

  it('accepts one that commits both at once', () => {
    const history = new History().startAll().elect(0, 1, 1, 2).sync(0).follow(1, 0);
    expect(violationOf(() => history.elect(1, 2, 2).sync(1).follow(2, 1).commit(1, 2))).toBeUndefined();
  });
});

describe('S-R10 truncation', () => {
  it('rejects a cut below what this replica knew committed before its restart', () => {
    const history = steady({ checkers: [truncationAboveHighWatermark()] })
      .commit(1, 1)
      .crash(1)
      .start(1, 'follower', 1, 0);
    expect(violationOf(() => history.truncate(1, 0))).toBe('S-R10');
  });

  it('accepts a cut of what others committed and this one never knew, where its log differs', () => {
    // Node 2 has led epoch 2 alone and wrote there; epoch 3 commits another batch at that offset.
    const history = steady().commit(2, 1).elect(2, 2).elect(1, 3, 0).sync(1).follow(0, 1).commit(1, 2);
    history.state(2, 3, { leader: 1 }).role(2, 'follower', 3, 1);
    expect(violationOf(() => history.truncate(2, 1).copy(2, 1).sync(2).commit(2, 2))).toBeUndefined();
  });

  it('rejects a cut within a batch or beyond the log (S-X2)', () => {
    const history = steady({ checkers: [truncationAboveHighWatermark()] });
    expect(violationOf(() => history.truncate(1, 7))).toBe('S-X2');
  });
});

describe('S-R14 quorum state and log', () => {
  const checkers = [quorumStateCoversLog];

  it('rejects a batch of an epoch that is not written yet, and an epoch below the log', () => {
    expect(violationOf(() => new History({ checkers }).startAll().append(0, 1, 'v'))).toBe('S-R14');
    const history = new History({ checkers }).startAll().state(0, 2).append(0, 2, 'v');
    expect(violationOf(() => history.writeState(0, 1))).toBe('S-R14');
  });

  it('accepts a batch written right behind its epoch, and any prefix of the two after a crash', () => {
    for (const surviving of [0, 1, 2]) {
      const history = new History({ checkers }).startAll().writeState(0, 2, { leader: 0 }).append(0, 2, 'v');
      const epoch = surviving === 0 ? 0 : 2;
      expect(
        violationOf(() => history.crash(0, surviving).start(0, 'unattached', epoch).writeState(0, 3)),
      ).toBeUndefined();
    }
  });
});

describe('S-R16 who creates batches', () => {
  const checkers = [createdByLeader];

  it('rejects a batch created after leadership, in another epoch, or by a follower', () => {
    const resigned = new History({ checkers }).startAll().elect(0, 1, 1, 2).role(0, 'resigned', 1);
    expect(violationOf(() => resigned.append(0, 1, 'late'))).toBe('S-R16');
    const other = new History({ checkers }).startAll().elect(0, 1, 1, 2);
    expect(violationOf(() => other.append(0, 2, 'early'))).toBe('S-R16');
    expect(violationOf(() => steady({ checkers }).append(1, 1, 'own'))).toBe('S-R16');
  });

  it('rejects a follower that copies what is of a later epoch than its own (B19)', () => {
    const history = steady({ checkers }).elect(1, 2, 0);
    expect(violationOf(() => history.copy(2, 1))).toBe('S-R16');
  });

  it('accepts a follower that copies what a deposed leader wrote last', () => {
    const history = steady().append(0, 1, 'a').copy(1, 0).sync(1).elect(1, 2, 2);
    expect(violationOf(() => history.follow(2, 1))).toBeUndefined();
  });
});
