// A core-level raft run as plain data (safety.md 8.5): nothing but this and the code influences what happens.
// Times are deltas and node numbers are taken modulo the node count, so every sublist of faults or triggers is valid.
import type { Ms } from '../../base/ids.ts';

export const SCHEMA_VERSION = 1;

/** What the network does while faults are on. Probabilities are per mille; 0 switches a fault off. */
export interface NetworkSwarm {
  /** Every message takes baseUs + uniform[0, baseUs], and in `tailPermille` up to tailUs more. */
  readonly baseUs: number;
  readonly tailUs: number;
  readonly tailPermille: number;
  readonly lossPermille: number;
  /** A request arrives twice, as from a client that retries. */
  readonly duplicatePermille: number;
  /** A response arrives again later, or after its call timed out (M-6). */
  readonly hostilePermille: number;
}

export interface DiskSwarm {
  /** One sync takes baseUs + uniform[0, baseUs], and in `tailPermille` up to tailUs more. */
  readonly baseUs: number;
  readonly tailUs: number;
  readonly tailPermille: number;
  /** Whether one `diskDone` names only the last op of a group commit, or each op is reported. */
  readonly groupedReports: boolean;
}

export interface SimTimings {
  readonly electionTimeoutMs: Ms;
  readonly fetchTimeoutMs: Ms;
  readonly requestTimeoutMs: Ms;
  readonly retryBackoffMs: Ms;
  readonly fetchMaxWaitMs: Ms;
  readonly fetchMaxBytes: number;
}

/**
 * What is asked of liveness: `converge` L-R1; `stable` L-R3 first half, leader and epoch never change after bootstrap;
 * `deposed` L-R3 second half, the bootstrap leader loses its place in time; `none` safety only.
 */
export type LivenessExpectation = 'converge' | 'stable' | 'deposed' | 'none';

export interface SimConfig {
  /** 1..5; they have the node numbers 0..voters-1. */
  readonly voters: number;
  /** 0..2; they have the numbers after the voters. */
  readonly observers: number;
  readonly timings: SimTimings;
  /** Fault-free time before the first fault; 0 starts the faults with the cluster. */
  readonly bootstrapMs: Ms;
  readonly faultPhaseMs: Ms;
  readonly network: NetworkSwarm;
  readonly disk: DiskSwarm;
  /** The state machine applies this much later, while faults are on. */
  readonly applyDelayMs: Ms;
  /** Speed of each node's clock in percent, while faults are on; missing entries are 100. */
  readonly clockPercent: readonly number[];
  /** Whether messages are frozen, so that a core that keeps and changes what it sent is found out. */
  readonly freezeMessages: boolean;
  readonly liveness: LivenessExpectation;
}

export type FaultKind =
  /** Process death; everything written survives. */
  | 'kill'
  /** Machine death; a prefix of the unsynced disk operations survives. */
  | 'power'
  /** Machine death and a new disk: another directoryId, empty. At most a minority of voters, else it acts as `power`. */
  | 'wipe'
  | 'pause'
  /** Cuts, by what can no longer pass: everything from and to the node, only what it sends, only what it receives. */
  | 'isolate'
  | 'cutOut'
  | 'cutIn'
  /** The one direction from the node to `other`. */
  | 'cutLink'
  /** Splits the nodes by the bits of `other`. */
  | 'split'
  /** Only the node and `other` can talk. */
  | 'keepPair'
  /** Syncs that are under way or start meanwhile end when the stall does. */
  | 'stallDisk'
  /** `other` is the new speed in percent. */
  | 'clock'
  /** The state machine asks to resign. */
  | 'resign';

export type FaultTarget = 'any' | 'leader' | 'follower';

export interface FaultAction {
  readonly kind: FaultKind;
  /** A node number modulo the node count, or the how-manieth follower. */
  readonly node: number;
  readonly other: number;
  /** How long it lasts: time until the restart, the mend, the resume. */
  readonly durationMs: Ms;
}

/** A fault at a time: `afterMs` counts from the fault before it. */
export interface TimedFault extends FaultAction {
  readonly afterMs: Ms;
  readonly target: FaultTarget;
}

export type TriggerEvent =
  | 'started'
  | 'becameCandidate'
  | 'becameLeader'
  | 'resigned'
  /** A granted real vote leaves the voter. */
  | 'voteGranted'
  /** The leader created a batch. */
  | 'appended'
  /** A follower wrote fetched batches. */
  | 'replicated'
  | 'truncated'
  /** A leader raised its high watermark. */
  | 'hwAdvanced'
  | 'diverging'
  | 'claimed'
  /** A disk sync ended. */
  | 'synced';

/** A fault at an event: at the nth, 2nth, ... occurrence, `times` times. `node` is added to the node it happened on. */
export interface Trigger extends FaultAction {
  readonly on: TriggerEvent;
  readonly nth: number;
  readonly times: number;
  /** From the event to the fault; fractions are kept to the microsecond. */
  readonly delayMs: Ms;
}

/** A client that proposes at whichever node claims to lead. */
export interface SimWorkload {
  /** Mean time between proposals; 0 is no client. */
  readonly intervalMs: Ms;
  readonly maxRecords: number;
  readonly maxRecordBytes: number;
  /** How often it asks a node that does not claim, or with an old claim epoch. */
  readonly strayPermille: number;
  /** How many proposals arrive at once. */
  readonly burst: number;
}

export interface RaftScenario {
  readonly schemaVersion: typeof SCHEMA_VERSION;
  readonly seed: number;
  readonly config: SimConfig;
  readonly faults: readonly TimedFault[];
  readonly triggers: readonly Trigger[];
  readonly workload: SimWorkload;
}

export const DEFAULT_TIMINGS: SimTimings = {
  electionTimeoutMs: 1000,
  fetchTimeoutMs: 2000,
  requestTimeoutMs: 2000,
  retryBackoffMs: 20,
  fetchMaxWaitMs: 500,
  fetchMaxBytes: 1_000_000,
};

/** Three voters, a quiet network, no fault: what directed scenarios change a few fields of. */
export const CALM_CONFIG: SimConfig = {
  voters: 3,
  observers: 0,
  timings: DEFAULT_TIMINGS,
  bootstrapMs: 5000,
  faultPhaseMs: 5000,
  network: { baseUs: 300, tailUs: 0, tailPermille: 0, lossPermille: 0, duplicatePermille: 0, hostilePermille: 0 },
  disk: { baseUs: 500, tailUs: 0, tailPermille: 0, groupedReports: true },
  applyDelayMs: 0,
  clockPercent: [],
  freezeMessages: true,
  liveness: 'converge',
};

export const CALM_WORKLOAD: SimWorkload = {
  intervalMs: 50,
  maxRecords: 3,
  maxRecordBytes: 24,
  strayPermille: 0,
  burst: 1,
};
