// What goes into and comes out of the consensus core (safety.md M-4, appendix A). Plain data, no behaviour.
// The core is `step(state, event, effects)`: pure, synchronous, never throwing on input of a peer.
import type { Epoch, Ms, NodeId, Offset } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';

/** a replica is a node *and* the disk it was formatted on. ZERO_UUID where the directory is not known. */
export interface ReplicaKey {
  readonly id: NodeId;
  readonly directoryId: Uuid;
}

/** A replica that votes, and where it listens: `host:port` of its controller listener, '' where that is not known. */
export interface Voter extends ReplicaKey {
  readonly endpoint: string;
}

/** a snapshot holds the state of all records below `endOffset`; `epoch` is that of the record before it. */
export interface SnapshotId {
  readonly endOffset: Offset;
  readonly epoch: Epoch;
}

/** A snapshot whose file is complete and durable. */
export interface Snapshot {
  readonly id: SnapshotId;
  /** The voter set as of its end. */
  readonly voters: readonly Voter[];
  /** Size of its file. */
  readonly sizeBytes: number;
}

/** replaced atomically and synced before anything that asserts it leaves the node (M-5). */
export interface QuorumState {
  /** -1: none known in this epoch. */
  readonly leaderId: NodeId;
  readonly leaderEpoch: Epoch;
  /** The candidate voted for in this epoch, or undefined. */
  readonly votedKey: ReplicaKey | undefined;
}

/**
 * The unit of append, replication and truncation: its records take offsets baseOffset .. baseOffset+records.length-1.
 * `control` batches hold the core's own records (control-record.ts); the state machine never sees those.
 */
export interface Batch {
  readonly baseOffset: Offset;
  readonly epoch: Epoch;
  readonly control: boolean;
  /** At least one. */
  readonly records: readonly Uint8Array[];
}

/** What the disk held at start. */
export interface DurableState {
  /** undefined if none was ever written. */
  readonly quorumState: QuorumState | undefined;
  /** The catalogue, oldest first. The log begins at the end of the first one, at 0 if there is none. */
  readonly snapshots: readonly Snapshot[];
  /** The log from there on, verified; empty on a freshly formatted disk. */
  readonly batches: readonly Batch[];
}

export interface RaftConfig {
  readonly clusterId: Uuid;
  readonly replica: ReplicaKey;
  /** The configured voters' node ids. The set in force is the pinned one of the log, once there is one (R-0.3a). */
  readonly voterIds: readonly NodeId[];
  /** Where the configured voters listen, as far as known: pinned with them by the first batch. */
  readonly endpoints: ReadonlyMap<NodeId, string>;
  /** defaults 1000, 2000, 2000, 20, 500. */
  readonly electionTimeoutMs: Ms;
  readonly fetchTimeoutMs: Ms;
  readonly requestTimeoutMs: Ms;
  readonly retryBackoffMs: Ms;
  /** How long a leader parks a fetch that has nothing to answer. */
  readonly fetchMaxWaitMs: Ms;
  /** Cut of one fetch response, in bytes of records; at least one batch is always sent. */
  readonly fetchMaxBytes: number;
  /** Size of one piece of a fetched snapshot. */
  readonly snapshotChunkBytes: number;
}

/** Draws for timeouts; keyed by name. */
export interface RaftRandom {
  /** Uniform integer in [0, bound). */
  below(key: string, bound: number): number;
}

// ---- messages between replicas ----

/** Part of every message that names a leader. */
export interface LeaderHint {
  /**
   * Where that leader listens, `host:port`; absent or '' where the sender does not know or it does not matter. A voter that was
   * away, or a broker with an old configuration, finds a leader that became a voter meanwhile (KIP-853).
   */
  readonly leaderEndpoint?: string;
}

export type RaftErrorCode =
  | 'NONE'
  | 'INCONSISTENT_CLUSTER_ID'
  | 'INVALID_REQUEST'
  | 'FENCED_LEADER_EPOCH'
  | 'UNKNOWN_LEADER_EPOCH'
  | 'NOT_LEADER_OR_FOLLOWER'
  | 'INVALID_VOTER_KEY'
  | 'SNAPSHOT_NOT_FOUND'
  | 'POSITION_OUT_OF_RANGE';

