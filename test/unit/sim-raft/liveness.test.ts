// L-R1, L-R2, L-R4, L-R5, S-X1 to S-X3: each is broken by a core or a driver made for it, and holds where it nearly does not.
// L-R3 has its own tests (test/prop/raft/directed.test.ts), S-X4 too (random.test.ts).
import { describe, expect, it } from 'vitest';
import { step } from '../../../src/raft/step.ts';
import type { RaftEffect, RaftEvent } from '../../../src/raft/types.ts';
import type { RaftChecker } from '../../../src/sim/raft/checker.ts';
import type { RaftCore, StepFunction } from '../../../src/sim/raft/core.ts';
import { RAFT_CORE } from '../../../src/sim/raft/core.ts';
import type { FaultKind, RaftScenario, SimConfig, TimedFault } from '../../../src/sim/raft/scenario.ts';
import { CALM_CONFIG, CALM_WORKLOAD, NO_VOTER_CHANGES } from '../../../src/sim/raft/scenario.ts';
import { runRaftScenario } from '../../../src/sim/raft/simulate.ts';

function scenario(faults: readonly TimedFault[], config: Partial<SimConfig> = {}, changesMs = 0): RaftScenario {
  const voterChanges = { ...NO_VOTER_CHANGES, intervalMs: changesMs };
  return {
    schemaVersion: 1,
    seed: 1,
    config: { ...CALM_CONFIG, bootstrapMs: 2000, ...config },
    faults,
    triggers: [],
    workload: { ...CALM_WORKLOAD, voterChanges },
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

function broken(wrapped: StepFunction): RaftCore {
  return { ...RAFT_CORE, step: wrapped };
}

/** Node 2 does nothing of that kind, and does not hear that. */
function mute(effectIsMuted: (effect: RaftEffect) => boolean, isUnheard: (event: RaftEvent) => boolean): RaftCore {
  return broken((state, event, effects) => {
    const own = state.config.replica.id === 2;
    if (own && isUnheard(event)) return;
    step(state, event, effects);
    if (!own) return;
    for (let i = effects.length - 1; i >= 0; i--) if (effectIsMuted(effects[i] as RaftEffect)) effects.splice(i, 1);
  });
}

const fetchesNothing = mute(
  (effect) => effect.type === 'call' && effect.message.type === 'fetch',
  () => false,
);

describe('L-R1 convergence', () => {
  it('rejects a node that never catches up', () => {
    expect(runRaftScenario(scenario([]), { core: fetchesNothing }).property).toBe('L-R1');
  });

  it('accepts a majority whose third machine stays dead, and everybody after everything has stopped at once', () => {
    const dead = runRaftScenario(scenario([fault(0, 'leader', 'kill', 100)], { deadAfterHeal: 1 }));
    expect([dead.detail, dead.coverage.deadAfterHeal]).toEqual([undefined, 1]);
    const all = [0, 1, 2].map((node) => fault(0, 'any', 'power', 60_000, node));
    expect(runRaftScenario(scenario([fault(500, 'leader', 'isolate', 60_000), ...all])).detail).toBeUndefined();
  });
});

describe('L-R2 nobody campaigns for ever', () => {
  it('rejects a node that never gives its campaign up', () => {
    const stuck = mute(
      (effect) =>
        (effect.type === 'setTimer' && effect.id === 'election') ||
        (effect.type === 'call' && effect.message.type === 'vote'),
      (event) => event.type === 'request' && event.message.type === 'beginQuorumEpoch',
    );
    const faults = [fault(0, 'any', 'isolate', 3000, 2)];
    expect(runRaftScenario(scenario(faults), { core: stuck }).property).toBe('L-R2');
  });

  it('accepts a node that campaigned in vain as long as it was cut off', () => {
    let campaigns = 0;
    const counter: RaftChecker = {
      roleChanged: (_ghost, _node, { role }) => void (campaigns += Number(role === 'prospective')),
    };
    const verdict = runRaftScenario(scenario([fault(0, 'follower', 'isolate', 60_000)]), { checkers: [counter] });
    expect(verdict.detail).toBeUndefined();
    expect(campaigns).toBeGreaterThan(1);
  });
});

describe('L-R4 voter changes do not stick', () => {
  it('rejects a leader that takes no change any more', () => {
    const refuses = broken((state, event, effects) => {
      step(state, event.type === 'changeVoters' ? { ...event, change: NOBODY } : event, effects);
    });
    expect(runRaftScenario(scenario([], {}, 100_000), { core: refuses }).property).toBe('L-R4');
  });

  it('rejects a change that stays as it is, neither committed nor cut off', () => {
    const sticks = broken((state, event, effects) => {
      step(state, event, effects);
      // From the first change on, what is beyond it is not committed.
      if (state.role.name === 'leader' && state.log.votersOffset > 0) {
        Object.assign(state.role, { epochStartOffset: Number.MAX_SAFE_INTEGER });
      }
    });
    const verdict = runRaftScenario(scenario([], { spares: 1 }, 300), { core: sticks });
    expect(verdict.property).toMatch(/^L-R[14]$/);
  });

  it('accepts changes under faults, some of which are lost with their leaders', () => {
    const faults = Array.from({ length: 12 }, () => fault(900, 'leader', 'isolate', 800));
    const config = { spares: 2, faultPhaseMs: 12_000 };
    const verdict = runRaftScenario(scenario(faults, config, 60));
    expect(verdict.detail).toBeUndefined();
    expect(verdict.coverage.voterChangesCommitted).toBeGreaterThan(3);
  });
});

const NOBODY = { type: 'remove', replica: { id: 9, directoryId: 'AAAAAAAAAAAAAAAAAAAAAB' } } as const;

describe('L-R5 full disks', () => {
  const faults = [1, 2].map((node) => fault(0, 'any', 'fillDisk', 60_000, node));

  it('stop everything and break nothing; with room again it goes on', () => {
    const verdict = runRaftScenario(scenario(faults));
    expect(verdict.detail).toBeUndefined();
    expect(verdict.coverage.runsWithoutRoom).toBe(1);
    expect(verdict.coverage.fullDiskStops).toBeGreaterThan(5);
    // Half a second after the disks ran full, and at the end of the faults.
    expect(committedUntil(2500)).toBe(committedUntil(6900));
    expect(committedUntil(2500)).toBeGreaterThan(committedUntil(1900));
  });

  function committedUntil(stopAtMs: number): number {
    let batches = 0;
    const counter: RaftChecker = { released: (ghost) => void (batches = ghost.committed.length) };
    runRaftScenario(scenario(faults), { stopAtMs, checkers: [counter] });
    return batches;
  }

  it('rejects a node that does not go on', () => {
    expect(runRaftScenario(scenario(faults), { core: fetchesNothing }).property).toBe('L-R5');
  });

  it('one full disk of three stops nothing', () => {
    const verdict = runRaftScenario(scenario([fault(0, 'follower', 'fillDisk', 60_000)]));
    expect([verdict.detail, verdict.coverage.runsWithoutRoom]).toEqual([undefined, 0]);
  });
});

describe('S-X1 determinism', () => {
  it('is what the event hash tells', () => {
    let calls = 0;
    const forgetful = broken((state, event, effects) => {
      step(state, event, effects);
      calls++;
      const last = effects.at(-1);
      if (last?.type === 'setTimer') effects[effects.length - 1] = { ...last, at: last.at + (calls % 7) };
    });
    const hash = (core: RaftCore) => runRaftScenario(scenario([]), { core }).hash;
    expect(hash(forgetful)).not.toBe(hash(forgetful));
    expect(hash(RAFT_CORE)).toBe(hash(RAFT_CORE));
  });
});

describe('S-X2 nothing ends or throws that need not', () => {
  it('rejects a core that gives up, and one that throws', () => {
    const givesUp = broken((state, event, effects) => {
      step(state, event, effects);
      if (event.type === 'propose') effects.push({ type: 'fatal', reason: 'no' });
    });
    expect(runRaftScenario(scenario([]), { core: givesUp }).property).toBe('S-X2');
    const throws = broken((state, event, effects) => {
      if (event.type === 'propose') throw new Error('no');
      step(state, event, effects);
    });
    expect(runRaftScenario(scenario([]), { core: throws }).property).toBe('S-X2');
  });

  it('accepts processes that stop because their disks fail', () => {
    const faults = Array.from({ length: 8 }, (_, i) => fault(300, i % 2 === 0 ? 'leader' : 'any', 'failSync', 0, i));
    const verdict = runRaftScenario(scenario(faults));
    expect(verdict.detail).toBeUndefined();
    expect(verdict.coverage.diskErrorStops).toBeGreaterThan(3);
  });
});

describe('S-X3 bounded resources', () => {
  it('rejects messages that wait for ever', () => {
    const hoards = broken((state, event, effects) => {
      step(state, event, effects);
      if (event.type !== 'timer' || event.id !== 'beginQuorumEpoch') return;
      const { clusterId, replica } = state.config;
      const { epoch } = state;
      const to = (replica.id + 1) % 3;
      effects.push({
        type: 'call',
        call: state.nextCall++,
        to,
        message: { type: 'endQuorumEpoch', clusterId, leaderKey: replica, epoch, preferredSuccessors: [] },
        timeoutMs: 1000,
        after: 1e9,
      });
    });
    expect(runRaftScenario(scenario([]), { core: hoards }).property).toBe('S-X3');
  });

  it('rejects a core that does not list its snapshots: its log would grow without end', () => {
    const keepsAll = broken((state, event, effects) => {
      if (event.type !== 'snapshotTaken') step(state, event, effects);
    });
    const snapshots = { ...CALM_CONFIG.snapshots, everyRecords: 10 };
    expect(runRaftScenario(scenario([], { snapshots }), { core: keepsAll }).property).toBe('S-X3');
    const verdict = runRaftScenario(scenario([fault(100, 'follower', 'kill', 3000)], { snapshots }));
    expect([verdict.detail, verdict.coverage.snapshotInstalls]).toEqual([undefined, 1]);
  });
});
