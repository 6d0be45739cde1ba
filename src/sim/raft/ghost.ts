// Ghost state (safety.md §6): what the omniscient harness knows of a run, never read by a node. Plain data.
// Updated by observe.ts only, after the checkers have seen the event.
import type { Epoch, NodeId, Offset } from '../../base/ids.ts';
import type { Uuid } from '../../base/uuid.ts';
import type { ReplicaKey, RoleName } from '../../raft/types.ts';
import type { SimDisk } from './disk.ts';
import { newDisk } from './disk.ts';
import type { LogEntry, LogPrefix, VotersOf } from './log-entry.ts';
import { NOTHING, wholeOf } from './log-entry.ts';

/** What one node has shown of itself in its effects. */
export interface NodeView {
  readonly id: NodeId;
  /** Whether its id is in `controller.quorum.voters`. */
  readonly configuredVoter: boolean;
  /** Whether it may ever become a voter: it flushes before it fetches. */
  readonly controller: boolean;
  /** Replaced when the disk is lost: another identity. */
  disk: SimDisk;
  incarnation: number;
  alive: boolean;
  /** Undefined from the start of a process until its first `role`. */
  role: RoleName | undefined;
  epoch: Epoch;
  leaderId: NodeId;
  /** -1 while unknown. */
  highWatermark: Offset;
  /** What was handed out to be applied in this incarnation, from the loaded snapshot on. */
  committed: LogPrefix;
  appliedEndOffset: Offset;
  /** -1 while it has none. */
  claimEpoch: Epoch;
  /** The voter set that it said last to be in force; undefined before the first. */
  voters: readonly ReplicaKey[] | undefined;
  /** That of its log, when the two were last compared. */
  toldVoters: readonly ReplicaKey[] | undefined;
}

export interface Ghost {
  readonly nodes: readonly NodeView[];
  readonly votersOf: VotersOf;
  /** Disks that were lost, by directory id, as they were then. */
  readonly lostDisks: Map<Uuid, SimDisk>;
  /** S-R1: who entered Leader(epoch). */
  readonly leaders: Map<Epoch, ReplicaKey>;
  /** By batch: the committed log, and the epoch of the leader that raised its high watermark over it. */
  readonly committed: LogEntry[];
  readonly commitEpochs: Epoch[];
  /** S-R4: (end offset, epoch) of every batch ever written anywhere. */
  readonly batches: Map<number, LogEntry>;
  /** Every batch ever written that sets the voters. */
  readonly voterRecords: LogEntry[];
}

/** How many nodes of each kind: their numbers follow each other in this order. */
export interface NodeCounts {
  readonly voters: number;
  /** Controllers that are not configured as voters. */
  readonly spares: number;
  readonly observers: number;
}

/** `replicaOf` names the nodes' first disks. */
export function newGhost(counts: NodeCounts, replicaOf: (id: NodeId) => ReplicaKey, votersOf: VotersOf): Ghost {
  const nodes: NodeView[] = [];
  for (let id = 0; id < counts.voters + counts.spares + counts.observers; id++) {
    nodes.push({
      id,
      configuredVoter: id < counts.voters,
      controller: id < counts.voters + counts.spares,
      disk: newDisk(replicaOf(id)),
      incarnation: 0,
      alive: false,
      role: undefined,
      epoch: 0,
      leaderId: -1,
      highWatermark: -1,
      committed: NOTHING,
      appliedEndOffset: 0,
      claimEpoch: -1,
      voters: undefined,
      toldVoters: undefined,
    });
  }
  return {
    nodes,
    votersOf,
    lostDisks: new Map(),
    leaders: new Map(),
    committed: [],
    commitEpochs: [],
    batches: new Map(),
    voterRecords: [],
  };
}

/** Key of `Ghost.batches`; exact while epoch < 2^21. */
export function batchKey(entry: LogEntry): number {
  return entry.epoch * 0x1_0000_0000 + entry.endOffset;
}

export function sameReplica(a: ReplicaKey, b: ReplicaKey): boolean {
  return a.id === b.id && a.directoryId === b.directoryId;
}

export function includesReplica(voters: readonly ReplicaKey[], replica: ReplicaKey): boolean {
  return voters.some((voter) => sameReplica(voter, replica));
}

export function nameOf(replica: ReplicaKey): string {
  return `${replica.id}/${replica.directoryId.slice(0, 6)}`;
}

export function namesOf(voters: readonly ReplicaKey[]): string {
  return voters.map(nameOf).join(' ');
}

/** All that has been committed by anybody. */
function committedPrefix(ghost: Ghost): LogPrefix {
  return ghost.committed[ghost.committed.length - 1] ?? NOTHING;
}

/** pinned by its own log; before that, configured (R-0.3a). */
export function isVoter(node: NodeView): boolean {
  const { voters } = wholeOf(node.disk.written);
  return voters === undefined ? node.configuredVoter : includesReplica(voters, node.disk.replica);
}

/**
 * The voter sets that may be in force somewhere, now or later: the committed one, and every one that a leader has begun and
 * that what is committed has not overtaken yet.
 */
export function liveVoterSets(ghost: Ghost): (readonly ReplicaKey[])[] {
  const { voters } = committedPrefix(ghost);
  const sets = voters === undefined ? [] : [voters];
  for (const entry of ghost.voterRecords) {
    if (entry.ordinal > ghost.committed.length && entry.voters !== undefined) sets.push(entry.voters);
  }
  return sets;
}
