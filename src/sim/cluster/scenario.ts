// A whole-cluster run as plain data (safety.md 8.5): nothing but this and the code influences what happens. Times are
// deltas and hosts are taken modulo their number, so every sublist of faults is valid.
import type { Ms } from '../../base/ids.ts';

export const SCHEMA_VERSION = 1;

/** What links do while faults are on. Chances are per mille, 0 switches a fault off. */
export interface LinkSwarm {
  /** Every message takes latencyMs and an exponential tail with mean tailMs. */
  readonly latencyMs: Ms;
  readonly tailMs: Ms;
  /** A datagram is lost: a call times out, bytes of a stream come late. */
  readonly lossPermille: number;
  /** An RPC request arrives twice, as from a client that retries; the second time up to lateMs later, 500 ms if that is 0. */
  readonly duplicatePermille: number;
  /** A message takes up to lateMs longer: requests arrive when their callers have given up or died, answers after elections. */
  readonly latePermille: number;
  readonly lateMs: Ms;
}

/** How the topics of the random workload are made. */
export interface TopicShape {
  /** Capped at the number of brokers. */
  readonly replicationFactor: number;
  readonly minIsr: number;
  /** Empty: as the brokers have it. */
  readonly flushMode: '' | 'sync' | 'async';
}

export interface ClusterConfig {
  /** 1, 3 or 5; node ids from 1. */
  readonly controllers: number;
  /** 1..5; node ids after those of the controllers. */
  readonly brokers: number;
  /** Topics that exist before the faults, and partitions of every topic. */
  readonly topics: number;
  readonly partitions: number;
  /** Of topic n the shape n - 1, beginning again after the last; without any a topic has one replica. */
  readonly topicShapes: readonly TopicShape[];
  readonly flushMode: 'sync' | 'async';
  readonly timingProfile: 'default' | 'fast' | 'dev';
  readonly segmentBytes: number;
  readonly faultPhaseMs: Ms;
  readonly links: LinkSwarm;
  /** Longest fsync in milliseconds, while faults are on. */
  readonly syncLatencyMs: Ms;
  /** Speed of each node's clock in percent, while faults are on; missing entries are 100. */
  readonly clockPercent: readonly number[];
  /** Room on each disk from the begin of the faults to the heal, in KiB; 0: no limit. */
  readonly diskRoomKib: number;
  /** Keys of the nodes' configuration, under their names, e.g. to take a snapshot every few records. */
  readonly nodeSettings: Readonly<Record<string, string>>;
  /** Bytes of one answer to a fetch of metadata (one batch at least), and of one piece of a snapshot; 0: as usual. */
  readonly fetchMaxBytes: number;
  readonly snapshotChunkBytes: number;
}

export const FAULT_KINDS = [
  /** SIGKILL of node i; what was written survives. Starts again after durationMs. */
  'kill',
  /** Power cut at node i; what was not synced is lost, torn or kept. Starts again after durationMs. */
  'power',
  /** Node i stops in good order, and starts again durationMs later. */
  'stop',
  /** SIGSTOP of host i. */
  'pause',
  /** Nothing gets from host i to host j, and back. */
  'cut',
  /** Nothing gets from host i to host j. */
  'cutOneWay',
  /** Nothing gets to or from host i. */
  'isolate',
  /** Nothing gets from host i to the controllers, and back. */
  'cutFromControllers',
  /** All connections between hosts i and j break; both notice. */
  'reset',
  /** No disk operation of node i ends before durationMs have passed. */
  'stallDisk',
  /** The next operation of kind j (DISK_FAILURES) on the disk of node i fails; it is started again after durationMs. */
  'failDisk',
  /** The disk of node i has room for j KiB more, for durationMs. */
  'fullDisk',
  /** Power goes at the same moment at every broker whose bit in j is set, at all of them if none is. */
  'powerBrokers',
  /**
   * The disk of broker i is replaced by an empty one, which is formatted and started after durationMs. Nothing if some partition had no
   * other replica that may lead and has every committed record.
   */
  'loseBrokerDisk',
  /**
   * The disk of controller i is replaced by an empty one, which is formatted and started after durationMs; before, with odd j, its
   * database is found damaged at a start. Nothing if the disks of a minority of the voters were lost already.
   */
  'loseDisk',
  /** A bit flips in a file of broker i that can be derived from others: an index, a snapshot of producers. */
  'rot',
  /** The wall clock of host i jumps by j seconds, to and fro. */
  'jumpClock',
] as const;

