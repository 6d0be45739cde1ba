// Whole clusters in situations in which replication lost records elsewhere (DS-10 to DS-20). Each run is judged by all checkers: that
// nobody who may lead lacks what is committed (S-M11), that nothing acknowledged is lost (S-D1), that losses are told (S-D8). A test
// says that the situation has come about.
import { beforeAll, expect, test } from 'vitest';
import { loadCodecs } from '../../src/codec/compression.ts';
import type { ClusterVerdict } from '../../src/sim/cluster/run.ts';
import { CALM_CONFIG } from '../../src/sim/cluster/scenario.ts';
import type { Wanted } from './scenarios.ts';
import { runWell, scenario } from './scenarios.ts';

beforeAll(loadCodecs);

/** Three controllers, then three brokers. */
const [FIRST, SECOND, THIRD] = [3, 4, 5];

/** A topic of three replicas, of which two must have a record before it is acknowledged. */
function replicated({ config, workload, ...rest }: Wanted): Promise<ClusterVerdict> {
  return runWell(
    scenario({
      config: {
        brokers: 3,
        partitions: 1,
        topicShapes: [{ replicationFactor: 3, minIsr: 2, flushMode: '' }],
        timingProfile: 'fast',
        faultPhaseMs: 8000,
        ...config,
      },
      workload: { producers: 1, intervalMs: 20, consumers: 1, ...workload },
      ...rest,
    }),
  );
}

const happened = ({ stats }: ClusterVerdict, what: string): number =>
  stats.metadata.get(what) ?? stats.logged.get(what) ?? 0;

test('leaders are killed one after the other: every acknowledged record is there once, in order', async () => {
  const kill = (i: number) => ({ kind: 'kill', i, dt: 1200, durationMs: 700 }) as const;
  const verdict = await replicated({ faults: [FIRST, SECOND, THIRD, FIRST, SECOND].map(kill) });
  expect(verdict.stats.acknowledged).toBeGreaterThan(100);
  expect(happened(verdict, 'leader-began')).toBeGreaterThan(2);
  expect(happened(verdict, 'ISR expanded')).toBeGreaterThan(2);
  expect(verdict.stats.tailsLost).toBe(0);
});

test('DS-12, B27, B54: answers about ISRs are lost and late while followers fall behind and come back', async () => {
  const verdict = await replicated({
    config: {
      links: { ...CALM_CONFIG.links, lossPermille: 30, duplicatePermille: 200, latePermille: 100, lateMs: 3000 },
      nodeSettings: { 'replica.lag.time.max.ms': '200' },
    },
    faults: [
      { kind: 'cut', i: FIRST, j: SECOND, dt: 500, durationMs: 600 },
      { kind: 'cut', i: FIRST, j: THIRD, dt: 1200, durationMs: 600 },
      { kind: 'cut', i: SECOND, j: THIRD, dt: 1200, durationMs: 600 },
      { kind: 'kill', i: 0, dt: 600, durationMs: 300 },
      { kind: 'cut', i: FIRST, j: SECOND, dt: 600, durationMs: 600 },
    ],
  });
  expect(happened(verdict, 'isr-changed')).toBeGreaterThan(5);
  expect(happened(verdict, 'AlterPartition asked')).toBeGreaterThan(happened(verdict, 'AlterPartition done'));
});

test('DS-13, B37: a follower loses its log while the leader has it join the ISR', async () => {
  const verdict = await replicated({
    config: { flushMode: 'async', syncLatencyMs: 20, nodeSettings: { 'replica.lag.time.max.ms': '200' } },
    faults: [{ kind: 'kill', i: SECOND, dt: 500, durationMs: 600 }],
    // The one after the node that asks, which is a leader: mostly the follower.
    triggers: [{ on: 'AlterPartition asked', kind: 'power', i: 1, nth: 2, times: 6, durationMs: 20 }],
  });
  expect(happened(verdict, 'unclean registration')).toBeGreaterThan(0);
  expect(happened(verdict, 'AlterPartition INELIGIBLE_REPLICA') + happened(verdict, 'isr-changed')).toBeGreaterThan(2);
});

test('DS-14, B84, B85: a leader loses its log, and starts again twice before anybody hears of it', async () => {
  const power = (dt: number) => ({ kind: 'power', i: FIRST, dt, durationMs: 10 }) as const;
  const verdict = await replicated({
    config: { flushMode: 'async', syncLatencyMs: 20 },
    faults: [power(1500), power(25), { kind: 'kill', i: FIRST, dt: 25, durationMs: 10 }, power(2500), power(15)],
  });
  expect(happened(verdict, 'unclean registration')).toBeGreaterThan(1);
  expect(happened(verdict, 'leader-began')).toBeGreaterThan(1);
  expect(verdict.stats.tailsLost).toBe(0);
});

