// A whole-cluster scenario from a seed: swarm parameters (safety.md 8.7), each fault off in at least half of the seeds,
// since many bugs need some faults absent.
import { SwarmDraw } from '../swarm-draw.ts';
import type {
  ClusterConfig,
  ClusterScenario,
  FaultKind,
  LinkSwarm,
  TimedFault,
  TopicShape,
  Trigger,
  Workload,
} from './scenario.ts';
import { MOMENTS, SCHEMA_VERSION } from './scenario.ts';

export function drawScenario(seed: number): ClusterScenario {
  const draw = new SwarmDraw(seed);
  const config = drawConfig(draw);
  const kinds = drawKinds(draw);
  const faults = drawFaults(draw, config, kinds);
  const triggers = drawTriggers(draw);
  return { schemaVersion: SCHEMA_VERSION, seed, config, faults, triggers, workload: drawWorkload(draw, kinds) };
}

function drawConfig(draw: SwarmDraw): ClusterConfig {
  const controllers = draw.pick('controllers', [1, 3, 3, 3, 3, 3, 3, 5]);
  const brokers = draw.pick('brokers', [1, 2, 2, 3, 3, 3, 3, 3, 4, 5]);
  const drifting = draw.chance('drifting', 0.25);
  return {
    controllers,
    brokers,
    topics: draw.between('topics', 1, 2),
    partitions: draw.between('partitions', 1, 3),
    topicShapes: drawShapes(draw, brokers),
    flushMode: draw.chance('async', 0.3) ? 'async' : 'sync',
    timingProfile: draw.pick('timing', ['default', 'fast', 'dev', 'dev']),
    segmentBytes: draw.pick('segment', [1024, 8 * 1024, 1024 * 1024]),
    faultPhaseMs: draw.between('fault phase', 10_000, 30_000),
    links: drawLinks(draw),
    syncLatencyMs: draw.spread('sync latency', 1, 50),
    clockPercent: drifting ? Array.from({ length: controllers + brokers }, () => drawClock(draw)) : [],
    diskRoomKib: draw.chance('small disks', 0.05) ? draw.spread('disk room', 16, 1024) : 0,
    nodeSettings: drawSettings(draw),
    fetchMaxBytes: draw.chance('tiny fetches', 0.25) ? draw.spread('fetch max', 1, 2000) : 0,
    snapshotChunkBytes: draw.chance('tiny pieces', 0.25) ? draw.spread('piece', 16, 2000) : 0,
  };
}

function drawShapes(draw: SwarmDraw, brokers: number): TopicShape[] {
  return Array.from({ length: 3 }, () => {
    const replicationFactor = draw.chance('all brokers', 0.6)
      ? Math.min(3, brokers)
      : draw.between('replicas', 1, brokers);
    const flush = draw.chance('own flush mode', 0.2);
    return {
      replicationFactor,
      minIsr: draw.between('min isr', 1, replicationFactor),
      flushMode: flush ? draw.pick('topic flush mode', ['sync', 'async'] as const) : '',
    };
  });
}

/** Hostile clocks (S-X4) in one of five nodes whose clocks drift. */
function drawClock(draw: SwarmDraw): number {
  const isHostile = draw.chance('hostile clock', 0.2);
  return isHostile ? draw.spread('hostile clock percent', 10, 1000) : draw.spread('clock', 50, 200);
}

/** Rare choices of the product, made common. */
function drawSettings(draw: SwarmDraw): Record<string, string> {
  const settings: Record<string, string> = {};
  if (draw.chance('snapshots', 0.5)) {
    settings['metadata.log.max.record.bytes.between.snapshots'] = String(draw.spread('snapshot bytes', 1, 4096));
  }
  if (draw.chance('scans', 0.5)) {
    settings['unclean.leader.election.interval.ms'] = String(draw.spread('leaderless scan', 20, 2000));
  }
  if (draw.chance('balance', 0.4)) {
    settings['leader.imbalance.check.interval.seconds'] = String(draw.between('balance scan', 1, 5));
  }
  drawReplication(draw, settings);
  return settings;
}

