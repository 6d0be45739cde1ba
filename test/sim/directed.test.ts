// Whole clusters in the situations that operators know: each with one thing that goes wrong.
import { beforeAll, expect, test } from 'vitest';
import { loadCodecs } from '../../src/codec/compression.ts';
import type { ClusterVerdict } from '../../src/sim/cluster/run.ts';
import { CALM_CONFIG } from '../../src/sim/cluster/scenario.ts';
import { answersLost, runWell, scenario, tornTails } from './scenarios.ts';

beforeAll(loadCodecs);

/** Node numbers of the calm cluster: three controllers, then two brokers. */
const BROKER = 3;
const OTHER_BROKER = 4;

function logged({ stats }: ClusterVerdict, event: string): number {
  return stats.logged.get(event) ?? 0;
}

test('nothing goes wrong: everything is acknowledged', async () => {
  const { stats } = await runWell(scenario({ workload: { createEveryMs: 1000 } }));
  expect(stats).toMatchObject({ elections: 1, unknown: 0, failed: 0, truncations: 0 });
  expect(stats.acknowledged).toBeGreaterThan(100);
  expect(stats.topics).toBeGreaterThan(3);
});

test('the active controller is killed when it has created a topic, three times', async () => {
  const verdict = await runWell(
    scenario({
      workload: { createEveryMs: 300 },
      triggers: [{ on: 'topic-created', kind: 'kill', nth: 3, times: 3, durationMs: 1500 }],
    }),
  );
  expect(verdict.stats.faults.get('kill')).toBe(3);
  expect(verdict.stats.elections).toBeGreaterThan(3);
  // Producing needs no controller.
  expect(verdict.stats).toMatchObject({ unknown: 0, failed: 0 });
});

test('a broker loses power, with flush=sync: nothing acknowledged is lost', async () => {
  const power = { kind: 'power', i: BROKER, dt: 1000, durationMs: 300 } as const;
  const verdict = await runWell(
    scenario({ faults: [power, power, power], workload: { intervalMs: 5 }, config: { syncLatencyMs: 10 } }),
  );
  expect(verdict.stats.tailsLost).toBe(0);
  expect(logged(verdict, 'broker-ready')).toBe(2 + 3);
});

test('a broker loses power, with flush=async: what is lost is an unsynced tail', async () => {
  const power = { kind: 'power', i: BROKER, dt: 1000, durationMs: 300 } as const;
  const verdict = await runWell(
    scenario({ faults: [power, power, power], workload: { intervalMs: 5 }, config: { flushMode: 'async' } }),
  );
  expect(verdict.stats.tailsLost).toBeGreaterThan(0);
});

test('a broker is killed, with flush=async: the page cache survives', async () => {
  const kill = { kind: 'kill', i: BROKER, dt: 1000, durationMs: 300 } as const;
  const { stats } = await runWell(
    scenario({ faults: [kill, kill], workload: { intervalMs: 5 }, config: { flushMode: 'async' } }),
  );
  expect(stats.tailsLost).toBe(0);
});

test('a broker cannot reach the controllers: it is fenced, and comes back', async () => {
  const verdict = await runWell(
    scenario({
      faults: [{ kind: 'cutFromControllers', i: BROKER, dt: 500, durationMs: 5000 }],
      config: { faultPhaseMs: 8000 },
    }),
  );
  expect(logged(verdict, 'broker-fenced')).toBeGreaterThan(0);
  expect(verdict.stats.failed).toBe(0);
});

test('only what a broker says to the controllers is lost', async () => {
  const faults = [0, 1, 2].map((j) => ({ kind: 'cutOneWay', i: BROKER, j, durationMs: 5000 }) as const);
  const verdict = await runWell(scenario({ faults, config: { faultPhaseMs: 8000 } }));
  expect(logged(verdict, 'broker-fenced')).toBeGreaterThan(0);
});

test('everything is killed at once, and then loses power at once', async () => {
  const all = (kind: 'kill' | 'power', dt: number) =>
    [0, 1, 2, BROKER, OTHER_BROKER].map((i) => ({ kind, i, dt: i === 0 ? dt : 0, durationMs: 700 }));
  const verdict = await runWell(scenario({ faults: [...all('kill', 1000), ...all('power', 2500)] }));
  expect(logged(verdict, 'broker-ready')).toBe(3 * 2);
  expect(verdict.stats.acknowledged).toBeGreaterThan(50);
});

