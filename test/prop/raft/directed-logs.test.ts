// Directed scenarios (safety.md appendix B) about logs: what random faults rarely put together. Each passes with the core as it is,
// and fails by its property with a core that is broken in the way that the schedule was made for.
import { describe, expect, it } from 'vitest';
import { NO_SNAPSHOTS } from '../../../src/sim/raft/scenario.ts';
import * as broken from './broken-drivers.ts';
import type { ScriptOptions } from './script.ts';
import { Script, violationOf } from './script.ts';

/**
 * Nodes 0 and 1 lead in turns, three times each, and neither gets anything to anybody: their logs agree on nothing but the
 * beginning. Then 1 leads for good, and 0 fetches from it.
 */
function divergeOverEpochs(options: ScriptOptions = {}): Script {
  const script = new Script({ voters: 5 }, options);
  script.isolate(0).propose(0);
  script.kill(0).restart(0);
  for (let round = 0; round < 3; round++) {
    for (const [leader, other] of [
      [1, 0],
      [0, 1],
    ] as const) {
      script.mendAll().isolate(other).campaign(leader, 2, 3, 4).isolate(leader).after(50);
      script.kill(leader).restart(leader);
    }
  }
  script.mendAll().isolate(0).campaign(1, 2, 3, 4).after(100);
  return script.mendAll();
}

describe('DS-6 a follower diverges over three epochs', () => {
  it('is cut back round by round, and not below what is committed', () => {
    const script = divergeOverEpochs();
    expect(violationOf(() => script.recover())).toBeUndefined();
    const { coverage } = script.world;
    expect(coverage.multiRoundDivergences).toBeGreaterThanOrEqual(2);
    expect(coverage.truncations).toBeGreaterThanOrEqual(3);
  });

  it('a cut that does not reach the disk breaks S-R4', () => {
    expect(violationOf(() => divergeOverEpochs({ core: broken.truncationForgotten }).recover())).toBe('S-R4');
  });
});

const SNAPSHOTS = { ...NO_SNAPSHOTS, everyRecords: 5, maxBytes: 1, chunkBytes: 4 };

/** Node 2 was away while logs were trimmed. It has fetched some pieces of a snapshot when the leader dies. */
function leaderDiesDuringDownload(options: ScriptOptions = {}): Script {
  const script = new Script({ snapshots: SNAPSHOTS }, options);
  const end = script.end(2);
  script.kill(2).proposeMany(0, 40);
  expect(script.view(0).disk.synced.start.endOffset).toBeGreaterThan(end);
  script.restart(2).until('some pieces', () => (script.world.nodes[2]?.snapshots.download?.pieces.length ?? 0) > 1);
  return script.kill(0).campaign(1, 2).after(200);
}

describe('DS-7 a snapshot is fetched during an election', () => {
  it('is fetched anew from the next leader', () => {
    const script = leaderDiesDuringDownload();
    const { coverage } = script.world;
    expect([coverage.snapshotsDuringElection, coverage.snapshotInstallsOverLog]).toEqual([1, 1]);
    expect(script.end(2)).toBe(script.end(1));
    expect(violationOf(() => script.recover())).toBeUndefined();
  });

  it('pieces of two leaders break S-R13', () => {
    expect(violationOf(() => leaderDiesDuringDownload({ core: broken.keepsDownload }))).toBe('S-R13');
  });
});

/** The answer to a fetch of node 2 is on its way while the leader loses what it says, and 1, then 2 itself are elected. */
function oldAnswer(options: ScriptOptions = {}): Script {
  const script = new Script({ disk: { baseUs: 50_000, tailUs: 0, tailPermille: 0, groupedReports: true } }, options);
  script.after(600).cut([0], [1]).holdAnswersTo(2).propose(0);
  script.after(10).power(0).letAnswersPass().mendAll();
  script.restart(0).campaign(1, 0, 2).after(400);
  script.kill(1).campaign(2, 0).after(400);
  return script.deliver().after(100);
}

describe('DS-8 an old fetch response after two elections (M-6)', () => {
  it('changes nothing', () => {
    const script = oldAnswer();
    expect(script.world.coverage.leaderCrashesWithLostTail).toBe(1);
    expect(violationOf(() => script.recover())).toBeUndefined();
  });

  it('B19 breaks S-R4', () => {
    expect(violationOf(() => oldAnswer({ core: broken.takesOldAnswers }))).toBe('S-R4');
  });
});

/** Node 1 is elected while its state machine is half a second behind. */
function electedBehind(options: ScriptOptions = {}): Script {
  const script = new Script({ applyDelayMs: 500 }, options);
  script.proposeMany(0, 20);
  return script.kill(0).campaign(1, 2);
}

describe('DS-9 leadership is claimed when everything is applied (R-9.2)', () => {
  it('and not before', () => {
    const script = electedBehind();
    const first = script.end(1) - 1;
    script.until('its first batch is committed', () => script.view(1).highWatermark > first);
    expect(script.view(1).claimEpoch).toBe(-1);
    script.until('it claims', () => script.view(1).claimEpoch === script.view(1).epoch);
    expect(script.view(1).appliedEndOffset).toBeGreaterThan(first);
    expect(violationOf(() => script.recover())).toBeUndefined();
  });

  it('B17 breaks R-9.2', () => {
    expect(violationOf(() => electedBehind({ core: broken.appliesEarly }).after(100))).toBe('R-9.2');
  });
});
