// Scenarios for tests: calm but for what a test names.
import { readFileSync } from 'node:fs';
import { expect } from 'vitest';
import type { ClusterVerdict } from '../../src/sim/cluster/run.ts';
import { runClusterScenario } from '../../src/sim/cluster/run.ts';
import type { ClusterConfig, ClusterScenario, TimedFault, Trigger, Workload } from '../../src/sim/cluster/scenario.ts';
import { CALM_CONFIG, CALM_WORKLOAD, parseScenario, SCHEMA_VERSION } from '../../src/sim/cluster/scenario.ts';

export interface Wanted {
  readonly seed?: number;
  readonly config?: Partial<ClusterConfig>;
  readonly workload?: Partial<Workload>;
  readonly faults?: readonly (Partial<TimedFault> & Pick<TimedFault, 'kind'>)[];
  readonly triggers?: readonly (Partial<Trigger> & Pick<Trigger, 'kind' | 'on'>)[];
}

export function scenario({ seed = 1, config, workload, faults = [], triggers = [] }: Wanted): ClusterScenario {
  const action = { i: 0, j: 0, durationMs: 500 };
  return {
    schemaVersion: SCHEMA_VERSION,
    seed,
    config: { ...CALM_CONFIG, faultPhaseMs: 6000, ...config },
    workload: { ...CALM_WORKLOAD, ...workload },
    faults: faults.map((fault) => ({ dt: 0, ...action, ...fault })),
    triggers: triggers.map((trigger) => ({ nth: 1, times: 1, delayMs: 0, ...action, ...trigger })),
  };
}

/** What the only broker says is lost now and then, while records are near the end of their time and others come after them. */
export function answersLost(seed: number): ClusterScenario {
  const [broker, producer] = [3, 5];
  const faults = Array.from({ length: 8 }, (_, i) => {
    return { kind: 'cutOneWay', i: broker, j: producer, dt: 2500, durationMs: 700 + 300 * (i % 4) } as const;
  });
  return scenario({
    seed,
    faults,
    config: { faultPhaseMs: 22_000, brokers: 1, partitions: 1 },
    workload: { intervalMs: 150, maxRecords: 1, deliveryTimeoutMs: 1200, requestTimeoutMs: 500 },
  });
}

/** Power cuts at the only broker, with records of one size, none of them synced: what a recovery leaves meets the next one. */
export function tornTails(seed: number): ClusterScenario {
  const power = { kind: 'power', i: 1, dt: 700, durationMs: 20 } as const;
  return scenario({
    seed,
    faults: Array.from({ length: 12 }, () => power),
    config: {
      controllers: 1,
      brokers: 1,
      partitions: 1,
      faultPhaseMs: 9000,
      flushMode: 'async',
      syncLatencyMs: 20,
    },
    workload: { intervalMs: 5, maxRecords: 1, maxValueBytes: 0, producers: 2, maxInFlight: 1, requestTimeoutMs: 300 },
  });
}

export function readScenario(path: string): ClusterScenario {
  return parseScenario(readFileSync(path, 'utf8'));
}

/** Runs the scenario, which must pass. */
export async function runWell(wanted: ClusterScenario): Promise<ClusterVerdict> {
  const verdict = await runClusterScenario(wanted);
  const lastLines = verdict.log().split('\n').slice(-30).join('\n');
  expect(verdict.violation, `${JSON.stringify(wanted)}\n${lastLines}`).toBeUndefined();
  return verdict;
}