/** */
export interface VoteRequest {
  readonly type: 'vote';
  readonly clusterId: Uuid;
  /** Whose vote is asked; directoryId is ZERO_UUID while the voters are not pinned. */
  readonly voterKey: ReplicaKey;
  readonly candidateKey: ReplicaKey;
  readonly epoch: Epoch;
  /** Epoch of the candidate's last batch, 0 if its log is empty. */
  readonly lastEpoch: Epoch;
  /** The candidate's flushed log end. */
  readonly logEndOffset: Offset;
  readonly preVote: boolean;
}

export interface VoteResponse extends LeaderHint {
  readonly type: 'vote';
  readonly error: RaftErrorCode;
  readonly epoch: Epoch;
  readonly leaderId: NodeId;
  readonly granted: boolean;
  /** Who answers, and whether its log is empty: what a first election counts (R-0.3a). */
  readonly voter: ReplicaKey;
  readonly logEmpty: boolean;
}

/** */
export interface BeginQuorumEpochRequest extends LeaderHint {
  readonly type: 'beginQuorumEpoch';
  readonly clusterId: Uuid;
  readonly voterKey: ReplicaKey;
  readonly leaderKey: ReplicaKey;
  readonly epoch: Epoch;
}

/** */
export interface EndQuorumEpochRequest {
  readonly type: 'endQuorumEpoch';
  readonly clusterId: Uuid;
  readonly leaderKey: ReplicaKey;
  readonly epoch: Epoch;
  /** Best first: the voters that had fetched furthest. */
  readonly preferredSuccessors: readonly ReplicaKey[];
}

/** Answers BeginQuorumEpoch and EndQuorumEpoch. */
export interface QuorumEpochResponse extends LeaderHint {
  readonly type: 'quorumEpoch';
  readonly error: RaftErrorCode;
  readonly epoch: Epoch;
  readonly leaderId: NodeId;
}

/** */
export interface FetchRequest {
  readonly type: 'fetch';
  readonly clusterId: Uuid;
  readonly replicaKey: ReplicaKey;
  readonly currentLeaderEpoch: Epoch;
  readonly fetchOffset: Offset;
  readonly lastFetchedEpoch: Epoch;
  readonly maxWaitMs: Ms;
  /** The follower's high watermark, -1 while unknown (KIP-1166). */
  readonly highWatermark: Offset;
}

export interface FetchResponse extends LeaderHint {
  readonly type: 'fetch';
  readonly error: RaftErrorCode;
  readonly epoch: Epoch;
  readonly leaderId: NodeId;
  /** -1 while unknown. */
  readonly highWatermark: Offset;
  /** the largest epoch <= lastFetchedEpoch that the leader has, and where it ends. Then there are no batches. */
  readonly diverging: { readonly epoch: Epoch; readonly endOffset: Offset } | undefined;
  /** the fetcher is behind the leader's log, or new: it should take this snapshot. Then there are no batches. */
  readonly snapshotId: SnapshotId | undefined;
  readonly batches: readonly Batch[];
}

/** */
export interface FetchSnapshotRequest {
  readonly type: 'fetchSnapshot';
  readonly clusterId: Uuid;
  readonly replicaKey: ReplicaKey;
  readonly currentLeaderEpoch: Epoch;
  readonly snapshotId: SnapshotId;
  /** Of the first byte asked for. */
  readonly position: number;
  /** At most so many bytes. */
  readonly maxBytes: number;
}

export interface FetchSnapshotResponse extends LeaderHint {
  readonly type: 'fetchSnapshot';
  readonly error: RaftErrorCode;
  readonly epoch: Epoch;
  readonly leaderId: NodeId;
  readonly snapshotId: SnapshotId;
  /** Of the whole file. */
  readonly sizeBytes: number;
  readonly position: number;
  /** At least one, unless there is an error. */
  readonly bytes: Uint8Array;
}

export type RaftRequest =
  | VoteRequest
  | BeginQuorumEpochRequest
  | EndQuorumEpochRequest
  | FetchRequest
  | FetchSnapshotRequest;
export type RaftResponse = VoteResponse | QuorumEpochResponse | FetchResponse | FetchSnapshotResponse;

/** one voter more, one less, or one endpoint corrected. */
export type VoterChange =
  | { readonly type: 'add'; readonly voter: Voter }
  | { readonly type: 'remove'; readonly replica: ReplicaKey }
  | { readonly type: 'update'; readonly voter: Voter };

