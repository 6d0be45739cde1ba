// What a quorum is opened with.
import type { NodeId } from '../base/ids.ts';
import type { Address } from '../env/network.ts';
import type { RaftConfig, Voter } from '../raft/types.ts';
import type { CoreTrace } from './core-trace.ts';
import type { SnapshotPolicy } from './snapshot-taker.ts';

export interface QuorumOptions {
  /** metadata.log.dir, formatted: with a durable-end note. */
  readonly directory: string;
  readonly raft: Omit<RaftConfig, 'voterIds' | 'endpoints'>;
  /** Where others reach this node's controller listener, as host:port; '' for a mere broker. */
  readonly endpoint: string;
  readonly snapshots: SnapshotPolicy;
  /**
   * Finds the configured voters and where they listen: all of them while the own log is empty, as nothing else says who they are
   * (R-0.3a), else those known now; of the others `setPeer` tells later. Where the log says where the voters listen, a node does
   * not wait for it for long.
   */
  findVoters(logIsEmpty: boolean): Promise<ReadonlyMap<NodeId, Address>>;
  /** The voter set in force is now this one, committed or not. */
  votersChanged?(voters: readonly Voter[]): void;
  /** The node must stop: said once, after the farewell of a leader. `reason` says what to do as well. */
  fatal(reason: string, cause?: unknown): void;
  /** Hears what goes into the core and comes out. */
  readonly trace?: CoreTrace | undefined;
}
