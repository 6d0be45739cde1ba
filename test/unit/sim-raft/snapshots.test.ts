// S-R13 and what snapshots mean to the other properties: one bad history for each thing that is checked, and tricky good ones.
import { describe, expect, it } from 'vitest';
import { durableMajority } from '../../../src/sim/raft/checks/commit-rules.ts';
import { leaderCompleteness } from '../../../src/sim/raft/checks/leader-completeness.ts';
import { snapshots } from '../../../src/sim/raft/checks/snapshots.ts';
import { highWatermarkBounds, stateMachineSafety } from '../../../src/sim/raft/checks/state-machine-safety.ts';
import { truncationAboveHighWatermark } from '../../../src/sim/raft/checks/truncation.ts';
import type { SnapshotFile } from '../../../src/sim/raft/disk.ts';
import { keepFile } from '../../../src/sim/raft/disk.ts';
import { replicaKey } from '../../../src/sim/raft/replica-key.ts';
import { History, violationOf } from './history.ts';

type Options = ConstructorParameters<typeof History>[0];

/** Node 0 leads epoch 1 with four committed batches; 1 has them all, 2 the first one only. */
function grown(options: Options = {}): History {
  const history = new History(options).startAll().elect(0, 1, 1, 2).sync(0).follow(1, 0).follow(2, 0);
  return history.append(0, 1, 'a', 'b', 'c').sync(0).copy(1, 0).sync(1).commit(0, 4).commit(1, 4);
}

function without(file: SnapshotFile, change: Partial<SnapshotFile['snapshot']>): SnapshotFile {
  return { ...file, snapshot: { ...file.snapshot, ...change } };
}

/** The file as `id` has it, with something wrong in it. */
function forged(
  history: History,
  id: number,
  endOffset: number,
  change: Partial<SnapshotFile['snapshot']>,
): SnapshotFile {
  const file = without(history.file(id, endOffset), change);
  keepFile(history.node(id).disk, file);
  return file;
}

