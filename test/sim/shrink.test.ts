// Shrinking of whole-cluster scenarios, with judges that need no cluster.
import { expect, test } from 'vitest';
import { drawScenario } from '../../src/sim/cluster/draw-scenario.ts';
import type { ClusterScenario } from '../../src/sim/cluster/scenario.ts';
import { CALM_CONFIG, CALM_WORKLOAD } from '../../src/sim/cluster/scenario.ts';
import type { ClusterJudge } from './cluster-shrink.ts';
import { shrinkClusterScenario } from './cluster-shrink.ts';

function busy(): ClusterScenario {
  for (let seed = 1; ; seed++) {
    const scenario = drawScenario(seed);
    const kills = scenario.faults.filter(({ kind }) => kind === 'kill');
    if (kills.length > 3 && scenario.triggers.length > 1 && scenario.config.controllers === 5) return scenario;
  }
}

test('what has no part in the failure goes, and the rest becomes calm', async () => {
  const stops: number[] = [];
  const judge: ClusterJudge = async ({ faults, config }, stopAtMs) => {
    stops.push(stopAtMs);
    const atMs = faults.reduce((sum, fault) => sum + fault.dt, 0);
    const fails = faults.some(({ kind }) => kind === 'kill') && config.brokers > 0 && atMs <= stopAtMs;
    return fails ? { property: 'S-M9', atMs } : { atMs };
  };
  const small = await shrinkClusterScenario(busy(), judge);
  expect(small.faults).toHaveLength(1);
  expect(small.faults[0]).toMatchObject({ kind: 'kill' });
  expect(small.triggers).toEqual([]);
  expect(small.config).toMatchObject({
    controllers: 1,
    brokers: 1,
    topics: 1,
    partitions: 1,
    links: CALM_CONFIG.links,
  });
  expect(small.workload).toMatchObject({ createEveryMs: CALM_WORKLOAD.createEveryMs, producers: 1 });
  // Each run ends a second after the failure of the best one so far.
  expect(stops.at(-1)).toBeLessThanOrEqual((small.faults[0]?.dt ?? 0) + 1000);
});

test('only the same property counts', async () => {
  const scenario = busy();
  const { length } = scenario.faults;
  const judge: ClusterJudge = async ({ faults }) => ({
    property: faults.length === length ? 'S-D1' : 'S-X2',
    atMs: 1,
  });
  expect((await shrinkClusterScenario(scenario, judge)).faults).toHaveLength(length);
});

test('a scenario that does not fail stays as it is, and runs are counted', async () => {
  const scenario = busy();
  expect(await shrinkClusterScenario(scenario, async () => ({ atMs: 1 }))).toBe(scenario);
  let runs = 0;
  const judge: ClusterJudge = async () => ({ property: 'S-D1', atMs: runs++ });
  await shrinkClusterScenario(scenario, judge, 20);
  expect(runs).toBeLessThanOrEqual(21);
});