/** Why a voter change was refused without a trace. */
export type VoterChangeError =
  | 'NOT_LEADER'
  /** No entry of the leader's epoch is committed yet, or another change is not. */
  | 'NOT_READY'
  /** Add: the node or another disk of it is a voter. Remove, update: it is none. */
  | 'DUPLICATE_VOTER'
  | 'VOTER_NOT_FOUND'
  /** Add: it does not fetch, or is not caught up. */
  | 'NOT_CAUGHT_UP'
  /** Remove: too few of those that stay have fetched lately; or it is the last voter. */
  | 'QUORUM_AT_RISK';

/** Why a call got no response. `refused`: the peer's process is not there. */
export type CallFailure = 'timeout' | 'refused' | 'broken';

/** M-6: unique within one process incarnation. Inbound and outbound calls are numbered apart, by driver and core. */
export type CallId = number;
/** Identifies one disk operation of this incarnation. */
export type OpId = number;

export type TimerId = 'election' | 'fetch' | 'checkQuorum' | 'beginQuorumEpoch' | 'retry' | 'parkedFetch';

// ---- events ----

export type RaftEvent =
  /** First, once. `now` of every event is the node's monotonic clock. */
  | { readonly type: 'start'; readonly now: Ms; readonly durable: DurableState }
  | { readonly type: 'timer'; readonly now: Ms; readonly id: TimerId; readonly generation: number }
  | { readonly type: 'request'; readonly now: Ms; readonly call: CallId; readonly message: RaftRequest }
  | { readonly type: 'response'; readonly now: Ms; readonly call: CallId; readonly message: RaftResponse }
  | { readonly type: 'callFailed'; readonly now: Ms; readonly call: CallId; readonly failure: CallFailure }
  /** All disk effects up to and including `op` are durable. The driver completes ops in the order they were issued. */
  | { readonly type: 'diskDone'; readonly now: Ms; readonly op: OpId }
  /** append records as one atomic batch, in the epoch that the caller leads. */
  | {
      readonly type: 'propose';
      readonly now: Ms;
      readonly token: number;
      readonly claimEpoch: Epoch;
      readonly records: readonly Uint8Array[];
    }
  /** The state machine has applied everything below `endOffset`. */
  | { readonly type: 'applied'; readonly now: Ms; readonly endOffset: Offset }
  /** A snapshot of the own state machine is written, verified and durable. */
  | { readonly type: 'snapshotTaken'; readonly now: Ms; readonly snapshot: Snapshot }
  /** What `finishSnapshot` asked for: complete, verified and durable under its final name; not in the catalogue yet. */
  | { readonly type: 'snapshotReceived'; readonly now: Ms; readonly snapshot: Snapshot }
  /** The received file is no intact snapshot: it was removed. */
  | { readonly type: 'snapshotRejected'; readonly now: Ms; readonly id: SnapshotId; readonly reason: string }
  /** answered by `voterChange` at once; in force when appended, committed under the new set. */
  | { readonly type: 'changeVoters'; readonly now: Ms; readonly token: number; readonly change: VoterChange }
  /** from the state machine, or graceful stop (then `epoch` is the present one). */
  | { readonly type: 'resign'; readonly now: Ms; readonly epoch: Epoch };

// ---- effects ----

export type RoleName = 'unattached' | 'prospective' | 'candidate' | 'leader' | 'resigned' | 'follower';

/**
 * Carried out in order. Disk effects are durable when `diskDone` names their op; a `call` or `reply` with `after` waits for
 * that op (M-5); without it, it leaves at once.
 */
