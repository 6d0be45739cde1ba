// What the controller needs from the rest of the node, and what its services need from it.
import type { Ms, NodeId } from '../base/ids.ts';
import type { Uuid } from '../base/uuid.ts';
import type { AdminForwarder } from '../client/admin-forwarder.ts';
import type { AdminReads, AdminWrites } from '../client/admin-writes.ts';
import type { NodeConfig } from '../config/node-config.ts';
import type { Env } from '../env/env.ts';
import type { RpcContext, RpcError } from '../env/network.ts';
import type { MetadataRecord } from '../gen/kvorum/v1/metadata.ts';
import type { ControllerLevels } from '../metadata/features.ts';
import type { MetadataPublisher } from '../metadata/publisher.ts';
import type { Quorum } from '../quorum/quorum.ts';
import type { Claim } from './claim.ts';
import type { Decided } from './decide/decision.ts';
import type { Forwarder } from './forwarder.ts';

/** What a controller has of AdminService beside what it decides. */
export interface ControllerAdmin {
  readonly reads: AdminReads;
  readonly forwarder: AdminForwarder;
  /** Has checks of unclean elections say what they may cost. */
  readonly withPossibleLosses: (elect: AdminWrites['electLeaders']) => AdminWrites['electLeaders'];
  /** The levels that the voters can follow, asked now. */
  readonly controllerLevels: () => Promise<readonly ControllerLevels[]>;
}

export interface ControllerDeps {
  readonly env: Pick<Env, 'clock' | 'random' | 'logger'>;
  /** `voters` are shown by DescribeCluster. */
  readonly config: Pick<NodeConfig, 'nodeId' | 'voters' | 'values' | 'setKeys'>;
  readonly clusterId: Uuid;
  readonly quorum: Pick<Quorum, 'append' | 'describe' | 'isCongested' | 'logEndOffset' | 'resign'>;
  /** The node's committed image; the controller's state machine feeds it. */
  readonly publisher: MetadataPublisher;
  /** How AdminService reaches the active controller when that is another. */
  readonly controllers: Forwarder;
  /** What AdminService is on every node, and the way to the active controller. */
  readonly admin: ControllerAdmin;
}

/** How services get commands carried out. */
export interface CommandRunner {
  /** Whether this node is the active controller. */
  readonly isActive: boolean;
  /** The leader of the quorum as this node knows it, -1 if it knows none. */
  readonly leaderId: NodeId;
  /** What a caller is told who should have called another: FAILED_PRECONDITION. Nothing was done. */
  notActive(): RpcError;
  /** The claim, undefined if this node is not the active controller. */
  present(): Claim | undefined;
  /** The connection that this broker held to the claim is no more. */
  connectionBroke(claim: Claim, brokerId: NodeId, connection: object): void;
  /**
   * Runs a command: `decide` is called at once, and again after each wait that it asks for. RpcError FAILED_PRECONDITION if this
   * node is not the active controller; UNAVAILABLE if it cannot commit for want of a majority, or stopped being the active
   * controller before the commit: the message says whether nothing was done or nobody knows; INTERNAL for a bug, which ends the
   * claim (C-0.3).
   */
  execute<T>(
    context: RpcContext,
    decide: (claim: Claim, now: Ms) => Decided<T> | Wait,
    options?: ExecuteOptions,
  ): Promise<T>;
}

/** Nothing can be decided yet: ask again when this has resolved. */
export interface Wait {
  readonly until: Promise<void>;
}

export interface ExecuteOptions {
  /** What the command is called in the log, and by what it is known when it fails by a bug; needed where callers repeat it. */
  readonly operation?: string;
  /** Called when the records, perhaps none, are appended (not when the command is refused). */
  readonly decided?: (claim: Claim, now: Ms, records: readonly MetadataRecord[]) => void;
  /** That the caller lives counts although nothing can be committed now (C-3.5): called first, and decided on in any case. */
  readonly lifeSign?: (claim: Claim, now: Ms) => void;
}
