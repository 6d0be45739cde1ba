// What a checker of one property may look at. Each hook runs at its event, before the ghost state takes the event in,
// and throws a Violation. A checker keeps its own state where the ghost has none, so one instance serves one run.
import type { Epoch, Offset } from '../../base/ids.ts';
import type { Batch, QuorumState, RaftRequest, RaftResponse, RoleName } from '../../raft/types.ts';
import type { DiskOp, SnapshotFile } from './disk.ts';
import type { Ghost, NodeView } from './ghost.ts';
import type { LogEntry } from './log-entry.ts';

export interface RolePoint {
  readonly role: RoleName;
  readonly epoch: Epoch;
  readonly leaderId: number;
}

export interface RaftChecker {
  /** The process is up with what its disk held; its first `role` follows. */
  started?(ghost: Ghost, node: NodeView): void;
  /** `node` still shows the role before. */
  roleChanged?(ghost: Ghost, node: NodeView, to: RolePoint): void;
  stateWritten?(ghost: Ghost, node: NodeView, state: QuorumState): void;
  /** `created`: entries no log had before. */
  appended?(ghost: Ghost, node: NodeView, entries: readonly LogEntry[], created: readonly LogEntry[]): void;
  truncated?(ghost: Ghost, node: NodeView, endOffset: Offset): void;
  /** The catalogue becomes `files`, the log begins at the end of the first; with `clearLog` nothing else is left of it. */
  catalogued?(ghost: Ghost, node: NodeView, files: readonly SnapshotFile[], clearLog: boolean): void;
  /** The state machine starts over from this snapshot. */
  loaded?(ghost: Ghost, node: NodeView, file: SnapshotFile): void;
  /** `op` has just become durable (the disk already shows it). */
  synced?(ghost: Ghost, node: NodeView, op: DiskOp): void;
  /** A message leaves the process. `request` is what a response answers. */
  released?(ghost: Ghost, node: NodeView, message: RaftRequest | RaftResponse, request: RaftRequest | undefined): void;
  /** The core emitted a message that waits for `after`, or for nothing. */
  emitted?(ghost: Ghost, node: NodeView, message: RaftRequest | RaftResponse, after: number | undefined): void;
  /** The high watermark of `node` rises to `highWatermark` by these batches. */
  committed?(ghost: Ghost, node: NodeView, highWatermark: Offset, batches: readonly Batch[]): void;
  claimed?(ghost: Ghost, node: NodeView, epoch: Epoch): void;
  renounced?(ghost: Ghost, node: NodeView, epoch: Epoch): void;
  crashed?(ghost: Ghost, node: NodeView): void;
}