describe('S-R13 what a snapshot holds', () => {
  const checkers = [snapshots];

  it('rejects one that names another end, epoch or voters than its content', () => {
    const end = grown({ checkers });
    expect(violationOf(() => end.list(0, forged(end, 0, 3, { id: { endOffset: 2, epoch: 1 } })))).toBe('S-R13');
    const epoch = grown({ checkers });
    expect(violationOf(() => epoch.list(0, forged(epoch, 0, 3, { id: { endOffset: 3, epoch: 2 } })))).toBe('S-R13');
    const voters = grown({ checkers });
    expect(violationOf(() => voters.list(0, forged(voters, 0, 3, { voters: [] })))).toBe('S-R13');
  });

  it('rejects one of what is not committed, by anybody or as far as the node knows', () => {
    const nobody = grown({ checkers }).append(0, 1, 'd');
    expect(violationOf(() => nobody.list(0, nobody.file(0, 5)))).toBe('S-R13');
    const unknown = grown({ checkers }).append(0, 1, 'd').sync(0).copy(1, 0).sync(1).commit(0, 5);
    expect(violationOf(() => unknown.list(1, unknown.file(1, 5)))).toBe('S-R13');
  });

  it('rejects one of another state than the committed one', () => {
    const history = grown({ checkers });
    history.elect(2, 2, 1).append(2, 2, 'x', 'y');
    expect(violationOf(() => history.commitBatches(2, 4, []).list(2, history.file(2, 3)))).toBe('S-R13');
  });

  it('rejects a file that is not durable, one offered to others too', () => {
    const listed = grown({ checkers });
    const file = listed.file(0, 3);
    listed.node(0).disk.files = [];
    expect(violationOf(() => listed.list(0, file))).toBe('S-R13');
    const offered = grown({ checkers });
    expect(violationOf(() => offered.send(0, offer(3)))).toBe('S-R13');
  });

  it('rejects a log start that goes back, or lies within a batch', () => {
    const back = grown({ checkers });
    back.list(0, back.file(0, 3));
    expect(violationOf(() => back.list(0, back.file(1, 2, 0)))).toBe('S-R13');
    const within = grown({ checkers });
    expect(violationOf(() => within.list(2, within.file(1, 3, 2)))).toBe('S-R13');
  });

  it('rejects a leader that loads one (R-9.3), or gives its log up for one', () => {
    const loads = grown({ checkers });
    const file = loads.file(0, 3);
    expect(violationOf(() => loads.list(0, file).load(0, file))).toBe('S-R13');
    const installs = grown({ checkers });
    expect(violationOf(() => installs.install(0, installs.file(0, 4)))).toBe('S-R13');
  });

  it('rejects one loaded below the high watermark, or not the newest', () => {
    const below = grown({ checkers }).append(0, 1, 'd').sync(0).copy(1, 0).sync(1).commit(0, 5);
    const file = below.file(1, 3);
    expect(violationOf(() => below.list(1, file).load(1, file))).toBe('S-R13');
    const older = grown({ checkers });
    const [first, second] = [older.file(1, 3), older.file(1, 4)];
    expect(violationOf(() => older.list(1, first, second).load(1, first))).toBe('S-R13');
  });

  it('accepts two of them, the log from the older one on, and both in the place of the older three', () => {
    const history = grown();
    const files = [2, 3, 4].map((end) => history.file(0, end));
    expect(
      violationOf(() => {
        history.list(0, ...files.slice(0, 1)).list(0, ...files.slice(0, 2));
        history.list(0, ...files.slice(1)).sync(0);
        history.append(0, 1, 'd').sync(0);
      }),
    ).toBeUndefined();
    expect(history.node(0).disk.synced.start.endOffset).toBe(3);
    expect(history.node(0).disk.files.map(({ snapshot }) => snapshot.id.endOffset)).toEqual([3, 4]);
  });

  it('accepts an install over a log that diverges above it, and a restart in the middle of it', () => {
    for (const surviving of [0, 1]) {
      const history = grown().copy(2, 0).sync(2).elect(2, 2, 1).append(2, 2, 'x').sync(2);
      // Node 1 leads epoch 3, and commits; it has what 2 lacks.
      history.elect(1, 3, 0).sync(1).follow(0, 1).commit(1, 5);
      history.list(1, history.file(1, 5)).sync(1);
      history.state(2, 3, { leader: 1 }).role(2, 'follower', 3, 1);
      const file = history.file(1, 5, 2);
      expect(
        violationOf(() => {
          history.install(2, file).crash(2, surviving);
          history.start(2, 'follower', 3, 1);
          if (surviving === 1) history.load(2, file);
          else history.install(2, history.file(1, 5, 2));
        }),
      ).toBeUndefined();
    }
  });
});

function offer(endOffset: number) {
  return {
    type: 'fetch',
    error: 'NONE',
    epoch: 1,
    leaderId: 0,
    highWatermark: -1,
    diverging: undefined,
    snapshotId: { endOffset, epoch: 1 },
    batches: [],
  } as const;
}

