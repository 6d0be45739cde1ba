// A node of the lab: what is on its disk, what is on its way there, and what it has told.
import type { RaftState } from '../../../src/raft/state.ts';
import type {
  Batch,
  QuorumState,
  RaftConfig,
  RaftEffect,
  RaftEvent,
  RaftRequest,
  RaftResponse,
  ReplicaKey,
  Snapshot,
  SnapshotId,
  TimerId,
  Voter,
} from '../../../src/raft/types.ts';

export interface Envelope {
  readonly from: number;
  readonly to: number;
  /** The caller's number of the call, and which incarnation of the caller it was. */
  readonly call: number;
  readonly incarnation: number;
  readonly message: RaftRequest | RaftResponse;
  readonly kind: 'request' | 'response';
}

export type Outgoing = RaftEffect & { type: 'call' | 'reply' | 'serveSnapshot' };

/** What a snapshot file holds; on the wire it is JSON. */
export interface SnapshotFile {
  readonly machine: string[];
  readonly voters: readonly Voter[];
}

export interface Files {
  /** Complete snapshot files, by id. */
  readonly files: Map<string, SnapshotFile>;
}

export interface LabNode extends Files {
  readonly key: ReplicaKey;
  readonly config: RaftConfig;
  state: RaftState;
  up: boolean;
  incarnation: number;
  /** Durable. */
  disk: { quorumState: QuorumState | undefined; snapshots: Snapshot[]; batches: Batch[] };
  /** Disk effects that are not durable. */
  unflushed: RaftEffect[];
  /** Messages behind their durability barrier. */
  waiting: Outgoing[];
  timers: Map<TimerId, { generation: number; at: number }>;
  /** The disk hangs: nothing becomes durable. */
  diskHangs: boolean;
  /** The state machine does not apply. */
  applyHangs: boolean;
  committedEnd: number;
  committed: Batch[];
  /** The state machine: every committed data record, in order. */
  machine: string[];
  /** A snapshot that is being received. */
  partial: { id: SnapshotId; bytes: Buffer } | undefined;
  /** Received snapshots are not checked. */
  checkHangs: boolean;
  /** The check finds the next received snapshot damaged. */
  damaged: boolean;
  /** Events that the driver owes the core. */
  owed: RaftEvent[];
  /** Node ids of the voter set that it was told last. */
  voters: number[];
  /** Effects that tell something, in short: `leader 1`, `claim 1`, `renounce 1`, `notice not-a-voter`, `fatal …`. */
  told: string[];
}
