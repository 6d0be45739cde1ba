// Directed scenarios (safety.md appendix B) as data: what random faults rarely put together. Each passes with the core as it
// is, and fails by its property where the driver is broken in the way that the schedule was made for.
import { describe, expect, it } from 'vitest';
import type { CheckerName } from '../../../src/sim/raft/checks/all.ts';
import type { RaftCore } from '../../../src/sim/raft/core.ts';
import type {
  FaultKind,
  RaftScenario,
  SimConfig,
  SimWorkload,
  TimedFault,
  Trigger,
} from '../../../src/sim/raft/scenario.ts';
import { CALM_CONFIG, CALM_WORKLOAD } from '../../../src/sim/raft/scenario.ts';
import { runRaftScenario } from '../../../src/sim/raft/simulate.ts';
import * as broken from './broken-drivers.ts';

interface Directed {
  readonly seed?: number;
  readonly config?: Partial<SimConfig>;
  readonly faults?: readonly TimedFault[];
  readonly triggers?: readonly Trigger[];
  readonly workload?: SimWorkload;
}

function scenario({ seed = 1, config, faults = [], triggers = [], workload = CALM_WORKLOAD }: Directed): RaftScenario {
  return {
    schemaVersion: 1,
    seed,
    config: { ...CALM_CONFIG, ...config },
    faults,
    triggers,
    workload,
  };
}

function fault(
  afterMs: number,
  target: TimedFault['target'],
  kind: FaultKind,
  durationMs: number,
  node = 0,
): TimedFault {
  return { afterMs, target, kind, durationMs, node, other: 0 };
}

function trigger(on: Trigger['on'], kind: FaultKind, durationMs: number, more: Partial<Trigger> = {}): Trigger {
  return { on, kind, durationMs, nth: 1, times: 1, node: 0, other: 0, delayMs: 0, ...more };
}

const SLOW_DISK = { baseUs: 20_000, tailUs: 0, tailPermille: 0, groupedReports: true };

/** A leader is elected, cannot tell anybody, and its machine dies before its first batch is durable; it is back soon. */
const leaderLosesFirstBatch = scenario({
  seed: 4, // with which the batch is lost
  config: { disk: SLOW_DISK },
  faults: [fault(100, 'leader', 'resign', 0)],
  triggers: [trigger('becameCandidate', 'cutOut', 150, { delayMs: 55 }), trigger('becameLeader', 'power', 200)],
});

/**
 * One follower is cut off, the other's disk stalls; the leader goes on. Then the stalled one loses power and the leader is
 * cut off: the two that are left have what was flushed.
 */
const followerLosesUnflushed = scenario({
  config: { faultPhaseMs: 12_000 },
  faults: [
    fault(0, 'follower', 'isolate', 1000, 0),
    fault(0, 'follower', 'stallDisk', 1000, 1),
    fault(500, 'leader', 'isolate', 11_000),
    fault(0, 'follower', 'power', 1, 1),
  ],
});

/** A voter dies as its vote leaves, and is back before the next candidate asks. */
const voterDiesAfterGrant = scenario({
  config: { voters: 5, faultPhaseMs: 10_000 },
  faults: [fault(10, 'leader', 'resign', 0), fault(3000, 'leader', 'resign', 0)],
  triggers: [
    trigger('becameCandidate', 'cutOut', 30, { node: 1, times: 20 }),
    trigger('voteGranted', 'power', 2, { times: 20 }),
  ],
});

describe('directed scenarios', () => {
  it.each<[string, RaftScenario]>([
    ['DS-3 a leader loses its first batch and restarts', leaderLosesFirstBatch],
    ['DS-2 a voter dies as its vote leaves', voterDiesAfterGrant],
    ['B02 a follower loses what it has not flushed', followerLosesUnflushed],
  ])('%s', (_what, data) => {
    const verdict = runRaftScenario(data);
    expect(verdict.detail).toBeUndefined();
    expect(verdict.coverage.powerCuts).toBeGreaterThan(0);
  });

  it.each<[string, RaftScenario, RaftCore, string, CheckerName[]]>([
    ['B01', leaderLosesFirstBatch, broken.leadsAgain, 'S-R1', ['legalTransitions']],
    ['B02', followerLosesUnflushed, broken.fetchesBeforeFlush, 'S-R8', ['durabilityBarrier']],
    [
      'B02, by its loss',
      followerLosesUnflushed,
      broken.fetchesBeforeFlush,
      'S-R5',
      ['durabilityBarrier', 'durableMajority'],
    ],
    ['B06', voterDiesAfterGrant, broken.voteNotPersisted, 'S-R2', []],
  ])('%s is found by it', (_bug, data, core, property, without) => {
    expect(runRaftScenario(data, { core, without }).property).toBe(property);
  });
});