export type RaftEffect =
  | { readonly type: 'writeQuorumState'; readonly op: OpId; readonly state: QuorumState }
  | { readonly type: 'append'; readonly op: OpId; readonly batches: readonly Batch[] }
  /** Removes every batch at or after `endOffset`. */
  | { readonly type: 'truncate'; readonly op: OpId; readonly endOffset: Offset }
  /**
   * The catalogue is now `snapshots`, oldest first, at least one, each complete on disk; batches below the end of the first
   * one are removed, with `clearLog` all batches. One atomic synced write; files of snapshots that are no
   * longer listed are removed after it.
   */
  | {
      readonly type: 'catalogue';
      readonly op: OpId;
      readonly snapshots: readonly Snapshot[];
      readonly clearLog: boolean;
    }
  | {
      readonly type: 'call';
      readonly call: CallId;
      readonly to: NodeId;
      readonly message: RaftRequest;
      readonly timeoutMs: Ms;
      readonly after: OpId | undefined;
    }
  | {
      readonly type: 'reply';
      readonly call: CallId;
      readonly message: RaftResponse;
      readonly after: OpId | undefined;
    }
  /** Answers a FetchSnapshot with up to `maxBytes` of that file from `position`; the rest of the response is `response`. */
  | {
      readonly type: 'serveSnapshot';
      readonly call: CallId;
      readonly response: FetchSnapshotResponse;
      readonly maxBytes: number;
      readonly after: OpId | undefined;
    }
  /** Keeps a piece of a snapshot that is being fetched; position 0 begins anew. Not durable until `finishSnapshot`. */
  | {
      readonly type: 'receiveSnapshot';
      readonly id: SnapshotId;
      readonly position: number;
      readonly bytes: Uint8Array;
    }
  /** All pieces are there: verify, sync, rename, sync the directory; then `snapshotReceived` or `snapshotRejected`. */
  | { readonly type: 'finishSnapshot'; readonly id: SnapshotId; readonly sizeBytes: number }
  /** The state machine starts over from this snapshot, before any `commit` that follows; `applied` tells when it has. */
  | { readonly type: 'loadSnapshot'; readonly snapshot: Snapshot }
  /** The voter set in force is now this one, committed or not: where to send calls. */
  | { readonly type: 'voters'; readonly voters: readonly Voter[] }
  /** Answer to `changeVoters`: appended as the record at `offset`, or refused without a trace. */
  | {
      readonly type: 'voterChange';
      readonly token: number;
      readonly result:
        | { readonly type: 'appended'; readonly offset: Offset }
        | { readonly type: 'refused'; readonly error: VoterChangeError; readonly message: string };
    }
  /** Replaces the timer of that id; an event with an older generation is ignored by the core. */
  | { readonly type: 'setTimer'; readonly id: TimerId; readonly generation: number; readonly at: Ms }
  | { readonly type: 'cancelTimer'; readonly id: TimerId }
  /** The batches that newly fell below the high watermark, in order, control batches included. */
  | { readonly type: 'commit'; readonly highWatermark: Offset; readonly batches: readonly Batch[] }
  /** Answer to a proposal: appended (not yet committed) at these offsets, or refused without a trace. */
  | { readonly type: 'proposed'; readonly token: number; readonly baseOffset: Offset; readonly lastOffset: Offset }
  | { readonly type: 'refused'; readonly token: number; readonly leaderId: NodeId }
  /** Any change of role, epoch or known leader; for logs and for whoever forwards to the leader. */
  | ({
      readonly type: 'role';
      readonly role: RoleName;
      readonly epoch: Epoch;
      readonly leaderId: NodeId;
      /** With the hint where to send calls, if it is neither configured nor a voter in force. */
    } & LeaderHint)
  /** this node leads `epoch` and its state machine has caught up: it may propose. */
  | { readonly type: 'claim'; readonly epoch: Epoch }
  /** The claim of that epoch is over: at once, whatever was proposed. */
  | { readonly type: 'renounce'; readonly epoch: Epoch }
  /** Something an operator should read: an integrity warning, an identity that is not a voter. */
  | {
      readonly type: 'notice';
      readonly level: 'info' | 'warn' | 'error';
      readonly event: string;
      readonly fields: object;
    }
  | { readonly type: 'fatal'; readonly reason: string };

/** What `quorum describe` shows of one replica. */
export interface ReplicaProgress {
  readonly replica: ReplicaKey;
  /** `host:port`, '' where not known. */
  readonly endpoint: string;
  /** -1 while unknown. */
  readonly logEndOffset: Offset;
  /** Monotonic time of its last valid fetch, -1 if none in this epoch. */
  readonly lastFetchMs: Ms;
  /** Monotonic time when it last had everything, -1 if never in this epoch. */
  readonly lastCaughtUpMs: Ms;
}

export interface QuorumDescription {
  readonly role: RoleName;
  readonly leaderId: NodeId;
  readonly epoch: Epoch;
  /** -1 while unknown. */
  readonly highWatermark: Offset;
  readonly logEndOffset: Offset;
  readonly logStartOffset: Offset;
  /** The newest snapshot, undefined if there is none. */
  readonly latestSnapshot: SnapshotId | undefined;
  /** Whether this node's identity is in the voter set in force. */
  readonly isVoter: boolean;
  /** The voter set in force, with progress where this node leads (else -1 for others than itself). */
  readonly voters: readonly ReplicaProgress[];
  readonly observers: readonly ReplicaProgress[];
}
