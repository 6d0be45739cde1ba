// The modelled disk of one replica: quorum state, log and snapshot catalogue, as written and as synced, and the
// operations between. Operations are ordered: a power cut keeps a prefix of the unsynced ones, a killed process all of them
// (safety.md 8.4). Snapshot files are complete and durable, or not there.
import type { Epoch, Offset } from '../../base/ids.ts';
import type { DurableState, OpId, QuorumState, ReplicaKey, Snapshot, SnapshotId } from '../../raft/types.ts';
import type { LogEntry, LogPrefix, SimLog } from './log-entry.ts';
import { endOffsetOf, NOTHING } from './log-entry.ts';

/** A complete, durable snapshot file. */
export interface SnapshotFile {
  readonly snapshot: Snapshot;
  /** The state that it holds: that of this prefix. */
  readonly content: LogPrefix;
  /** Two files of the same state differ in their bytes. */
  readonly salt: number;
}

export type DiskOp =
  | { readonly kind: 'state'; readonly op: OpId; readonly state: QuorumState }
  | { readonly kind: 'append'; readonly op: OpId; readonly entries: readonly LogEntry[] }
  | { readonly kind: 'truncate'; readonly op: OpId; readonly endOffset: Offset }
  | {
      readonly kind: 'catalogue';
      readonly op: OpId;
      readonly files: readonly SnapshotFile[];
      readonly clearLog: boolean;
    };

export interface SimDisk {
  readonly replica: ReplicaKey;
  written: SimLog;
  writtenState: QuorumState | undefined;
  writtenCatalogue: readonly SnapshotFile[];
  synced: SimLog;
  syncedState: QuorumState | undefined;
  syncedCatalogue: readonly SnapshotFile[];
  /** Every complete file, in the catalogue or not yet. */
  files: SnapshotFile[];
  /** Written, not synced, oldest first. */
  pending: DiskOp[];
  /** Ids of the last issued and last synced op of this incarnation, -1 before the first. */
  issuedOp: OpId;
  syncedOp: OpId;
  /** The last op that changed where the log ends (M-5b, M-5d), -1 if none in this incarnation. */
  logOp: OpId;
}

export function newDisk(replica: ReplicaKey): SimDisk {
  return {
    replica,
    written: { start: NOTHING, entries: [] },
    writtenState: undefined,
    writtenCatalogue: [],
    synced: { start: NOTHING, entries: [] },
    syncedState: undefined,
    syncedCatalogue: [],
    files: [],
    pending: [],
    issuedOp: -1,
    syncedOp: -1,
    logOp: -1,
  };
}

/** Writes one operation: visible to the process at once, durable later. */
export function issue(disk: SimDisk, op: DiskOp): void {
  disk.pending.push(op);
  disk.issuedOp = op.op;
  if (op.kind === 'state') {
    disk.writtenState = op.state;
    return;
  }
  if (op.kind === 'catalogue') disk.writtenCatalogue = op.files;
  if (op.kind !== 'catalogue' || op.clearLog) disk.logOp = op.op;
  applyToLog(disk.written, op);
}

/** Makes the oldest unsynced operation durable and returns it. */
export function syncOldest(disk: SimDisk): DiskOp {
  const op = disk.pending.shift() as DiskOp;
  disk.syncedOp = op.op;
  if (op.kind === 'state') {
    disk.syncedState = op.state;
    return op;
  }
  applyToLog(disk.synced, op);
  if (op.kind === 'catalogue') {
    // what is listed no longer is removed.
    const gone = disk.syncedCatalogue.filter((file) => !op.files.includes(file));
    disk.syncedCatalogue = op.files;
    if (gone.length > 0) disk.files = disk.files.filter((file) => !gone.includes(file));
  }
  return op;
}

/** After a crash of which the disk kept what is synced: forgets the rest, files in no catalogue, and that incarnation's op ids. */
export function rewindToSynced(disk: SimDisk): void {
  disk.pending = [];
  disk.written = { start: disk.synced.start, entries: disk.synced.entries.slice() };
  disk.writtenState = disk.syncedState;
  disk.writtenCatalogue = disk.syncedCatalogue;
  disk.files = [...disk.syncedCatalogue];
  disk.issuedOp = -1;
  disk.syncedOp = -1;
  disk.logOp = -1;
}

export function durableStateOf(disk: SimDisk): DurableState {
  return {
    quorumState: disk.syncedState,
    snapshots: disk.syncedCatalogue.map(({ snapshot }) => snapshot),
    batches: disk.synced.entries.map(({ batch }) => batch),
  };
}

/** A file is complete and durable under its name, in place of an older one of that name. */
export function keepFile(disk: SimDisk, file: SnapshotFile): void {
  disk.files = [...disk.files.filter(({ snapshot }) => !sameSnapshot(snapshot.id, file.snapshot.id)), file];
}

export function fileOf(files: readonly SnapshotFile[], id: SnapshotId): SnapshotFile | undefined {
  return files.find(({ snapshot }) => sameSnapshot(snapshot.id, id));
}

export function sameSnapshot(a: SnapshotId, b: SnapshotId): boolean {
  return a.endOffset === b.endOffset && a.epoch === b.epoch;
}

export function stateEpoch(state: QuorumState | undefined): Epoch {
  return state === undefined ? 0 : state.leaderEpoch;
}

function applyToLog(log: SimLog, op: Exclude<DiskOp, { kind: 'state' }>): void {
  switch (op.kind) {
    case 'append':
      for (const entry of op.entries) log.entries.push(entry);
      return;
    case 'truncate':
      while (log.entries.length > 0 && endOffsetOf(log) > op.endOffset) log.entries.pop();
      return;
    case 'catalogue': {
      const start = op.files[0]?.content ?? log.start;
      const kept = op.clearLog ? log.entries.length : firstAfter(log.entries, start.endOffset);
      log.entries.splice(0, kept);
      log.start = start;
    }
  }
}

/** How many entries end at or below `offset`. */
function firstAfter(entries: readonly LogEntry[], offset: Offset): number {
  let count = 0;
  while (count < entries.length && (entries[count] as LogEntry).endOffset <= offset) count++;
  return count;
}
