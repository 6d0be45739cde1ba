// A scenario from a seed: swarm parameters (safety.md 8.7), each of them off in at least half of the seeds, since many
// bugs need some faults absent.

import type { Ms } from '../../base/ids.ts';
import { SwarmDraw } from '../swarm-draw.ts';
import type {
  DiskSwarm,
  FaultKind,
  FaultTarget,
  NetworkSwarm,
  RaftScenario,
  SimConfig,
  SimTimings,
  SimWorkload,
  SnapshotSwarm,
  TimedFault,
  Trigger,
  TriggerEvent,
  VoterChangeSwarm,
} from './scenario.ts';
import { DEFAULT_TIMINGS, SCHEMA_VERSION } from './scenario.ts';

export function drawScenario(seed: number): RaftScenario {
  const draw = new SwarmDraw(seed);
  const config = drawConfig(draw);
  return {
    schemaVersion: SCHEMA_VERSION,
    seed,
    config,
    faults: drawFaults(draw, config),
    triggers: drawTriggers(draw),
    workload: drawWorkload(draw, config),
  };
}

function drawConfig(draw: SwarmDraw): SimConfig {
  const voters = draw.pick('voters', [1, 2, 3, 3, 3, 3, 3, 4, 5, 5]);
  const spares = draw.maybe('spares', 0.3, 2);
  const observers = draw.maybe('observers', 0.4, 2);
  const bootsUnderFire = draw.chance('boots under fire', 0.2);
  const drifting = draw.chance('drifting', 0.3);
  return {
    voters,
    spares,
    observers,
    timings: drawTimings(draw),
    bootstrapMs: bootsUnderFire ? 0 : 3000,
    faultPhaseMs: draw.spread('fault phase', 3000, 20_000),
    network: drawNetwork(draw),
    disk: drawDisk(draw),
    snapshots: drawSnapshots(draw),
    applyDelayMs: draw.maybe('apply delay', 0.3, 300),
    clockPercent: drifting ? drawSpeeds(draw, voters + spares + observers) : [],
    freezeMessages: draw.chance('freeze', 0.1),
    deadAfterHeal: draw.maybe('core mode', 0.3, 2),
    liveness: 'converge',
  };
}

/** Half to double; in some seeds anything, for no safety rule may depend on time (S-X4). */
function drawSpeeds(draw: SwarmDraw, count: number): number[] {
  const wild = draw.chance('wild clocks', 0.2);
  return Array.from({ length: count }, () => draw.spread('clock speed', wild ? 10 : 50, wild ? 1000 : 200));
}

function drawTimings(draw: SwarmDraw): SimTimings {
  const fast = draw.chance('fast', 0.3) ? 4 : 1;
  return {
    ...DEFAULT_TIMINGS,
    electionTimeoutMs: DEFAULT_TIMINGS.electionTimeoutMs / fast,
    fetchTimeoutMs: DEFAULT_TIMINGS.fetchTimeoutMs / fast,
    requestTimeoutMs: draw.chance('short calls', 0.3) ? 800 : DEFAULT_TIMINGS.requestTimeoutMs,
    fetchMaxWaitMs: DEFAULT_TIMINGS.fetchMaxWaitMs / fast,
    fetchMaxBytes: draw.chance('small fetches', 0.3) ? 1 : DEFAULT_TIMINGS.fetchMaxBytes,
  };
}

function drawNetwork(draw: SwarmDraw): NetworkSwarm {
  return {
    baseUs: draw.spread('network base', 50, 40_000),
    tailUs: draw.spread('network tail', 1000, 1_000_000),
    tailPermille: draw.maybe('network tail share', 0.4, 100),
    lossPermille: draw.maybe('loss', 0.4, 300),
    duplicatePermille: draw.maybe('duplicates', 0.4, 200),
    hostilePermille: draw.maybe('hostile', 0.3, 200),
  };
}

function drawDisk(draw: SwarmDraw): DiskSwarm {
  return {
    baseUs: draw.spread('disk base', 20, 30_000),
    tailUs: draw.spread('disk tail', 1000, 300_000),
    tailPermille: draw.maybe('disk tail share', 0.4, 100),
    groupedReports: draw.chance('grouped', 0.7),
  };
}

/** Off in half of the seeds; every few records in some. */
function drawSnapshots(draw: SwarmDraw): SnapshotSwarm {
  return {
    everyRecords: draw.maybe('snapshots', 0.5, 1) * draw.spread('snapshot records', 5, 500),
    delayMs: draw.maybe('snapshot delay', 0.5, 300),
    maxBytes: draw.spread('snapshot bytes', 1, 400),
    chunkBytes: draw.spread('snapshot chunk', 4, 200),
    damagePermille: draw.maybe('snapshot damage', 0.2, 500),
  };
}

function drawVoterChanges(draw: SwarmDraw): VoterChangeSwarm {
  return {
    intervalMs: draw.maybe('voter changes', 0.35, 1) * draw.spread('voter interval', 100, 5000),
    strayPermille: draw.maybe('voter strays', 0.4, 500),
    twicePermille: draw.maybe('voters twice', 0.4, 500),
    leaderPermille: draw.maybe('voter leaders', 0.5, 500),
  };
}