test('DS-15, B45, B46: leaders come and go while logs differ at their ends; every replica cuts exactly what its leader lacks', async () => {
  // It still takes records from clients that nobody else gets, until it hears of its successor.
  const alone = (i: number, dt: number) => {
    const others = [FIRST, SECOND, THIRD].filter((other) => other !== i);
    const cuts = others.map((j) => ({ kind: 'cut', i, j, dt: 0, durationMs: 3500 }) as const);
    return [{ kind: 'cutFromControllers', i, dt, durationMs: 3500 } as const, ...cuts];
  };
  const verdict = await replicated({
    config: { faultPhaseMs: 16_000 },
    faults: [...alone(FIRST, 1000), ...alone(SECOND, 5000), ...alone(THIRD, 5000)],
    workload: { producers: 2, intervalMs: 10 },
  });
  expect(happened(verdict, 'replica-cut')).toBeGreaterThan(0);
  expect(happened(verdict, 'replica cut below its high watermark')).toBe(0);
  expect(verdict.stats.tailsLost).toBe(0);
});

test('DS-17, B38, B55: all replicas go one after the other and come back in another order', async () => {
  const verdict = await replicated({
    config: { faultPhaseMs: 12_000 },
    faults: [
      { kind: 'kill', i: FIRST, dt: 1500, durationMs: 6000 },
      { kind: 'stop', i: SECOND, dt: 1500, durationMs: 4000 },
      { kind: 'power', i: THIRD, dt: 1500, durationMs: 500 },
    ],
  });
  expect(happened(verdict, 'unclean election')).toBe(0);
  expect(verdict.stats.tailsLost).toBe(0);
});

test('with log.flush.mode=sync the power of all brokers goes, and of all again: nobody need be elected uncleanly', async () => {
  const all = (dt: number) => ({ kind: 'powerBrokers', j: 0, dt, durationMs: 200 }) as const;
  const verdict = await replicated({ faults: [all(1500), all(2500), all(20)] });
  expect(happened(verdict, 'unclean registration')).toBe(0);
  expect(verdict.stats.tailsLost).toBe(0);
  expect(verdict.stats.acknowledged).toBeGreaterThan(50);
});

test('DS-18: power goes at all brokers where nothing is synced: who leads then lacks records, and the ledger says which', async () => {
  let lost = 0;
  for (const seed of [1, 2, 3, 4]) {
    const verdict = await replicated({
      seed,
      config: { flushMode: 'async', syncLatencyMs: 50 },
      faults: [{ kind: 'powerBrokers', j: 0, dt: 2500, durationMs: 100 }],
      workload: { intervalMs: 5 },
    });
    expect(happened(verdict, 'unclean registration')).toBeGreaterThan(2);
    lost += happened(verdict, 'unclean leader with loss');
  }
  expect(lost).toBeGreaterThan(0);
});

test('DS-20, B66, B67: idempotent producers repeat what was answered by nobody, over leaders that change', async () => {
  const verdict = await replicated({
    config: { links: { ...CALM_CONFIG.links, lossPermille: 50 } },
    faults: [FIRST, SECOND, THIRD, FIRST].map((i) => ({ kind: 'kill', i, dt: 1400, durationMs: 400 })),
    workload: { producers: 2, intervalMs: 10, requestTimeoutMs: 300, deliveryTimeoutMs: 20_000, maxInFlight: 5 },
  });
  expect(verdict.stats.acknowledged).toBeGreaterThan(200);
  expect(happened(verdict, 'leader-began')).toBeGreaterThan(2);
});

test('the disk of a leader is lost, and that of the next one when it is back', async () => {
  const verdict = await replicated({
    config: { faultPhaseMs: 14_000 },
    faults: [
      { kind: 'loseBrokerDisk', i: 0, dt: 2000, durationMs: 300 },
      { kind: 'loseBrokerDisk', i: 1, dt: 6000, durationMs: 300 },
    ],
  });
  expect(happened(verdict, 'broker disk lost')).toBe(2);
  expect(happened(verdict, 'committed records lost at a replica')).toBeGreaterThan(0);
  expect(verdict.stats.tailsLost).toBe(0);
});
