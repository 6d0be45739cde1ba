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

/** When state machines take snapshots, and what becomes of the files. */
export interface SnapshotSwarm {
  /** After so many applied records, on every node; 0 is never. */
  readonly everyRecords: number;
  /** Writing or loading one takes up to this. */
  readonly delayMs: Ms;
  /** Files have 1 .. so many bytes. */
  readonly maxBytes: number;
  /** Size of the pieces in which they are fetched. */
  readonly chunkBytes: number;
  /** How often a received file turns out to be damaged, while faults are on. */
  readonly damagePermille: number;
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
  /** 0..2 controllers that are not configured as voters and may be added (R-11); their numbers follow the voters'. */
  readonly spares: number;
  /** 0..2 that never vote, as brokers; their numbers come last. */
  readonly observers: number;
  readonly timings: SimTimings;
  /** Fault-free time before the first fault; 0 starts the faults with the cluster. */
  readonly bootstrapMs: Ms;
  readonly faultPhaseMs: Ms;
  readonly network: NetworkSwarm;
  readonly disk: DiskSwarm;
  readonly snapshots: SnapshotSwarm;
  /** The state machine applies this much later, while faults are on. */
  readonly applyDelayMs: Ms;
  /** Speed of each node's clock in percent, while faults are on; missing entries are 100. */
  readonly clockPercent: readonly number[];
  /** Whether messages are frozen, so that a core that keeps and changes what it sent is found out. */
  readonly freezeMessages: boolean;
  /** Core mode (safety.md 8.8): so many machines stay dead after the faults, as far as majorities remain. */
  readonly deadAfterHeal: number;
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
  /** The next sync fails; the process stops with what reached the disk, and starts again. */
  | 'failSync'
  /** Nothing can be written: the process stops at its next write, starts again, stops again. */
  | 'fillDisk'
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
  /** A snapshot was taken, a piece of one arrived, all pieces have, the log was replaced by it. */
  | 'snapshotTaken'
  | 'snapshotPiece'
  | 'snapshotReceived'
  | 'snapshotInstalled'
  /** A leader appended a voter change; somebody committed it first. */
  | 'votersChanged'
  | 'votersCommitted'
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

/** An operator who adds, removes, replaces and corrects voters. */
export interface VoterChangeSwarm {
  /** Mean time between attempts; 0 is none. */
  readonly intervalMs: Ms;
  /** How often it asks a node that does not lead, or for what makes no sense. */
  readonly strayPermille: number;
  /** How often it asks twice at once. */
  readonly twicePermille: number;
  /** How often a removal is the leader's own. */
  readonly leaderPermille: number;
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
  readonly voterChanges: VoterChangeSwarm;
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

export const NO_SNAPSHOTS: SnapshotSwarm = {
  everyRecords: 0,
  delayMs: 0,
  maxBytes: 200,
  chunkBytes: 64,
  damagePermille: 0,
};

export const NO_VOTER_CHANGES: VoterChangeSwarm = {
  intervalMs: 0,
  strayPermille: 0,
  twicePermille: 0,
  leaderPermille: 0,
};

/** Three voters, a quiet network, no fault: what directed scenarios change a few fields of. */
export const CALM_CONFIG: SimConfig = {
  voters: 3,
  spares: 0,
  observers: 0,
  timings: DEFAULT_TIMINGS,
  bootstrapMs: 5000,
  faultPhaseMs: 5000,
  network: { baseUs: 300, tailUs: 0, tailPermille: 0, lossPermille: 0, duplicatePermille: 0, hostilePermille: 0 },
  disk: { baseUs: 500, tailUs: 0, tailPermille: 0, groupedReports: true },
  snapshots: NO_SNAPSHOTS,
  applyDelayMs: 0,
  clockPercent: [],
  freezeMessages: true,
  deadAfterHeal: 0,
  liveness: 'converge',
};

export const CALM_WORKLOAD: SimWorkload = {
  intervalMs: 50,
  maxRecords: 3,
  maxRecordBytes: 24,
  strayPermille: 0,
  burst: 1,
  voterChanges: NO_VOTER_CHANGES,
};
