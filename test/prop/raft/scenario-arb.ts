// Arbitrary scenarios that shrink: to fewer faults and triggers, shorter times, fewer nodes, calmer worlds (safety.md 8.9).
import fc from 'fast-check';
import type {
  FaultKind,
  FaultTarget,
  RaftScenario,
  SimConfig,
  TimedFault,
  Trigger,
  TriggerEvent,
} from '../../../src/sim/raft/scenario.ts';
import { DEFAULT_TIMINGS, SCHEMA_VERSION } from '../../../src/sim/raft/scenario.ts';

/** Small numbers as often as large ones; shrinks to `low`. */
function spread(low: number, high: number): fc.Arbitrary<number> {
  const middle = Math.round(Math.sqrt(Math.max(1, low) * high));
  return fc.oneof(fc.integer({ min: low, max: middle }), fc.integer({ min: low, max: high }));
}

/** 0 half of the time. */
function maybe(high: number): fc.Arbitrary<number> {
  return fc.oneof(fc.constant(0), fc.integer({ min: 0, max: high }));
}

const kind: fc.Arbitrary<FaultKind> = fc.constantFrom(
  'kill',
  'power',
  'wipe',
  'pause',
  'isolate',
  'cutOut',
  'cutIn',
  'cutLink',
  'split',
  'keepPair',
  'stallDisk',
  'failSync',
  'fillDisk',
  'resign',
);

const action = {
  kind,
  node: fc.nat(6),
  other: fc.nat(31),
  durationMs: fc.oneof(fc.integer({ min: 0, max: 60 }), spread(10, 5000)),
};

const fault: fc.Arbitrary<TimedFault> = fc.record({
  ...action,
  afterMs: spread(0, 3000),
  target: fc.constantFrom<FaultTarget>('any', 'leader', 'follower'),
});

const trigger: fc.Arbitrary<Trigger> = fc.record({
  ...action,
  on: fc.constantFrom<TriggerEvent>(
    'started',
    'becameCandidate',
    'becameLeader',
    'resigned',
    'voteGranted',
    'appended',
    'replicated',
    'truncated',
    'hwAdvanced',
    'diverging',
    'claimed',
    'synced',
    'snapshotPiece',
    'snapshotReceived',
    'snapshotInstalled',
    'votersChanged',
    'votersCommitted',
  ),
  nth: spread(1, 100),
  times: spread(1, 20),
  delayMs: maybe(40),
});

const config: fc.Arbitrary<SimConfig> = fc.record({
  voters: fc.constantFrom(3, 1, 2, 4, 5),
  spares: maybe(2),
  observers: maybe(2),
  timings: fc.constant(DEFAULT_TIMINGS),
  bootstrapMs: fc.constantFrom(3000, 0),
  faultPhaseMs: spread(1000, 12_000),
  network: fc.record({
    baseUs: spread(50, 40_000),
    tailUs: spread(0, 1_000_000),
    tailPermille: maybe(100),
    lossPermille: maybe(300),
    duplicatePermille: maybe(200),
    hostilePermille: maybe(200),
  }),
  disk: fc.record({
    baseUs: spread(20, 30_000),
    tailUs: spread(0, 300_000),
    tailPermille: maybe(100),
    groupedReports: fc.boolean(),
  }),
  snapshots: fc.record({
    everyRecords: maybe(100),
    delayMs: maybe(200),
    maxBytes: spread(1, 400),
    chunkBytes: spread(16, 200),
    damagePermille: maybe(300),
  }),
  applyDelayMs: maybe(300),
  clockPercent: fc.oneof(fc.constant([]), fc.array(fc.integer({ min: 20, max: 500 }), { maxLength: 9 })),
  freezeMessages: fc.constant(true),
  deadAfterHeal: maybe(2),
  liveness: fc.constant('converge'),
});

export const scenarioArb: fc.Arbitrary<RaftScenario> = fc.record({
  schemaVersion: fc.constant(SCHEMA_VERSION),
  seed: fc.nat(),
  config,
  faults: fc.array(fault, { maxLength: 60, size: 'max' }),
  triggers: fc.array(trigger, { maxLength: 4, size: 'max' }),
  workload: fc.record({
    intervalMs: spread(10, 2000),
    maxRecords: fc.constantFrom(1, 3, 10),
    maxRecordBytes: fc.constant(24),
    strayPermille: maybe(300),
    burst: fc.constantFrom(1, 2, 5),
    voterChanges: fc.record({
      intervalMs: maybe(3000),
      strayPermille: maybe(300),
      twicePermille: maybe(300),
      leaderPermille: maybe(500),
    }),
  }),
});