describe('the other properties, where a snapshot stands for the log', () => {
  it('S-R8 counts who holds what is committed in a snapshot, and nobody who holds less', () => {
    const holds = grown({ checkers: [durableMajority] });
    const file = holds.file(1, 4);
    holds
      .state(2, 1, { leader: 0, vote: 0 })
      .install(2, holds.file(1, 4, 2))
      .sync(2)
      .list(1, file);
    // Node 0 commits again after a restart, as a leader of the next epoch: 1 and 2 hold it in snapshots.
    expect(violationOf(() => holds.sync(1).role(0, 'leader', 2, 0).commitBatches(0, 4, []))).toBeUndefined();
    const lacks = grown({ checkers: [durableMajority] });
    lacks
      .append(0, 1, 'd')
      .sync(0)
      .install(2, lacks.file(1, 4, 2))
      .sync(2);
    expect(violationOf(() => lacks.commit(0, 5))).toBe('S-R8');
  });

  it('S-R5 takes a snapshot for what is below it, and misses what is above', () => {
    const checkers = [leaderCompleteness];
    const whole = grown({ checkers });
    whole.install(2, whole.file(1, 4, 2)).sync(2);
    expect(violationOf(() => whole.role(2, 'leader', 2, 2))).toBeUndefined();
    const short = grown({ checkers });
    short.install(2, short.file(1, 3, 2)).sync(2);
    expect(violationOf(() => short.role(2, 'leader', 2, 2))).toBe('S-R5');
  });

  it('S-R7 rejects a log that begins above its high watermark', () => {
    const history = grown({ checkers: [snapshots, highWatermarkBounds] })
      .crash(0)
      .start(0, 'unattached', 1);
    const file = history.file(0, 3);
    expect(['S-R7', 'S-R13']).toContain(violationOf(() => history.list(0, file)));
    const committed = grown({ checkers: [highWatermarkBounds] });
    committed.install(2, committed.file(1, 4, 2));
    expect(violationOf(() => committed.commitBatches(2, 3, []))).toBe('S-R7');
  });

  it('S-R10 rejects an install over more of the committed log, which the node need not know to be committed', () => {
    const restarted = () =>
      grown({ checkers: [truncationAboveHighWatermark()] })
        .crash(1)
        .start(1, 'follower', 1, 0);
    const less = restarted();
    expect(violationOf(() => less.install(1, less.file(0, 3, 1)))).toBe('S-R10');
    const same = restarted();
    expect(violationOf(() => same.install(1, same.file(0, 4, 1)))).toBeUndefined();
  });

  it('S-R10 accepts one below what a leader had committed, and lost with its unsynced tail', () => {
    const history = grown().append(0, 1, 'd', 'e').copy(1, 0).sync(1).follow(2, 0).commit(0, 6).commit(1, 5);
    history.list(1, history.file(1, 5)).sync(1);
    history.crash(0).start(0, 'resigned', 1).elect(1, 2, 2);
    history.state(0, 2, { leader: 1 }).role(0, 'follower', 2, 1);
    const file = history.file(1, 5, 0);
    expect(violationOf(() => history.install(0, file).load(0, file))).toBeUndefined();
  });

  it('S-R14 rejects a snapshot of an epoch that the quorum state does not know', () => {
    const history = new History({ checkers: [snapshots] }).startAll().elect(0, 2, 1).sync(0);
    history.commitBatches(
      0,
      1,
      history.node(0).disk.written.entries.map(({ batch }) => batch),
    );
    expect(violationOf(() => history.install(2, history.file(0, 1, 2)))).toBe('S-R14');
  });

  it('S-R17 goes on where the loaded snapshot ends, and never back', () => {
    const gap = grown({ checkers: [stateMachineSafety] });
    const file = gap.file(1, 3, 2);
    gap.install(2, file).load(2, file);
    const batches = gap.node(1).disk.written.entries.map(({ batch }) => batch);
    expect(violationOf(() => gap.commitBatches(2, 4, batches))).toBe('S-R17');
    const back = grown({ checkers: [stateMachineSafety] });
    const older = back.file(1, 3);
    expect(violationOf(() => back.list(1, older).load(1, older))).toBe('S-R17');
  });

  it('S-R6, S-R12, S-R17 accept batches from the end of the snapshot on, after a restart too', () => {
    const history = grown();
    const file = history.file(1, 3, 2);
    history.install(2, file).load(2, file).sync(2);
    const rest = history
      .node(1)
      .disk.written.entries.slice(3)
      .map(({ batch }) => batch);
    expect(violationOf(() => history.appendBatches(2, rest).sync(2).commitBatches(2, 4, rest))).toBeUndefined();
    history.crash(2).start(2, 'follower', 1, 0).load(2, file);
    expect(violationOf(() => history.commitBatches(2, 4, rest))).toBeUndefined();
  });

  it('a voter whose old disk is lost and whose new one holds a snapshot is another one', () => {
    const history = grown({ checkers: [durableMajority] })
      .append(0, 1, 'd')
      .sync(0);
    history.crash(2, 0, replicaKey(1, 2, 1)).start(2, 'unattached', 0);
    history.install(2, history.file(0, 4, 2)).sync(2);
    expect(violationOf(() => history.commit(0, 5))).toBe('S-R8');
  });
});
