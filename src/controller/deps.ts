// What the controller needs from the rest of the node, and what its services need from it.
import type { Ms, NodeId } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';
import type { NodeConfig } from '../config/node-config.ts';
import type { Env } from '../env/env.ts';
import type { RpcContext, RpcError } from '../env/network.ts';
import type { MetadataPublisher } from '../metadata/publisher.ts';
import type { QuorumAdmin } from '../quorum/admin.ts';
import type { Quorum } from '../quorum/quorum.ts';
import type { Claim } from './claim.ts';
import type { Decided } from './decide/decision.ts';
import type { Forwarder } from './forwarder.ts';

export interface ControllerDeps {
  readonly env: Pick<Env, 'clock' | 'random' | 'logger'>;
  /** `voters` are shown by DescribeCluster. */
  readonly config: Pick<NodeConfig, 'nodeId' | 'voters' | 'values'>;
  readonly clusterId: Uuid;
  readonly quorum: Pick<Quorum, 'append' | 'describe' | 'isCongested'>;
  /** The node's committed image; the controller's state machine feeds it. */
  readonly publisher: MetadataPublisher;
  /** How AdminService reaches the active controller when that is another. */
  readonly controllers: Forwarder;
  /** What AdminService answers about the quorum. */
  readonly quorumAdmin: QuorumAdmin;
  /** The node must stop. */
  readonly fatal: (reason: string, cause?: unknown) => void;
}

/** How services get commands carried out. */
export interface CommandRunner {
  /** Whether this node is the active controller. */
  readonly isActive: boolean;
  /** The leader of the quorum as this node knows it, -1 if it knows none. */
  readonly leaderId: NodeId;
  /** What a caller is told who should have called another: FAILED_PRECONDITION. Nothing was done. */
  notActive(): RpcError;
  /**
   * Runs a command: `decide` is called at once. RpcError FAILED_PRECONDITION if this node is not the active controller; UNAVAILABLE
   * if it cannot commit for want of a majority, or stopped being the active controller before the commit: the message says
   * whether nothing was done or nobody knows.
   */
  execute<T>(context: RpcContext, decide: (claim: Claim, now: Ms) => Decided<T>, options?: ExecuteOptions): Promise<T>;
}

export interface ExecuteOptions {
  /** Called when the records are appended (not when the command is refused). */
  readonly decided?: (claim: Claim, now: Ms) => void;
  /** The caller's life sign counts although nothing can be committed now (C-3.5): it is decided on in any case. */
  readonly isLifeSign?: boolean;
}
