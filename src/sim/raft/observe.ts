// The one place where a run reports what happened: dispatches to the checkers, then updates the ghost state and the
// modelled disk. The simulator and the checkers' own tests both go through these functions.
import type { Epoch, Offset } from '../../base/ids.ts';
import type { Batch, OpId, QuorumState, RaftRequest, RaftResponse, ReplicaKey } from '../../raft/types.ts';
import type { RaftChecker, RolePoint } from './checker.ts';
import type { DiskOp, SnapshotFile } from './disk.ts';
import { issue, newDisk, rewindToSynced, syncOldest } from './disk.ts';
import type { Ghost, NodeView } from './ghost.ts';
import { batchKey } from './ghost.ts';
import type { LogEntry, LogPrefix } from './log-entry.ts';
import { entryAfter, NOTHING, prefixAt, wholeOf } from './log-entry.ts';
import { check } from './violation.ts';

/** Checkers by hook, so that an event costs only the calls it has listeners for. */
export interface Observer {
  readonly ghost: Ghost;
  readonly checkers: { readonly [Hook in keyof RaftChecker]-?: readonly RaftChecker[] };
}

export function newObserver(ghost: Ghost, checkers: readonly RaftChecker[]): Observer {
  const having = (hook: keyof RaftChecker): RaftChecker[] => checkers.filter((checker) => checker[hook] !== undefined);
  return {
    ghost,
    checkers: {
      started: having('started'),
      roleChanged: having('roleChanged'),
      stateWritten: having('stateWritten'),
      appended: having('appended'),
      truncated: having('truncated'),
      catalogued: having('catalogued'),
      loaded: having('loaded'),
      synced: having('synced'),
      released: having('released'),
      emitted: having('emitted'),
      committed: having('committed'),
      claimed: having('claimed'),
      renounced: having('renounced'),
      crashed: having('crashed'),
    },
  };
}

export function observeStarted(observer: Observer, node: NodeView): void {
  node.alive = true;
  node.incarnation++;
  node.role = undefined;
  node.epoch = 0;
  node.leaderId = -1;
  node.highWatermark = -1;
  node.committed = NOTHING;
  node.appliedEndOffset = 0;
  node.claimEpoch = -1;
  node.voters = undefined;
  node.toldVoters = undefined;
  for (const checker of observer.checkers.started) checker.started?.(observer.ghost, node);
}

export function observeRole(observer: Observer, node: NodeView, to: RolePoint): void {
  if (node.role === to.role && node.epoch === to.epoch && node.leaderId === to.leaderId) return;
  for (const checker of observer.checkers.roleChanged) checker.roleChanged?.(observer.ghost, node, to);
  const entersLeader = to.role === 'leader' && (node.role !== 'leader' || node.epoch !== to.epoch);
  node.role = to.role;
  node.epoch = to.epoch;
  node.leaderId = to.leaderId;
  if (entersLeader) observer.ghost.leaders.set(to.epoch, node.disk.replica);
}

export function observeStateWrite(observer: Observer, node: NodeView, op: OpId, state: QuorumState): void {
  checkOpOrder(node, op);
  for (const checker of observer.checkers.stateWritten) checker.stateWritten?.(observer.ghost, node, state);
  issue(node.disk, { kind: 'state', op, state });
}

/** Returns what no log had before. */
export function observeAppend(observer: Observer, node: NodeView, op: OpId, batches: readonly Batch[]): LogEntry[] {
  checkOpOrder(node, op);
  const { ghost } = observer;
  const entries: LogEntry[] = [];
  const created: LogEntry[] = [];
  let previous = wholeOf(node.disk.written);
  for (const batch of batches) {
    const entry = entryFor(ghost, previous, batch);
    if (!ghost.batches.has(batchKey(entry))) created.push(entry);
    entries.push(entry);
    previous = entry;
  }
  for (const checker of observer.checkers.appended) checker.appended?.(ghost, node, entries, created);
  for (const entry of created) {
    ghost.batches.set(batchKey(entry), entry);
    if (entry.voterRecords > entry.previous.voterRecords) ghost.voterRecords.push(entry);
  }
  issue(node.disk, { kind: 'append', op, entries });
  return created;
}

/** The entry that the batch makes behind `previous`: the one that another log has, if it is the same. */
function entryFor(ghost: Ghost, previous: LogPrefix, batch: Batch): LogEntry {
  const known = ghost.batches.get(batch.epoch * 0x1_0000_0000 + batch.baseOffset + batch.records.length);
  if (known !== undefined && known.batch === batch && known.previous === previous) return known;
  return entryAfter(previous, batch, ghost.votersOf);
}