export type FaultKind = (typeof FAULT_KINDS)[number];

/** What fails with `failDisk`, by j. */
export const DISK_FAILURES = ['sync', 'write', 'store', 'directory', 'read'] as const;

/** Nodes are numbered 0.. by id; hosts are the nodes, then the clients. */
export interface FaultAction {
  readonly kind: FaultKind;
  readonly i: number;
  readonly j: number;
  readonly durationMs: Ms;
}

export interface TimedFault extends FaultAction {
  /** Since the fault before it, or the begin of the fault phase. */
  readonly dt: Ms;
}

/** Moments at which a fault may hit a node: steps of its quorum, of its disk, and lines that it logs. */
export const MOMENTS = [
  'becameLeader',
  'becameCandidate',
  'resigned',
  'voteGranted',
  'appended',
  'truncated',
  'hwAdvanced',
  // The steps of taking or installing a snapshot of the metadata, in their order.
  'snapshotSynced',
  'snapshotRenamed',
  'snapshotDirectorySynced',
  'snapshotCatalogued',
  'snapshotLoading',
  'controller-active',
  'topic-created',
  'broker-registered',
  'broker-unfenced',
  'broker-fenced',
  'broker-shutting-down',
  'unclean-election',
  'broker-ready',
  'log-recovered',
  'partition-leader',
  'partition-recovered',
  'isr-change-asked',
  'isr-changed',
  // What the observer sees of replicas.
  'AlterPartition asked',
  'AlterPartition done',
  'leader-began',
  'leader-committed',
  'replica-cut',
] as const;

export type Moment = (typeof MOMENTS)[number];

/** A fault when something happens (safety.md 8.6), while faults are on. `i` counts from the node it happened on. */
export interface Trigger extends FaultAction {
  readonly on: Moment;
  /** At every nth time, `times` times. */
  readonly nth: number;
  readonly times: number;
  readonly delayMs: Ms;
}

export interface Workload {
  readonly producers: number;
  /** Mean pause between two sends of a producer. */
  readonly intervalMs: Ms;
  /** Records per send, 1 up to this. */
  readonly maxRecords: number;
  /** Value bytes, 0 up to this besides the name of the record. */
  readonly maxValueBytes: number;
  readonly lingerMs: Ms;
  readonly maxInFlight: number;
  readonly deliveryTimeoutMs: Ms;
  readonly requestTimeoutMs: Ms;
  /** Records without an answer at which a producer waits. */
  readonly maxUnresolved: number;
  readonly consumers: number;
  readonly fetchMaxWaitMs: Ms;
  readonly fetchMaxBytes: number;
  /** Mean pause between creations of topics while faults are on; 0: none. */
  readonly createEveryMs: Ms;
  /**
   * Clients that create, delete and describe `contestedTopics` topics (S-M9), each about every `registerEveryMs`. None while requests
   * are duplicated: the copy of a creation takes effect again after a deletion (C-9.1).
   */
  readonly registrars: number;
  readonly contestedTopics: number;
  readonly registerEveryMs: Ms;
  /** Topics that an administrator changes: `governed-1`, which stays, and `fleeting-2` and so on, which are deleted and made again. */
  readonly governedTopics: number;
  /** Mean pause between two commands of their administrator; 0: there is none. */
  readonly governEveryMs: Ms;
  /** The administrator also allows unclean elections, and asks for them. */
  readonly uncleanElections: boolean;
  /** Mean pause between two looks of the operator, who makes the controllers that run the voters; 0: there is none. */
  readonly operateEveryMs: Ms;
  /** The operator also takes out voters without need. */
  readonly voterChurn: boolean;
  /** Mean pause between two writes to topics that are pruned and compacted; 0: there are none. */
  readonly keptEveryMs: Ms;
}