function drawWorkload(draw: SwarmDraw, { timings }: SimConfig): SimWorkload {
  const burst = draw.pick('burst', [1, 1, 1, 2, 5]);
  const intervalMs = draw.chance('sparse', 0.5) ? draw.spread('interval', 200, 3000) : draw.spread('interval', 3, 200);
  // One batch for each fetch: whoever was away would not have caught up when liveness is looked at.
  const leastMs = timings.fetchMaxBytes === 1 ? 10 * burst : 0;
  return {
    intervalMs: Math.max(intervalMs, leastMs),
    maxRecords: draw.pick('records', [1, 1, 3, 10]),
    maxRecordBytes: 24,
    strayPermille: draw.maybe('stray', 0.4, 300),
    burst,
    voterChanges: drawVoterChanges(draw),
  };
}

const CRASHES: readonly FaultKind[] = ['kill', 'power', 'power', 'power', 'wipe'];
const CUTS: readonly FaultKind[] = ['isolate', 'cutOut', 'cutIn', 'cutLink', 'cutLink', 'split', 'keepPair'];
const TARGETS: readonly FaultTarget[] = ['any', 'any', 'leader', 'leader', 'follower'];

/** Which kinds occur at all in this seed. */
function drawKinds(draw: SwarmDraw): FaultKind[] {
  const kinds: FaultKind[] = [];
  if (draw.chance('crashes', 0.5)) kinds.push(...CRASHES.slice(0, draw.between('crash kinds', 1, CRASHES.length)));
  if (draw.chance('lost disks', 0.15)) kinds.push('wipe');
  if (draw.chance('cuts', 0.5)) kinds.push(...CUTS);
  if (draw.chance('pauses', 0.3)) kinds.push('pause');
  if (draw.chance('stalls', 0.3)) kinds.push('stallDisk');
  if (draw.chance('sync failures', 0.2)) kinds.push('failSync');
  if (draw.chance('full disks', 0.15)) kinds.push('fillDisk');
  if (draw.chance('speeds', 0.15)) kinds.push('clock');
  if (draw.chance('resigns', 0.2)) kinds.push('resign');
  return kinds;
}

function drawFaults(draw: SwarmDraw, config: SimConfig): TimedFault[] {
  const kinds = drawKinds(draw);
  const faults: TimedFault[] = [];
  if (kinds.length === 0) return faults;
  const everyMs = draw.spread('fault interval', 100, 3000);
  const quick = draw.chance('quick restarts', 0.5);
  let at = 0;
  while (faults.length < 120) {
    const afterMs = draw.between('fault after', 0, 2 * everyMs);
    at += afterMs;
    if (at > config.faultPhaseMs) break;
    const kind = draw.pick('fault kind', kinds);
    faults.push({
      afterMs,
      kind,
      target: draw.pick('fault target', TARGETS),
      node: draw.between('fault node', 0, 6),
      other: kind === 'clock' ? draw.spread('fault speed', 10, 1000) : draw.between('fault other', 0, 31),
      durationMs: drawDuration(draw, kind, quick),
    });
  }
  return faults;
}

function drawDuration(draw: SwarmDraw, kind: FaultKind, quick: boolean): Ms {
  const restarts = kind === 'kill' || kind === 'power' || kind === 'wipe';
  if (restarts && quick) return draw.between('quick restart', 1, 60);
  return draw.spread('fault duration', restarts ? 1 : 10, 8000);
}

const EVENTS: readonly TriggerEvent[] = [
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
  'snapshotTaken',
  'snapshotPiece',
  'snapshotReceived',
  'snapshotInstalled',
  'votersChanged',
  'votersCommitted',
];

const TRIGGER_ACTIONS: readonly FaultKind[] = [
  'kill',
  'power',
  'power',
  'power',
  'power',
  'pause',
  'isolate',
  'cutOut',
  'cutIn',
  'keepPair',
  'stallDisk',
  'failSync',
  'resign',
];

function drawTriggers(draw: SwarmDraw): Trigger[] {
  const triggers: Trigger[] = [];
  if (!draw.chance('triggers', 0.5)) return triggers;
  for (let left = draw.between('trigger count', 1, 4); left > 0; left--) {
    const on = draw.pick('trigger on', EVENTS);
    const often = on === 'appended' || on === 'replicated' || on === 'hwAdvanced' || on === 'synced';
    const kind = draw.pick('trigger action', TRIGGER_ACTIONS);
    triggers.push({
      on,
      nth: often ? draw.spread('trigger nth', 3, 300) : draw.spread('trigger nth', 1, 6),
      times: draw.spread('trigger times', 1, 30),
      kind,
      // Mostly the node it happened on.
      node: draw.chance('trigger other', 0.3) ? draw.between('trigger node', 1, 4) : 0,
      other: draw.between('trigger peer', 0, 31),
      delayMs: draw.chance('trigger at once', 0.5) ? 0 : draw.spread('trigger delay', 1, 40),
      durationMs: draw.chance('trigger quick', 0.6)
        ? draw.between('trigger short', 1, 60)
        : draw.spread('trigger duration', 10, 5000),
    });
  }
  return triggers;
}
