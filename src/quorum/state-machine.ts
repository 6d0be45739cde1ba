// What is built on the metadata log: the contract between the quorum and the state machine above it.
import type { Epoch, NodeId, Offset } from '../base/ids.ts';
import type { SnapshotId } from '../raft/types.ts';

/** A committed batch as the state machine gets it. Control batches come with no records, to move the offset. */
export interface CommittedBatch {
  readonly baseOffset: Offset;
  readonly endOffset: Offset;
  readonly epoch: Epoch;
  readonly records: readonly Uint8Array[];
}

/** All calls are in log order; a throw, or a load that rejects, stops the node. */
export interface StateMachine {
  /** Synchronous: when it returns, the batch is part of what {@link snapshot} gives. */
  apply(batch: CommittedBatch): void;
  /**
   * Replaces all state by that of a snapshot: everything below `snapshot.endOffset`, which may be above or (at a first start) equal
   * to what was applied. Resolves when the new state is published; nothing is applied, claimed or loaded meanwhile. The chunks are
   * verified while they are read: a damaged one makes the iteration throw, which `load` must not catch. It should let
   * the event loop breathe between chunks, as reading them does.
   */
  load(snapshot: SnapshotId, chunks: AsyncIterable<readonly Uint8Array[]>): Promise<void>;
  /**
   * The records of the state as of the last applied batch, from an immutable image: read lazily, in slices, while batches are
   * applied. Loading them gives this state again. Cheap to call; the cost is in the iteration.
   */
  snapshot(): Iterable<Uint8Array>;
  /** This node leads `epoch` and has applied everything before it: it may append. */
  claim(epoch: Epoch): void;
  /** The claim of `epoch` is over. */
  renounce(epoch: Epoch): void;
  /** Another leader (-1: none known) or epoch. */
  leaderChanged(leaderId: NodeId, epoch: Epoch): void;
}
