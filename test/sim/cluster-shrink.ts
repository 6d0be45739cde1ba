// Makes a failing whole-cluster scenario smaller while the same property fails (safety.md 8.9): fewer faults and triggers,
// fewer and shorter of what is left, fewer nodes, parameters switched off. Every sublist of a schedule is valid.
import type {
  ClusterConfig,
  ClusterScenario,
  FaultAction,
  TimedFault,
  Workload,
} from '../../src/sim/cluster/scenario.ts';
import { CALM_CONFIG, CALM_WORKLOAD } from '../../src/sim/cluster/scenario.ts';
import type { Outcome } from './kind.ts';

/** Runs a candidate up to that time. */
export type ClusterJudge = (scenario: ClusterScenario, stopAtMs: number) => Promise<Pick<Outcome, 'property' | 'atMs'>>;

/** What fails shortly after it failed before fails for the same reason. */
const SLACK_MS = 1000;

/** The smallest found with at most `maxRuns` runs; the scenario itself if it does not fail. */
export async function shrinkClusterScenario(
  scenario: ClusterScenario,
  judge: ClusterJudge,
  maxRuns = 150,
): Promise<ClusterScenario> {
  const first = await judge(scenario, Number.MAX_SAFE_INTEGER / 1000);
  if (first.property === undefined) return scenario;
  let best = scenario;
  let stopAtMs = first.atMs + SLACK_MS;
  let runs = 0;

  async function attempt(candidate: ClusterScenario): Promise<boolean> {
    if (runs >= maxRuns || JSON.stringify(candidate) === JSON.stringify(best)) return false;
    runs++;
    const { property, atMs } = await judge(candidate, stopAtMs);
    if (property !== first.property) return false;
    best = candidate;
    stopAtMs = Math.min(stopAtMs, atMs + SLACK_MS);
    return true;
  }

  for (let before: ClusterScenario | undefined; best !== before && runs < maxRuns; ) {
    before = best;
    await dropParts(
      () => best.faults.length,
      async (from, to) =>
        (await attempt({ ...best, faults: without(best.faults, from, to, true) })) ||
        attempt({ ...best, faults: without(best.faults, from, to, false) }),
    );
    await dropParts(
      () => best.triggers.length,
      (from, to) => attempt({ ...best, triggers: best.triggers.filter((_, i) => i < from || i >= to) }),
    );
    for (const change of CHANGES) await attempt(change(best));
    for (let i = 0; i < best.faults.length; i++) await attempt(withFault(best, i, shorter));
    for (let i = 0; i < best.triggers.length; i++) await attempt(withOnce(best, i));
  }
  return best;
}

/** Tries to drop halves, quarters, … single items of a list of that length, from its end. */
async function dropParts(length: () => number, drop: (from: number, to: number) => Promise<boolean>): Promise<void> {
  for (let size = length(); size >= 1; size = Math.floor(size / 2)) {
    for (let to = length(); to > 0; to -= size) await drop(Math.max(0, to - size), to);
  }
}

/** `keepTimes`: what comes after the dropped faults stays where it was in time. */
function without(faults: readonly TimedFault[], from: number, to: number, keepTimes: boolean): TimedFault[] {
  const next = faults[to];
  if (!keepTimes || next === undefined) return [...faults.slice(0, from), ...faults.slice(to)];
  const dropped = faults.slice(from, to).reduce((sum, fault) => sum + fault.dt, 0);
  return [...faults.slice(0, from), { ...next, dt: next.dt + dropped }, ...faults.slice(to + 1)];
}

function withFault(scenario: ClusterScenario, at: number, change: (fault: TimedFault) => TimedFault): ClusterScenario {
  return { ...scenario, faults: scenario.faults.map((fault, i) => (i === at ? change(fault) : fault)) };
}

function shorter<T extends FaultAction>(fault: T): T {
  return fault.durationMs > 100 ? { ...fault, durationMs: Math.ceil(fault.durationMs / 4) } : fault;
}

function withOnce(scenario: ClusterScenario, at: number): ClusterScenario {
  return { ...scenario, triggers: scenario.triggers.map((one, i) => (i === at ? { ...one, times: 1 } : one)) };
}

function inConfig(change: (config: ClusterConfig) => Partial<ClusterConfig>) {
  return (scenario: ClusterScenario): ClusterScenario => ({
    ...scenario,
    config: { ...scenario.config, ...change(scenario.config) },
  });
}

function inWorkload(change: (workload: Workload) => Partial<Workload>) {
  return (scenario: ClusterScenario): ClusterScenario => ({
    ...scenario,
    workload: { ...scenario.workload, ...change(scenario.workload) },
  });
}

/** A calm run has more of these than the smallest. */
const SIZES: readonly string[] = ['controllers', 'brokers', 'topics', 'partitions', 'faultPhaseMs'];

const CHANGES: readonly ((scenario: ClusterScenario) => ClusterScenario)[] = [
  inConfig(({ controllers }) => ({ controllers: Math.min(3, controllers) })),
  inConfig(() => ({ controllers: 1 })),
  inConfig(({ brokers }) => ({ brokers: Math.ceil(brokers / 2) })),
  inConfig(() => ({ topics: 1, partitions: 1 })),
  inConfig(({ faultPhaseMs }) => ({ faultPhaseMs: Math.max(1000, Math.ceil(faultPhaseMs / 2)) })),
  // Every other parameter as in a calm run, one at a time.
  ...Object.entries(CALM_CONFIG)
    .filter(([key]) => !SIZES.includes(key))
    .map(([key, calm]: [string, unknown]) => inConfig(() => ({ [key]: calm }))),
  ...Object.entries(CALM_WORKLOAD).map(([key, calm]: [string, unknown]) => inWorkload(() => ({ [key]: calm }))),
  inWorkload(() => ({ maxRecords: 1, maxInFlight: 1, maxUnresolved: 1 })),
  inWorkload(({ intervalMs }) => ({ intervalMs: Math.min(500, intervalMs * 4) })),
];
