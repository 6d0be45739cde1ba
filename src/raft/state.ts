// All that the consensus core remembers, as one plain value, and the questions every part asks of it.
// Written by the functions of this folder only, inside `step`.
import { assert } from '../base/assert.ts';
import type { Epoch, Ms, NodeId, Offset } from '../base/ids.ts';
import { NO_NODE } from '../base/ids.ts';
import { isUuid, ZERO_UUID } from '../base/uuid.ts';
import { MAX_ENDPOINT_BYTES } from './control-record.ts';
import { RaftLog } from './log.ts';
import type { Role } from './roles.ts';
import type {
  CallId,
  OpId,
  QuorumState,
  RaftConfig,
  RaftRandom,
  RaftRequest,
  ReplicaKey,
  Snapshot,
  TimerId,
  Voter,
} from './types.ts';
import { sameReplica } from './vote-grant.ts';

/** A timer's latest setting; events of other generations are late. */
export interface TimerState {
  generation: number;
  armed: boolean;
  at: Ms;
}

/** A call that waits for its response, in this role period (M-6). */
export interface OutstandingCall {
  readonly to: NodeId;
  readonly message: RaftRequest;
}

export interface RaftState {
  readonly config: RaftConfig;
  readonly random: RaftRandom;
  /** Time of the event at hand. */
  now: Ms;
  started: boolean;
  /** A fatal effect was emitted: every later event is ignored. */
  failed: boolean;

  role: Role;
  epoch: Epoch;
  /** Leader of `epoch`, NO_NODE if unknown. Itself also while resigned in that epoch. */
  leaderId: NodeId;
  /** A leader that is neither configured nor a voter in force, and where it listens, as others said. */
  toldLeader: { readonly id: NodeId; readonly endpoint: string } | undefined;
  /** the vote in `epoch`; cleared only when the epoch rises. */
  votedKey: ReplicaKey | undefined;
  /** What the last writeQuorumState holds, or the disk held at start. */
  written: QuorumState | undefined;

  readonly log: RaftLog;
  /** The catalogue, oldest first: the log begins at the end of the first one. */
  snapshots: readonly Snapshot[];
  /** -1 while unknown; never goes down. */
  highWatermark: Offset;
  /** What the state machine has applied. */
  appliedEndOffset: Offset;

  readonly timers: Record<TimerId, TimerState>;
  readonly calls: Map<CallId, OutstandingCall>;
  nextCall: CallId;
  nextOp: OpId;
  /** Every op up to this one is durable. */
  doneOp: OpId;
  /** The last writeQuorumState: what a message says of epoch, vote or leader is durable once it is done (M-5a). */
  quorumStateOp: OpId;
  /** The last change of the log's end: what a message says of it is durable once it is done (M-5b, M-5d). */
  logOp: OpId;

  /** Counts the voters asked for the leader, round robin. */
  discoveries: number;
  /** Notices given once in this incarnation. */
  readonly noticed: Set<string>;
}

/** A core that waits for its `start` event. `random` is drawn from when a timeout is armed. */
export function createRaft(config: RaftConfig, random: RaftRandom): RaftState {
  const { id, directoryId } = config.replica;
  assert(id >= 0 && isUuid(directoryId) && directoryId !== ZERO_UUID, 'a replica has a node id and a directory id');
  assert(config.voterIds.length > 0, 'at least one voter is configured');
  assert(new Set(config.voterIds).size === config.voterIds.length, 'configured voters are distinct');
  for (const [voter, endpoint] of config.endpoints) {
    assert(Buffer.byteLength(endpoint) <= MAX_ENDPOINT_BYTES, () => `the endpoint of voter ${voter} is too long`);
  }
  return {
    config,
    random,
    now: 0,
    started: false,
    failed: false,
    role: { name: 'unattached' },
    epoch: 0,
    leaderId: NO_NODE,
    toldLeader: undefined,
    votedKey: undefined,
    written: undefined,
    log: new RaftLog(),
    snapshots: [],
    highWatermark: -1,
    appliedEndOffset: 0,
    timers: {
      election: newTimer(),
      fetch: newTimer(),
      checkQuorum: newTimer(),
      beginQuorumEpoch: newTimer(),
      retry: newTimer(),
      parkedFetch: newTimer(),
    },
    calls: new Map(),
    nextCall: 1,
    nextOp: 1,
    doneOp: 0,
    quorumStateOp: 0,
    logOp: 0,
    discoveries: 0,
    noticed: new Set(),
  };
}

function newTimer(): TimerState {
  return { generation: 0, armed: false, at: 0 };
}

/** Whether `id` is this node's, by number only: the same number on another disk is another replica. */
export function isOwnId(state: RaftState, id: NodeId): boolean {
  return id === state.config.replica.id;
}

/**
 * whether this node, on this disk, votes and may be elected. While the log is empty the configured ids
 * stand in for the pinned set; the first batch decides.
 */
export function isVoter(state: RaftState): boolean {
  const { voters } = state.log;
  if (voters === undefined) return state.config.voterIds.includes(state.config.replica.id);
  return includesSelf(state, voters);
}

/**
 * whether this node may be elected. [ours] Not only a voter, but also one that the set in force leaves out, until that is
 * known to be committed: its record may be nowhere else, and those who lack it may be no majority of their set without
 * this node, whose log is ahead of theirs (Ongaro's dissertation, 4.2.2).
 */
export function isElectable(state: RaftState): boolean {
  if (isVoter(state)) return true;
  const { votersOffset, previousVoters } = state.log;
  return previousVoters !== undefined && votersOffset >= state.highWatermark && includesSelf(state, previousVoters);
}

function includesSelf({ config }: RaftState, voters: readonly Voter[]): boolean {
  for (const voter of voters) if (sameReplica(voter, config.replica)) return true;
  return false;
}

/** Whether the quorum is this node alone: no timer has anything to wait for. */
export function isOnlyVoter(state: RaftState): boolean {
  return isVoter(state) && (state.log.voters ?? state.config.voterIds).length === 1;
}

/** Whether that is this node on this disk. */
export function isSelf(state: RaftState, key: ReplicaKey): boolean {
  return sameReplica(key, state.config.replica);
}

/** Whether calls can be addressed to that node: it is configured, a voter in force, or others told where it is. */
export function isReachable(state: RaftState, id: NodeId): boolean {
  if (state.config.voterIds.includes(id) || state.toldLeader?.id === id) return true;
  const { voters } = state.log;
  return voters?.some((voter) => voter.id === id) ?? false;
}

/**
 * the voter set that the records below `offset` leave in force: what a snapshot that ends there contains. `offset` lies
 * within the log; undefined where the log is empty.
 */
export function votersAsOf(state: RaftState, offset: Offset): readonly Voter[] | undefined {
  return state.log.votersAsOf(offset);
}

/** Where that node listens, as far as known: as the voter set in force says, as configured, as others told. */
export function endpointOf({ log, config, toldLeader }: RaftState, id: NodeId): string {
  const voter = log.voters?.find((each) => each.id === id);
  if (voter !== undefined && voter.endpoint !== '') return voter.endpoint;
  return config.endpoints.get(id) ?? (toldLeader?.id === id ? toldLeader.endpoint : '');
}

/**
 * The leader that others may be told of. A resigned leader names nobody: whoever followed it would wait for a fetch timeout.
 */
export function knownLeader(state: RaftState): NodeId {
  return state.role.name === 'resigned' || state.role.name === 'candidate' ? NO_NODE : state.leaderId;
}
