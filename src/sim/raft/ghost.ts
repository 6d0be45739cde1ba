// Ghost state (safety.md §6): what the omniscient harness knows of a run, never read by a node. Plain data.
// Updated by observe.ts only, after the checkers have seen the event.
import type { Epoch, NodeId, Offset } from '../../base/ids.ts';
import type { Uuid } from '../../base/uuid.ts';
import type { ReplicaKey, RoleName } from '../../raft/types.ts';
import type { SimDisk } from './disk.ts';
import { newDisk } from './disk.ts';
import type { LogEntry, VotersOf } from './log-entry.ts';

/** What one node has shown of itself in its effects. */
export interface NodeView {
  readonly id: NodeId;
  /** Whether its id is in `controller.quorum.voters`. */
  readonly configuredVoter: boolean;
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
  /** Committed batches handed out, and applied, in this incarnation. */
  committedBatches: number;
  appliedEndOffset: Offset;
  /** -1 while it has none. */
  claimEpoch: Epoch;
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
  /** S-R4: (end offset, epoch) of every batch ever written anywhere → chain hash of the prefix. */
  readonly batches: Map<number, number>;
}

/** Nodes 0..count-1, the first `voters` of them configured voters. `replicaOf` names their first disks. */
export function newGhost(
  count: number,
  voters: number,
  replicaOf: (id: NodeId) => ReplicaKey,
  votersOf: VotersOf,
): Ghost {
  const nodes: NodeView[] = [];
  for (let id = 0; id < count; id++) {
    nodes.push({
      id,
      configuredVoter: id < voters,
      disk: newDisk(replicaOf(id)),
      incarnation: 0,
      alive: false,
      role: undefined,
      epoch: 0,
      leaderId: -1,
      highWatermark: -1,
      committedBatches: 0,
      appliedEndOffset: 0,
      claimEpoch: -1,
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
  };
}

/** Key of `Ghost.batches`; exact while epoch < 2^21. */
export function batchKey(entry: LogEntry): number {
  return entry.epoch * 0x1_0000_0000 + entry.endOffset;
}

export function sameReplica(a: ReplicaKey, b: ReplicaKey): boolean {
  return a.id === b.id && a.directoryId === b.directoryId;
}

export function nameOf(replica: ReplicaKey): string {
  return `${replica.id}/${replica.directoryId.slice(0, 6)}`;
}

/** The voters that this log pins in its first batch; undefined while it is empty. */
export function pinnedVoters(ghost: Ghost, log: readonly LogEntry[]): readonly ReplicaKey[] | undefined {
  return log.length === 0 ? undefined : ghost.votersOf((log[0] as LogEntry).batch);
}