/** Everybody's log is as long as the leader's: it cannot be why a vote is refused. */
const IDLE = { ...CALM_WORKLOAD, intervalMs: 0 };

describe('L-R3 stable leadership', () => {
  /** Two of five followers that everybody but the leader can reach. */
  const twoDeafToLeader = [1, 2].map((other) => ({ ...fault(0, 'leader', 'cutLink', 9000), other }));
  const flapping = Array.from({ length: 12 }, () => fault(1000, 'follower', 'isolate', 700));
  it.each<[string, TimedFault[]]>([
    ['an isolated follower', [fault(0, 'follower', 'isolate', 9000)]],
    ['a follower that cannot send', [fault(0, 'follower', 'cutOut', 9000)]],
    ['a follower that cannot receive', [fault(0, 'follower', 'cutIn', 9000)]],
    ['a flapping follower', flapping],
    ['a paused follower', [fault(0, 'follower', 'pause', 9000)]],
    ['a follower that restarts again and again', flapping.map((one) => ({ ...one, kind: 'power', durationMs: 5 }))],
    ['a follower with a stalled disk', [fault(0, 'follower', 'stallDisk', 9000)]],
    ['a follower whose disk fails', [fault(0, 'follower', 'failSync', 0), fault(4000, 'follower', 'failSync', 0)]],
    ['a follower with a full disk', [fault(0, 'follower', 'fillDisk', 9000)]],
  ])('%s changes neither leader nor epoch', (_what, faults) => {
    for (let seed = 1; seed <= 5; seed++) {
      const verdict = runRaftScenario(scenario({ seed, config: { liveness: 'stable', faultPhaseMs: 14_000 }, faults }));
      expect(verdict.detail, `seed ${seed}`).toBeUndefined();
    }
  });

  it('two of five followers that do not hear the leader change neither (B13)', () => {
    for (let seed = 1; seed <= 5; seed++) {
      const config = { liveness: 'stable', voters: 5, faultPhaseMs: 14_000 } as const;
      expect(
        runRaftScenario(scenario({ seed, config, faults: twoDeafToLeader, workload: IDLE })).detail,
      ).toBeUndefined();
    }
  });

  it.each<[string, FaultKind]>([
    ['cannot receive (B10)', 'cutIn'],
    ['cannot send', 'cutOut'],
    ['is cut off', 'isolate'],
    ['is paused', 'pause'],
  ])('a leader that %s is replaced within 1.5 fetch timeouts and an election', (_what, kind) => {
    for (let seed = 1; seed <= 5; seed++) {
      const config = { liveness: 'deposed', voters: 5, faultPhaseMs: 3000 + 4000 } as const;
      const verdict = runRaftScenario(scenario({ seed, config, faults: [fault(0, 'leader', kind, 20_000)] }));
      expect(verdict.detail, `seed ${seed}`).toBeUndefined();
    }
  });

  it('B10, B13: without check quorum or with careless pre-votes it is broken', () => {
    const deposed = { liveness: 'deposed', voters: 5, faultPhaseMs: 7000 } as const;
    const deaf = scenario({ config: deposed, faults: [fault(0, 'leader', 'cutIn', 20_000)] });
    expect(runRaftScenario(deaf, { core: broken.noCheckQuorum }).property).toBe('L-R3');
    const stable = { liveness: 'stable', faultPhaseMs: 14_000 } as const;
    const deafToLeader = scenario({ config: { ...stable, voters: 5 }, faults: twoDeafToLeader, workload: IDLE });
    expect(runRaftScenario(deafToLeader, { core: broken.grantsPreVotes }).property).toBe('L-R3');
  });

  it('a leader whose process ends is replaced in under a second (R-3.3)', () => {
    for (let seed = 1; seed <= 5; seed++) {
      const config = { liveness: 'deposed', faultPhaseMs: 1000 } as const;
      const verdict = runRaftScenario(scenario({ seed, config, faults: [fault(0, 'leader', 'kill', 20_000)] }));
      expect(verdict.detail, `seed ${seed}`).toBeUndefined();
    }
  });

  it('the followers of a leader whose machine dies do not split the vote', () => {
    let lost = 0;
    for (let seed = 1; seed <= 20; seed++) {
      const config = { voters: 5, faultPhaseMs: 4000 };
      const verdict = runRaftScenario(scenario({ seed, config, faults: [fault(0, 'leader', 'power', 20_000)] }));
      expect(verdict.detail, `seed ${seed}`).toBeUndefined();
      lost += verdict.coverage.electionsLost;
    }
    expect(lost).toBeLessThanOrEqual(3);
  });
});