export function observeTruncate(observer: Observer, node: NodeView, op: OpId, endOffset: Offset): void {
  checkOpOrder(node, op);
  for (const checker of observer.checkers.truncated) checker.truncated?.(observer.ghost, node, endOffset);
  issue(node.disk, { kind: 'truncate', op, endOffset });
}

export function observeCatalogue(
  observer: Observer,
  node: NodeView,
  op: OpId,
  files: readonly SnapshotFile[],
  clearLog: boolean,
): void {
  checkOpOrder(node, op);
  for (const checker of observer.checkers.catalogued) checker.catalogued?.(observer.ghost, node, files, clearLog);
  issue(node.disk, { kind: 'catalogue', op, files, clearLog });
}

/** The state machine will start over from the snapshot: everything below its end is committed and handed out. */
export function observeLoad(observer: Observer, node: NodeView, file: SnapshotFile): void {
  for (const checker of observer.checkers.loaded) checker.loaded?.(observer.ghost, node, file);
  node.highWatermark = Math.max(node.highWatermark, file.content.endOffset);
  node.committed = file.content;
}

/** The oldest unsynced operation of this node's disk becomes durable. */
export function observeSync(observer: Observer, node: NodeView): DiskOp {
  const op = syncOldest(node.disk);
  for (const checker of observer.checkers.synced) checker.synced?.(observer.ghost, node, op);
  return op;
}

export function observeEmitted(
  observer: Observer,
  node: NodeView,
  message: RaftRequest | RaftResponse,
  after: OpId | undefined,
): void {
  for (const checker of observer.checkers.emitted) checker.emitted?.(observer.ghost, node, message, after);
}

export function observeReleased(
  observer: Observer,
  node: NodeView,
  message: RaftRequest | RaftResponse,
  request: RaftRequest | undefined,
): void {
  for (const checker of observer.checkers.released) checker.released?.(observer.ghost, node, message, request);
}

/** Returns what nobody had committed before. */
export function observeCommit(
  observer: Observer,
  node: NodeView,
  highWatermark: Offset,
  batches: readonly Batch[],
): LogEntry[] {
  const ghost = observer.ghost;
  for (const checker of observer.checkers.committed) checker.committed?.(ghost, node, highWatermark, batches);
  node.highWatermark = highWatermark;
  const { start, entries } = node.disk.written;
  const first: LogEntry[] = [];
  const ordinal = node.committed.ordinal + batches.length;
  while (ghost.committed.length < ordinal) {
    const entry = entries[ghost.committed.length - start.ordinal] as LogEntry;
    ghost.committed.push(entry);
    ghost.commitEpochs.push(node.epoch);
    first.push(entry);
  }
  node.committed = ghost.committed[ordinal - 1] ?? prefixAt(node.disk.written, highWatermark) ?? NOTHING;
  return first;
}

export function observeClaim(observer: Observer, node: NodeView, epoch: Epoch): void {
  for (const checker of observer.checkers.claimed) checker.claimed?.(observer.ghost, node, epoch);
  node.claimEpoch = epoch;
}

export function observeRenounce(observer: Observer, node: NodeView, epoch: Epoch): void {
  for (const checker of observer.checkers.renounced) checker.renounced?.(observer.ghost, node, epoch);
  node.claimEpoch = -1;
}

/**
 * The process ends. `surviving` of the unsynced operations reach the disk, or `newReplica` says that the disk is gone
 * and what the next one is called. Returns the operations that were lost.
 */
export function observeCrash(
  observer: Observer,
  node: NodeView,
  surviving: number,
  newReplica: ReplicaKey | undefined,
): DiskOp[] {
  for (const checker of observer.checkers.crashed) checker.crashed?.(observer.ghost, node);
  for (let i = 0; i < surviving; i++) observeSync(observer, node);
  const lost = node.disk.pending;
  rewindToSynced(node.disk);
  if (newReplica !== undefined) {
    observer.ghost.lostDisks.set(node.disk.replica.directoryId, node.disk);
    node.disk = newDisk(newReplica);
  }
  node.alive = false;
  node.claimEpoch = -1;
  return lost;
}

function checkOpOrder(node: NodeView, op: OpId): void {
  check('S-X2', op > node.disk.issuedOp, () => `node ${node.id} issued disk op ${op} after ${node.disk.issuedOp}`);
}
