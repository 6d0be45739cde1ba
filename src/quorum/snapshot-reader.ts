// Reading a snapshot: what those who load, serve or print one are given.
import type { Snapshot } from '../raft/types.ts';

export interface SnapshotReader {
  readonly snapshot: Snapshot;
  /** The state machine's records in order, verified chunk by chunk, with a pause between chunks. EnvError CORRUPT, IO. Once. */
  chunks(): AsyncIterable<readonly Uint8Array[]>;
  /** Lets go of the file. */
  close(): Promise<void>;
}