export interface ClusterScenario {
  readonly schemaVersion: typeof SCHEMA_VERSION;
  readonly seed: number;
  readonly config: ClusterConfig;
  readonly faults: readonly TimedFault[];
  readonly triggers: readonly Trigger[];
  readonly workload: Workload;
}

export const CALM_CONFIG: ClusterConfig = {
  controllers: 3,
  brokers: 2,
  topics: 1,
  partitions: 2,
  topicShapes: [],
  flushMode: 'sync',
  timingProfile: 'dev',
  segmentBytes: 1024 * 1024,
  faultPhaseMs: 10_000,
  links: { latencyMs: 0.2, tailMs: 0.2, lossPermille: 0, duplicatePermille: 0, latePermille: 0, lateMs: 0 },
  syncLatencyMs: 1,
  clockPercent: [],
  diskRoomKib: 0,
  nodeSettings: {},
  fetchMaxBytes: 0,
  snapshotChunkBytes: 0,
};

export const CALM_WORKLOAD: Workload = {
  producers: 1,
  intervalMs: 50,
  maxRecords: 3,
  maxValueBytes: 64,
  lingerMs: 0,
  maxInFlight: 5,
  deliveryTimeoutMs: 20_000,
  requestTimeoutMs: 5000,
  maxUnresolved: 100,
  consumers: 1,
  fetchMaxWaitMs: 500,
  fetchMaxBytes: 1024 * 1024,
  createEveryMs: 0,
  registrars: 0,
  contestedTopics: 1,
  registerEveryMs: 500,
  governedTopics: 0,
  governEveryMs: 0,
  uncleanElections: false,
  operateEveryMs: 0,
  voterChurn: false,
  keptEveryMs: 0,
};

/** The scenario that a JSON text describes; what is left out is calm. Error with a sentence for what is not one. */
export function parseScenario(text: string): ClusterScenario {
  const given = JSON.parse(text) as Partial<ClusterScenario>;
  if (given.schemaVersion !== SCHEMA_VERSION) {
    throw new Error(`the scenario has schemaVersion ${given.schemaVersion}, this version reads ${SCHEMA_VERSION}`);
  }
  if (!Number.isSafeInteger(given.seed)) throw new Error(`the scenario has seed ${given.seed}, not an integer`);
  const links = { ...CALM_CONFIG.links, ...given.config?.links };
  const config = { ...CALM_CONFIG, ...given.config, links };
  const workload = { ...CALM_WORKLOAD, ...given.workload };
  refuseUnknown('config', config, CALM_CONFIG);
  refuseUnknown('config.links', links, CALM_CONFIG.links);
  refuseUnknown('workload', workload, CALM_WORKLOAD);
  const { faults = [], triggers = [] } = given;
  const strange = [...faults, ...triggers].find(({ kind }) => !FAULT_KINDS.includes(kind));
  if (strange !== undefined) throw new Error(`there is no fault ${strange.kind}; known are ${FAULT_KINDS.join(', ')}`);
  const never = triggers.find(({ on }) => !MOMENTS.includes(on));
  if (never !== undefined) throw new Error(`there is no moment ${never.on}; known are ${MOMENTS.join(', ')}`);
  return { schemaVersion: SCHEMA_VERSION, seed: given.seed as number, config, faults, triggers, workload };
}

function refuseUnknown(what: string, given: object, known: object): void {
  const strange = Object.keys(given).find((key) => !Object.hasOwn(known, key));
  if (strange !== undefined) throw new Error(`${what} has no ${strange}; known are ${Object.keys(known).join(', ')}`);
}