/** Followers that fall behind soon, and fetches that bring little. */
function drawReplication(draw: SwarmDraw, settings: Record<string, string>): void {
  if (draw.chance('replica lag', 0.75)) {
    settings['replica.lag.time.max.ms'] = String(draw.spread('replica lag ms', 100, 8000));
  }
  if (draw.chance('replica fetch', 0.25)) {
    settings['replica.fetch.max.bytes'] = String(draw.spread('replica fetch bytes', 1, 4096));
  }
  if (draw.chance('replica answer', 0.25)) {
    settings['replica.fetch.response.max.bytes'] = String(draw.spread('replica answer bytes', 1, 4096));
  }
  if (draw.chance('replica wait', 0.25)) {
    settings['replica.fetch.wait.max.ms'] = String(draw.spread('replica wait ms', 100, 500));
  }
}

function drawLinks(draw: SwarmDraw): LinkSwarm {
  const slow = draw.chance('slow links', 0.3);
  return {
    latencyMs: slow ? draw.spread('latency', 1, 40) : 0.2,
    tailMs: slow ? draw.spread('tail', 1, 40) : 0.2,
    lossPermille: draw.maybe('loss', 0.4, 200),
    duplicatePermille: draw.maybe('duplicates', 0.4, 200),
    latePermille: draw.maybe('late', 0.25, 100),
    lateMs: draw.spread('late ms', 50, 10_000),
  };
}

function drawWorkload(draw: SwarmDraw, kinds: readonly FaultKind[]): Workload {
  const requestTimeoutMs = draw.spread('request timeout', 500, 10_000);
  const governedTopics = draw.chance('governed?', 0.5) ? draw.between('governed', 1, 3) : 0;
  return {
    producers: draw.between('producers', 1, 2),
    intervalMs: draw.spread('interval', 5, 500),
    maxRecords: draw.pick('records', [1, 3, 10]),
    maxValueBytes: draw.pick('value bytes', [10, 100, 2000]),
    lingerMs: draw.chance('linger?', 0.3) ? draw.between('linger', 1, 20) : 0,
    maxInFlight: draw.pick('in flight', [1, 5, 5]),
    // Little more than one attempt: batches are given up while others of the same producer are still tried again.
    deliveryTimeoutMs: draw.chance('tight delivery', 0.3)
      ? Math.round((requestTimeoutMs * draw.between('tight delivery percent', 110, 300)) / 100)
      : draw.spread('delivery timeout', 1000, 60_000),
    requestTimeoutMs,
    maxUnresolved: draw.pick('unresolved', [1, 20, 200]),
    consumers: draw.between('consumers', 1, 2),
    fetchMaxWaitMs: draw.pick('fetch wait', [50, 500]),
    fetchMaxBytes: draw.pick('fetch bytes', [1, 4096, 1024 * 1024]),
    createEveryMs: draw.chance('create?', 0.5) ? draw.spread('create', 500, 5000) : 0,
    registrars: draw.chance('register?', 0.5) ? draw.between('registrars', 1, 4) : 0,
    contestedTopics: draw.between('contested', 1, 3),
    registerEveryMs: draw.spread('register', 20, 1000),
    governedTopics,
    governEveryMs: governedTopics > 0 && draw.chance('governor?', 0.8) ? draw.spread('govern', 50, 2000) : 0,
    uncleanElections: draw.chance('unclean', 0.4),
    operateEveryMs: draw.chance('operator?', 0.5) ? draw.spread('operate', 100, 3000) : 0,
    // What the operator takes out and what disks take away together could be a majority.
    keptEveryMs: draw.chance('kept?', 0.4) ? draw.spread('kept', 20, 500) : 0,
    voterChurn: !kinds.includes('loseDisk') && draw.chance('churn', 0.3),
  };
}

