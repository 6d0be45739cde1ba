// The modelled disk of one replica: quorum state and log, as written and as synced, and the operations between.
// Operations are ordered: a power cut keeps a prefix of the unsynced ones, a killed process all of them (safety.md 8.4).
import type { Epoch, Offset } from '../../base/ids.ts';
import type { Batch, DurableState, OpId, QuorumState, ReplicaKey } from '../../raft/types.ts';
import type { LogEntry } from './log-entry.ts';
import { endOffsetOf, entryAfter } from './log-entry.ts';

export type DiskOp =
  | { readonly kind: 'state'; readonly op: OpId; readonly state: QuorumState }
  | { readonly kind: 'append'; readonly op: OpId; readonly entries: readonly LogEntry[] }
  | { readonly kind: 'truncate'; readonly op: OpId; readonly endOffset: Offset };

export interface SimDisk {
  readonly replica: ReplicaKey;
  written: LogEntry[];
  writtenState: QuorumState | undefined;
  synced: LogEntry[];
  syncedState: QuorumState | undefined;
  /** Written, not synced, oldest first. */
  pending: DiskOp[];
  /** Ids of the last issued and last synced op of this incarnation, -1 before the first. */
  issuedOp: OpId;
  syncedOp: OpId;
  /** The last op that changed the log (M-5b, M-5d), -1 if none in this incarnation. */
  logOp: OpId;
}

export function newDisk(replica: ReplicaKey): SimDisk {
  return {
    replica,
    written: [],
    writtenState: undefined,
    synced: [],
    syncedState: undefined,
    pending: [],
    issuedOp: -1,
    syncedOp: -1,
    logOp: -1,
  };
}

/** The entries that appending these batches would add. */
export function entriesFor(disk: SimDisk, batches: readonly Batch[]): LogEntry[] {
  const entries: LogEntry[] = [];
  let previous = disk.written[disk.written.length - 1];
  for (const batch of batches) {
    previous = entryAfter(previous, batch);
    entries.push(previous);
  }
  return entries;
}

/** Writes one operation: visible to the process at once, durable later. */
export function issue(disk: SimDisk, op: DiskOp): void {
  disk.pending.push(op);
  disk.issuedOp = op.op;
  if (op.kind === 'state') {
    disk.writtenState = op.state;
    return;
  }
  disk.logOp = op.op;
  applyToLog(disk.written, op);
}

/** Makes the oldest unsynced operation durable and returns it. */
export function syncOldest(disk: SimDisk): DiskOp {
  const op = disk.pending.shift() as DiskOp;
  if (op.kind === 'state') disk.syncedState = op.state;
  else applyToLog(disk.synced, op);
  disk.syncedOp = op.op;
  return op;
}

/** After a crash of which the disk kept what is synced: forgets the rest and the op ids of that incarnation. */
export function rewindToSynced(disk: SimDisk): void {
  disk.pending = [];
  disk.written = disk.synced.slice();
  disk.writtenState = disk.syncedState;
  disk.issuedOp = -1;
  disk.syncedOp = -1;
  disk.logOp = -1;
}

export function durableStateOf(disk: SimDisk): DurableState {
  return { quorumState: disk.syncedState, snapshots: [], batches: disk.synced.map((entry) => entry.batch) };
}

export function stateEpoch(state: QuorumState | undefined): Epoch {
  return state === undefined ? 0 : state.leaderEpoch;
}

function applyToLog(log: LogEntry[], op: Exclude<DiskOp, { kind: 'state' }>): void {
  if (op.kind === 'append') {
    for (const entry of op.entries) log.push(entry);
    return;
  }
  while (endOffsetOf(log) > op.endOffset) log.pop();
}
