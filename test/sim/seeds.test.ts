// A few seeds of the swarm, so that the simulator itself stays alive; many more run with `make sim` and in the soak.
import { beforeAll, expect, test } from 'vitest';
import { loadCodecs } from '../../src/codec/compression.ts';
import { drawScenario } from '../../src/sim/cluster/draw-scenario.ts';
import type { ClusterScenario, FaultKind } from '../../src/sim/cluster/scenario.ts';
import { FAULT_KINDS, MOMENTS, parseScenario } from '../../src/sim/cluster/scenario.ts';
import { runWell } from './scenarios.ts';

beforeAll(loadCodecs);

test('S-X1: the same scenario is the same run', async () => {
  const scenario = drawScenario(9);
  expect(scenario.faults.length).toBeGreaterThan(20);
  const first = await runWell(scenario);
  const second = await runWell(parseScenario(JSON.stringify(scenario)));
  expect(second.hash).toBe(first.hash);
  expect(second.events).toBe(first.events);
});

test.each([5, 7, 14, 15, 16])('seed %i', async (seed) => {
  await runWell(drawScenario(seed));
});

test('each fault is off in about half of the seeds or more, and on in some', () => {
  const scenarios = Array.from({ length: 600 }, (_, seed) => drawScenario(seed));
  const uses: Readonly<Record<string, (scenario: ClusterScenario) => boolean>> = {
    loss: ({ config }) => config.links.lossPermille > 0,
    duplicates: ({ config }) => config.links.duplicatePermille > 0,
    'late messages': ({ config }) => config.links.latePermille > 0,
    'drifting clocks': ({ config }) => config.clockPercent.length > 0,
    'small disks': ({ config }) => config.diskRoomKib > 0,
    snapshots: ({ config }) => 'metadata.log.max.record.bytes.between.snapshots' in config.nodeSettings,
    'frequent scans': ({ config }) => 'unclean.leader.election.interval.ms' in config.nodeSettings,
    'frequent balancing': ({ config }) => 'leader.imbalance.check.interval.seconds' in config.nodeSettings,
    triggers: ({ triggers }) => triggers.length > 0,
    registrars: ({ workload }) => workload.registrars > 0,
    'governed topics': ({ workload }) => workload.governedTopics > 0,
    'own flush modes': ({ config }) => config.topicShapes.some(({ flushMode }) => flushMode !== ''),
    'short fetches of replicas': ({ config }) => 'replica.fetch.max.bytes' in config.nodeSettings,
    governors: ({ workload }) => workload.governEveryMs > 0,
    'unclean elections': ({ workload }) => workload.uncleanElections,
    operator: ({ workload }) => workload.operateEveryMs > 0,
    'kept topics': ({ workload }) => workload.keptEveryMs > 0,
    'voter churn': ({ workload }) => workload.voterChurn,
    ...Object.fromEntries(FAULT_KINDS.map((kind) => [kind, usesFault(kind)])),
  };
  for (const [what, isUsed] of Object.entries(uses)) {
    const share = scenarios.filter(isUsed).length / scenarios.length;
    expect(share, what).toBeLessThan(0.57);
    expect(share, what).toBeGreaterThan(0.02);
  }
  const triggered = new Set(scenarios.flatMap(({ triggers }) => triggers.map(({ on }) => on)));
  expect(MOMENTS.filter((moment) => !triggered.has(moment))).toEqual([]);
});

function usesFault(kind: FaultKind): (scenario: ClusterScenario) => boolean {
  return ({ faults }) => faults.some((fault) => fault.kind === kind);
}

test('a scenario that cannot be understood is refused with a sentence', () => {
  const parse = (change: object) => () => parseScenario(JSON.stringify({ schemaVersion: 1, seed: 1, ...change }));
  expect(parse({})).not.toThrow();
  expect(parse({ schemaVersion: 2 })).toThrow('schemaVersion 2');
  expect(parse({ seed: 'x' })).toThrow('seed x');
  expect(parse({ config: { brokres: 1 } })).toThrow('config has no brokres');
  expect(parse({ faults: [{ kind: 'flood' }] })).toThrow('no fault flood');
  expect(parse({ triggers: [{ kind: 'kill', on: 'monday' }] })).toThrow('no moment monday');
});
