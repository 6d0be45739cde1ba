// Makes a failing scenario smaller while the same property fails (safety.md 8.9): fewer faults and triggers, fewer nodes,
// parameters switched off. Since every sublist of a schedule is valid and draws are keyed, dropping one thing leaves the
// rest as it was.
import type { RaftScenario, SimConfig, TimedFault } from './scenario.ts';
import { DEFAULT_TIMINGS, NO_SNAPSHOTS, NO_VOTER_CHANGES } from './scenario.ts';
import type { Verdict } from './simulate.ts';

/** Runs a candidate up to that time. */
export type Judge = (scenario: RaftScenario, stopAtMs: number) => Verdict;

/** The smallest found with at most `maxRuns` runs; the scenario itself if it does not fail. */
export function shrinkScenario(scenario: RaftScenario, judge: Judge, maxRuns = 300): RaftScenario {
  const first = judge(scenario, Number.POSITIVE_INFINITY);
  if (first.ok) return scenario;
  let best = scenario;
  let stopAtMs = first.atMs + 1000;
  let runs = 0;

  function attempt(candidate: RaftScenario): boolean {
    if (runs >= maxRuns) return false;
    runs++;
    const verdict = judge(candidate, stopAtMs);
    if (verdict.ok || verdict.property !== first.property) return false;
    best = candidate;
    stopAtMs = Math.min(stopAtMs, verdict.atMs + 1000);
    return true;
  }

  let before: RaftScenario | undefined;
  while (best !== before && runs < maxRuns) {
    before = best;
    dropParts(
      () => best.faults.length,
      (from, to) =>
        attempt({ ...best, faults: without(best.faults, from, to, true) }) ||
        attempt({ ...best, faults: without(best.faults, from, to, false) }),
    );
    dropParts(
      () => best.triggers.length,
      (from, to) => attempt({ ...best, triggers: best.triggers.filter((_, index) => index < from || index >= to) }),
    );
    for (const change of CHANGES) {
      const candidate = { ...best, ...change(best) };
      if (JSON.stringify(candidate) !== JSON.stringify(best)) attempt(candidate);
    }
    const { config } = best;
    const faultPhaseMs = Math.max(1, Math.ceil(stopAtMs - 999 - config.bootstrapMs));
    if (faultPhaseMs < config.faultPhaseMs) attempt({ ...best, config: { ...config, faultPhaseMs } });
  }
  return best;
}

/** Tries to drop halves, quarters, … single items of a list of that length, from its end. */
function dropParts(length: () => number, drop: (from: number, to: number) => boolean): void {
  for (let size = length(); size >= 1; size = Math.floor(size / 2)) {
    for (let to = length(); to > 0; to -= size) drop(Math.max(0, to - size), to);
  }
}

/** `keepTimes`: what comes after the dropped faults stays where it was in time. */
function without(faults: readonly TimedFault[], from: number, to: number, keepTimes: boolean): TimedFault[] {
  const next = faults[to];
  if (!keepTimes || next === undefined) return [...faults.slice(0, from), ...faults.slice(to)];
  const droppedMs = faults.slice(from, to).reduce((sum, fault) => sum + fault.afterMs, 0);
  return [...faults.slice(0, from), { ...next, afterMs: next.afterMs + droppedMs }, ...faults.slice(to + 1)];
}

function inConfig(
  change: (config: SimConfig) => Partial<SimConfig>,
): (scenario: RaftScenario) => Partial<RaftScenario> {
  return ({ config }) => ({ config: { ...config, ...change(config) } });
}

const CHANGES: readonly ((scenario: RaftScenario) => Partial<RaftScenario>)[] = [
  ({ workload }) => ({ workload: { ...workload, voterChanges: NO_VOTER_CHANGES } }),
  inConfig(() => ({ snapshots: NO_SNAPSHOTS })),
  inConfig(() => ({ deadAfterHeal: 0 })),
  inConfig(() => ({ spares: 0 })),
  inConfig(() => ({ observers: 0 })),
  inConfig(({ voters }) => ({ voters: Math.min(voters, 3) })),
  inConfig(() => ({ clockPercent: [] })),
  inConfig(() => ({ applyDelayMs: 0 })),
  inConfig(() => ({ timings: DEFAULT_TIMINGS })),
  inConfig(({ network }) => ({ network: { ...network, hostilePermille: 0 } })),
  inConfig(({ network }) => ({ network: { ...network, duplicatePermille: 0 } })),
  inConfig(({ network }) => ({ network: { ...network, lossPermille: 0 } })),
  inConfig(({ network }) => ({ network: { ...network, tailPermille: 0 } })),
  inConfig(({ disk }) => ({ disk: { ...disk, tailPermille: 0 } })),
  ({ workload: { voterChanges, ...workload } }) => ({
    workload: { ...workload, voterChanges: { ...voterChanges, strayPermille: 0, twicePermille: 0, leaderPermille: 0 } },
  }),
  ({ workload }) => ({ workload: { ...workload, burst: 1, maxRecords: 1, strayPermille: 0 } }),
  ({ workload }) => ({ workload: { ...workload, intervalMs: Math.min(1000, workload.intervalMs * 4) } }),
];