test('a broker loses power whenever it has recovered a log', async () => {
  const verdict = await runWell(
    scenario({
      faults: [{ kind: 'power', i: BROKER, dt: 1000, durationMs: 10 }],
      triggers: [{ on: 'log-recovered', kind: 'power', times: 5, durationMs: 20 }],
      config: { flushMode: 'async', segmentBytes: 1024 },
      workload: { intervalMs: 5 },
    }),
  );
  expect(verdict.stats.faults.get('power')).toBe(6);
});

test('a clean stop is believed once: power cuts after it find an unclean log', async () => {
  const cycle = [
    { kind: 'stop', i: BROKER, dt: 600, durationMs: 50 },
    { kind: 'power', i: BROKER, dt: 900, durationMs: 50 },
    { kind: 'power', i: BROKER, dt: 700, durationMs: 50 },
  ] as const;
  const verdict = await runWell(
    scenario({ faults: [...cycle, ...cycle], config: { flushMode: 'async' }, workload: { intervalMs: 3 } }),
  );
  expect(verdict.stats.faults).toEqual(
    new Map([
      ['stop', 2],
      ['power', 4],
    ]),
  );
  expect(verdict.stats.tailsLost).toBeGreaterThan(0);
});

test('what a recovery cut off stays gone, power cut after power cut', async () => {
  const verdict = await runWell(tornTails(2));
  expect(verdict.stats.tailsLost).toBeGreaterThan(3);
});

test('answers are lost while records are near the end of their time: nothing is written twice', async () => {
  const { stats } = await runWell(answersLost(1));
  expect(stats.unknown).toBeGreaterThan(5);
  expect(stats.acknowledged).toBeGreaterThan(50);
});

/** Few records make a snapshot. */
const SNAPSHOTS = { 'metadata.log.max.record.bytes.between.snapshots': '200' } as const;

test.each([
  'snapshotSynced',
  'snapshotRenamed',
  'snapshotDirectorySynced',
  'snapshotCatalogued',
  'snapshotLoading',
] as const)('power is lost at the step %s of a snapshot', async (on) => {
  const verdict = await runWell(
    scenario({
      workload: { createEveryMs: 150, registrars: 1, registerEveryMs: 100 },
      // Who was away needs what was trimmed meanwhile.
      faults: [
        { kind: 'kill', i: 2, dt: 500, durationMs: 2500 },
        { kind: 'kill', i: BROKER, dt: 500, durationMs: 2500 },
      ],
      triggers: [{ on, kind: 'power', nth: 2, times: 8, durationMs: 100 }],
      config: { nodeSettings: SNAPSHOTS },
    }),
  );
  expect(verdict.stats.faults.get('power')).toBe(8);
  expect(logged(verdict, 'snapshot-taken')).toBeGreaterThan(10);
  expect(logged(verdict, 'snapshot-received')).toBeGreaterThan(0);
});

test('a controller whose disk died comes back as an observer, and is made a voter in place of its old self', async () => {
  const verdict = await runWell(
    scenario({
      faults: [
        { kind: 'loseDisk', i: 0, j: 0, dt: 500, durationMs: 1000 },
        { kind: 'loseDisk', i: 1, j: 1, dt: 4000, durationMs: 500 },
      ],
      workload: { operateEveryMs: 200, createEveryMs: 300 },
      config: { faultPhaseMs: 8000, nodeSettings: SNAPSHOTS },
    }),
  );
  // Each old identity goes, each new one comes.
  expect(verdict.stats.voterChanges).toBe(4);
  expect(logged(verdict, 'snapshot-received')).toBeGreaterThan(1);
});

test('disks run full, and are freed', async () => {
  const full = (i: number) => ({ kind: 'fullDisk', i, j: 2, dt: 500, durationMs: 3000 }) as const;
  const verdict = await runWell(
    scenario({
      faults: [full(0), full(1), full(BROKER)],
      workload: { intervalMs: 10, createEveryMs: 100 },
      config: { faultPhaseMs: 8000 },
    }),
  );
  expect(verdict.stats.faults.get('fullDisk')).toBe(3);
  expect(verdict.stats.logged.size).toBeGreaterThan(5);
});

test('messages come seconds late, also to those that their senders have given up', async () => {
  const verdict = await runWell(
    scenario({
      faults: [{ kind: 'kill', i: 0, dt: 1000 }],
      workload: { createEveryMs: 300 },
      config: {
        faultPhaseMs: 10_000,
        links: { ...CALM_CONFIG.links, latePermille: 50, lateMs: 4000, duplicatePermille: 100 },
      },
    }),
  );
  expect(verdict.stats.elections).toBeGreaterThan(1);
});
