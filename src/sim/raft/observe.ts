// The one place where a run reports what happened: dispatches to the checkers, then updates the ghost state and the
// modelled disk. The simulator and the checkers' own tests both go through these functions.
import type { Epoch, Offset } from '../../base/ids.ts';
import type { Batch, OpId, QuorumState, RaftRequest, RaftResponse, ReplicaKey } from '../../raft/types.ts';
import type { RaftChecker, RolePoint } from './checker.ts';
import type { DiskOp } from './disk.ts';
import { entriesFor, issue, newDisk, rewindToSynced, syncOldest } from './disk.ts';
import type { Ghost, NodeView } from './ghost.ts';
import { batchKey } from './ghost.ts';
import type { LogEntry } from './log-entry.ts';
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
  node.committedBatches = 0;
  node.appliedEndOffset = 0;
  node.claimEpoch = -1;
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
  const entries = entriesFor(node.disk, batches);
  const known = observer.ghost.batches;
  const created = entries.filter((entry) => !known.has(batchKey(entry)));
  for (const checker of observer.checkers.appended) checker.appended?.(observer.ghost, node, entries, created);
  for (const entry of created) known.set(batchKey(entry), entry.chain);
  issue(node.disk, { kind: 'append', op, entries });
  return created;
}

export function observeTruncate(observer: Observer, node: NodeView, op: OpId, endOffset: Offset): void {
  checkOpOrder(node, op);
  for (const checker of observer.checkers.truncated) checker.truncated?.(observer.ghost, node, endOffset);
  issue(node.disk, { kind: 'truncate', op, endOffset });
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

export function observeCommit(
  observer: Observer,
  node: NodeView,
  highWatermark: Offset,
  batches: readonly Batch[],
): void {
  const ghost = observer.ghost;
  for (const checker of observer.checkers.committed) checker.committed?.(ghost, node, highWatermark, batches);
  node.highWatermark = highWatermark;
  node.committedBatches += batches.length;
  while (ghost.committed.length < node.committedBatches) {
    ghost.committed.push(node.disk.written[ghost.committed.length] as LogEntry);
    ghost.commitEpochs.push(node.epoch);
  }
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
