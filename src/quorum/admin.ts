// The part of AdminService that is about the quorum: the same on controllers and brokers, whether they lead it or not. What only
// the leader can do is passed on to it, once.
import type { Ms, NodeId } from '../base/ids.ts';
import { NO_NODE } from '../base/ids.ts';
import type { Clock } from '../env/clock.ts';
import type { RpcContext, RpcHandlers, RpcMethod } from '../env/network.ts';
import { RpcError } from '../env/network.ts';
import { undone } from '../env/rpc-failures.ts';
import type { AdminServiceDefinition, ChangeVotersResponse, DescribeQuorumResponse } from '../gen/kvorum/v1/admin.ts';
import { AdminServiceDefinition as Admin, VoterChangeError } from '../gen/kvorum/v1/admin.ts';
import { describeQuorumResponse } from './admin-messages.ts';
import type { ChangedQuorum, VoterAdminDeps } from './admin-voters.ts';
import { addVoter, removeVoter } from './admin-voters.ts';
import type { WatchedQuorum } from './admin-watch.ts';
import { watchMetadata } from './admin-watch.ts';

export type QuorumAdmin = Pick<
  RpcHandlers<AdminServiceDefinition>,
  'describeQuorum' | 'addVoter' | 'removeVoter' | 'watchMetadata'
>;

export interface QuorumAdminDeps extends VoterAdminDeps {
  readonly nodeId: NodeId;
  readonly clock: Clock;
  readonly quorum: ChangedQuorum & WatchedQuorum;
  /** Calls AdminService of the leader, wherever it is. RpcError. `repeatable` false: not again if it may have been carried out. */
  readonly callLeader: <Request, Response>(
    method: RpcMethod<Request, Response>,
    request: Request,
    timeoutMs: Ms,
    repeatable: boolean,
  ) => Promise<Response>;
  /** The longest that a call is passed on for. */
  readonly requestTimeoutMs: Ms;
}

/** How long the leader is looked for before a node describes the quorum itself: where it knows one, and where it does not. */
const DESCRIBE_WAIT_MS: Ms = 3000;
const DESCRIBE_WITHOUT_LEADER_MS: Ms = 700;

export function quorumAdmin(deps: QuorumAdminDeps): QuorumAdmin {
  const { quorum, clock, nodeId, callLeader, requestTimeoutMs } = deps;
  const leads = (): boolean => quorum.describe().role === 'leader';
  const waitMs = ({ remainingMs }: RpcContext, limitMs: Ms): Ms => Math.min(remainingMs, limitMs);

  async function describeQuorum({ forwarded }: { forwarded: boolean }, context: RpcContext) {
    if (leads()) return describeQuorumResponse(quorum.describe(), { nodeId, now: clock.now() });
    if (forwarded) throw notLeader(deps);
    const limitMs = quorum.describe().leaderId === NO_NODE ? DESCRIBE_WITHOUT_LEADER_MS : DESCRIBE_WAIT_MS;
    try {
      return await callLeader(Admin.methods.describeQuorum, { forwarded: true }, waitMs(context, limitMs), true);
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      return ownView(error.message);
    }
  }

  function ownView(noLeaderReason: string): DescribeQuorumResponse {
    return describeQuorumResponse(quorum.describe(), { nodeId, now: clock.now(), noLeaderReason });
  }

  async function change<Request extends { forwarded: boolean }>(
    method: RpcMethod<Request, ChangeVotersResponse>,
    request: Request,
    context: RpcContext,
    carryOut: (deps: VoterAdminDeps, request: Request) => Promise<ChangeVotersResponse>,
  ): Promise<ChangeVotersResponse> {
    if (leads()) return carryOut(deps, request);
    if (request.forwarded) throw notLeader(deps);
    try {
      return await callLeader(method, { ...request, forwarded: true }, waitMs(context, requestTimeoutMs), false);
    } catch (error) {
      if (!(error instanceof RpcError) || !mayBeUnderWay(error)) throw error;
      return outcomeUnknown(error);
    }
  }

  return {
    describeQuorum,
    addVoter: (request, context) => change(Admin.methods.addVoter, request, context, addVoter),
    removeVoter: (request, context) => change(Admin.methods.removeVoter, request, context, removeVoter),
    watchMetadata: (request, context) => watchMetadata(quorum, clock, request, context),
  };
}

/** The leader may have got the call, and did not answer it. */
function mayBeUnderWay({ status, transport }: RpcError): boolean {
  return (status === 'UNAVAILABLE' || status === 'DEADLINE_EXCEEDED') && transport !== 'refused';
}

function outcomeUnknown(error: RpcError): ChangeVotersResponse {
  const message = `the leader did not answer (${error.message}); whether the change took effect is not known: describe the quorum, then decide`;
  return {
    failure: { error: VoterChangeError.OUTCOME_UNKNOWN, message },
    voter: undefined,
    offset: -1,
    voters: [],
  };
}

/** FAILED_PRECONDITION: whoever called looks further. */
function notLeader({ quorum, nodeId }: QuorumAdminDeps): RpcError {
  const { leaderId } = quorum.describe();
  const known = leaderId === NO_NODE ? 'no leader is known' : `the leader is node ${leaderId}`;
  const message = `node ${nodeId} does not lead the quorum: ${known}`;
  return undone('FAILED_PRECONDITION', 'NOT_CONTROLLER', message, leaderId);
}
