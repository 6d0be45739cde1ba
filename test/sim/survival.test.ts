// What `kvorum topic describe` says that a topic survives, carried out: exactly those failures, at other moments for each seed, and
// nothing is lost; and of what it does not promise, that it may indeed cost records.
import { beforeAll, expect, test } from 'vitest';
import { loadCodecs } from '../../src/codec/compression.ts';
import type { SurvivalNumbers } from '../../src/metadata/partition-survival.ts';
import { partitionSurvival } from '../../src/metadata/partition-survival.ts';
import type { ClusterVerdict } from '../../src/sim/cluster/run.ts';
import type { TimedFault } from '../../src/sim/cluster/scenario.ts';
import { runWell, scenario } from './scenarios.ts';

beforeAll(loadCodecs);

const REPLICAS = 3;
const MIN_ISR = 2;

/** Three brokers with one partition of three replicas, under load. */
function underLoad(
  seed: number,
  flushMode: 'sync' | 'async',
  faults: readonly (Pick<TimedFault, 'kind'> & Partial<TimedFault>)[],
): Promise<ClusterVerdict> {
  return runWell(
    scenario({
      seed,
      config: {
        brokers: REPLICAS,
        partitions: 1,
        topicShapes: [{ replicationFactor: REPLICAS, minIsr: MIN_ISR, flushMode: '' }],
        timingProfile: 'fast',
        flushMode,
        syncLatencyMs: 20,
        faultPhaseMs: 3000,
      },
      faults: faults.map((fault, index) => ({ dt: index === 0 ? 700 + 137 * seed : 0, durationMs: 300, ...fault })),
      workload: { intervalMs: 10, producers: 2 },
    }),
  );
}

function promised(flushMode: 'sync' | 'async'): SurvivalNumbers {
  const isSafe = flushMode === 'sync';
  const common = { rack: '', holdsAll: true, isActive: true, isSynced: isSafe, isPowerSafe: isSafe };
  const replicas = Array.from({ length: REPLICAS }, (_, brokerId) => ({ brokerId, ...common }));
  return partitionSurvival({ replicas, isLed: true, minIsr: MIN_ISR, allowsUnclean: false });
}

const SEEDS = [1, 2];

/** Bits of so many brokers, others for each seed. */
function brokers(count: number, seed: number): number {
  return Array.from({ length: count }, (_, i) => 1 << ((i + seed) % REPLICAS)).reduce((sum, bit) => sum | bit, 0);
}

test.each(SEEDS)('log.flush.mode=sync: the power of all brokers, and the loss of one disk (seed %i)', async (seed) => {
  const { powers, allPowers, disks } = promised('sync');
  expect({ powers, allPowers, disks }).toEqual({ powers: 3, allPowers: true, disks: 1 });
  const dark = await underLoad(seed, 'sync', [{ kind: 'powerBrokers', j: brokers(powers, seed) }]);
  expect(dark.stats.tailsLost).toBe(0);
  const torn = await underLoad(seed, 'sync', [{ kind: 'loseBrokerDisk', i: seed }]);
  expect(torn.stats.logged.get('broker disk lost')).toBe(disks);
  expect(torn.stats.tailsLost).toBe(0);
});

test.each(SEEDS)('log.flush.mode=async: all processes, and the power of any one broker (seed %i)', async (seed) => {
  const { powers, allProcesses } = promised('async');
  expect({ powers, allProcesses }).toEqual({ powers: 1, allProcesses: true });
  const dark = await underLoad(seed, 'async', [{ kind: 'powerBrokers', j: brokers(powers, seed) }]);
  expect(dark.stats.tailsLost).toBe(0);
  const killed = await underLoad(
    seed,
    'async',
    [3, 4, 5].map((i) => ({ kind: 'kill', i })),
  );
  expect(killed.stats.tailsLost).toBe(0);
});

test('log.flush.mode=async: the power of two may cost records: two are enough to acknowledge where the third is away', async () => {
  const { powers } = promised('async');
  let lost = 0;
  for (const seed of SEEDS) {
    const away = { kind: 'kill', i: 3 + ((2 + seed) % REPLICAS), durationMs: 2000 } as const;
    const two = { kind: 'powerBrokers', dt: 1000, j: brokers(powers + 1, seed) } as const;
    const { stats } = await underLoad(seed, 'async', [away, two]);
    lost += stats.tailsLost;
  }
  expect(lost).toBeGreaterThan(0);
});