/** Which kinds occur at all in this seed. */
function drawKinds(draw: SwarmDraw): FaultKind[] {
  const kinds: FaultKind[] = [];
  if (draw.chance('kills', 0.5)) kinds.push('kill', 'kill');
  if (draw.chance('power cuts', 0.5)) kinds.push('power', 'power');
  if (draw.chance('stops', 0.25)) kinds.push('stop');
  if (draw.chance('pauses', 0.3)) kinds.push('pause');
  if (draw.chance('cuts', 0.5)) kinds.push('cut', 'cutOneWay', 'cutOneWay', 'isolate', 'cutFromControllers');
  if (draw.chance('resets', 0.25)) kinds.push('reset');
  if (draw.chance('stalls', 0.25)) kinds.push('stallDisk');
  if (draw.chance('disk failures', 0.15)) kinds.push('failDisk');
  if (draw.chance('full disks', 0.1)) kinds.push('fullDisk');
  if (draw.chance('lost disks', 0.2)) kinds.push('loseDisk');
  if (draw.chance('power at several', 0.3)) kinds.push('powerBrokers', 'powerBrokers');
  if (draw.chance('lost broker disks', 0.2)) kinds.push('loseBrokerDisk');
  if (draw.chance('rot', 0.05)) kinds.push('rot');
  if (draw.chance('jumps', 0.15)) kinds.push('jumpClock');
  return kinds;
}

/** Their duration is the time until the node starts again. */
const DEATHS: readonly FaultKind[] = ['kill', 'power', 'powerBrokers', 'stop', 'failDisk'];

function drawFaults(draw: SwarmDraw, config: ClusterConfig, kinds: readonly FaultKind[]): TimedFault[] {
  const faults: TimedFault[] = [];
  const everyMs = draw.spread('fault interval', 200, 5000);
  const quick = draw.chance('quick restarts', 0.5);
  const storms = draw.chance('storms', 0.25);
  let at = 0;
  while (kinds.length > 0 && faults.length < 100) {
    const dt = draw.between('fault after', 0, 2 * everyMs);
    at += dt;
    if (at > config.faultPhaseMs) break;
    const kind = draw.pick('fault kind', kinds);
    const isQuick = quick && DEATHS.includes(kind);
    const fault: TimedFault = {
      dt,
      kind,
      // The first ones are the controllers, where most can go wrong.
      i: draw.between('fault i', 0, draw.chance('fault at controllers', 0.4) ? config.controllers - 1 : 30),
      j: draw.between('fault j', 0, 30),
      durationMs: isQuick ? draw.between('quick restart', 1, 60) : draw.spread('fault duration', 10, 10_000),
    };
    faults.push(fault);
    // All brokers together, so that nobody is left who surely has every record.
    if (storms && draw.chance('storm', 0.3)) faults.push(...brokersToo(draw, config, fault));
  }
  return faults;
}

function brokersToo(draw: SwarmDraw, { controllers, brokers }: ClusterConfig, fault: TimedFault): TimedFault[] {
  return Array.from({ length: brokers }, (_, broker) => {
    return { ...fault, dt: draw.between('storm after', 0, 100), i: controllers + broker };
  });
}

const TRIGGER_ACTIONS: readonly FaultKind[] = [
  'kill',
  'power',
  'power',
  'power',
  'powerBrokers',
  'stop',
  'pause',
  'isolate',
  'cutOneWay',
];

function drawTriggers(draw: SwarmDraw): Trigger[] {
  const triggers: Trigger[] = [];
  if (!draw.chance('triggers', 0.4)) return triggers;
  for (let left = draw.between('trigger count', 1, 3); left > 0; left--) {
    triggers.push({
      on: draw.pick('trigger on', MOMENTS),
      nth: draw.spread('trigger nth', 1, 6),
      times: draw.spread('trigger times', 1, 10),
      kind: draw.pick('trigger action', TRIGGER_ACTIONS),
      // Mostly the node on which it happened.
      i: draw.chance('trigger other', 0.3) ? draw.between('trigger i', 1, 6) : 0,
      j: draw.between('trigger j', 0, 30),
      delayMs: draw.chance('trigger at once', 0.5) ? 0 : draw.spread('trigger delay', 1, 50),
      durationMs: draw.chance('trigger quick', 0.6)
        ? draw.between('trigger short', 1, 60)
        : draw.spread('trigger duration', 10, 5000),
    });
  }
  return triggers;
}
