// AddVoter and RemoveVoter at the leader: what the operator named is looked at first, then the core is asked.
// A refusal is an answer with a code, since the caller must do something about it.
import type { Uuid } from '../base/uuid.ts';
import { isUuid } from '../base/uuid.ts';
import { RpcError } from '../env/network.ts';
import { invalidArgument, undone } from '../env/rpc-failures.ts';
import type { AddVoterRequest, ChangeVotersResponse, QuorumVoter, RemoveVoterRequest } from '../gen/kvorum/v1/admin.ts';
import { VoterChangeError } from '../gen/kvorum/v1/admin.ts';
import type { IdentifyResponse } from '../gen/kvorum/v1/raft.ts';
import type { VoterChangeError as CoreError, QuorumDescription, VoterChange } from '../raft/types.ts';
import { voterMessage } from './admin-messages.ts';
import { VoterChangeRefused, VoterChangeUnknown } from './voter-changes.ts';

/** The quorum, as far as a change of its voters needs it. */
export interface ChangedQuorum {
  describe(): QuorumDescription;
  changeVoters(change: VoterChange): Promise<{ offset: number }>;
}

export interface VoterAdminDeps {
  readonly clusterId: Uuid;
  readonly quorum: ChangedQuorum;
  /** DiscoveryService.Identify of the controller at `host:port`. RpcError. */
  readonly identify: (endpoint: string) => Promise<IdentifyResponse>;
}

const CODES: Readonly<Record<Exclude<CoreError, 'NOT_LEADER'>, VoterChangeError>> = {
  NOT_READY: VoterChangeError.NOT_READY,
  DUPLICATE_VOTER: VoterChangeError.DUPLICATE_VOTER,
  VOTER_NOT_FOUND: VoterChangeError.VOTER_NOT_FOUND,
  NOT_CAUGHT_UP: VoterChangeError.NOT_CAUGHT_UP,
  QUORUM_AT_RISK: VoterChangeError.QUORUM_AT_RISK,
};

/** What to do about it, behind what the core says. */
const WAYS_OUT: Readonly<Record<Exclude<CoreError, 'NOT_LEADER'>, string>> = {
  NOT_READY: 'try again in a moment',
  DUPLICATE_VOTER: 'see kvorum quorum describe',
  VOTER_NOT_FOUND: 'see kvorum quorum describe',
  NOT_CAUGHT_UP:
    'see that it runs, wait until kvorum quorum describe shows it as an observer without lag, then try again',
  QUORUM_AT_RISK: 'start the other controllers first',
};

/** RpcError INVALID_ARGUMENT for an address that is none; FAILED_PRECONDITION if this node does not lead. */
export async function addVoter(deps: VoterAdminDeps, { controller }: AddVoterRequest): Promise<ChangeVotersResponse> {
  const found = await findController(deps, controller);
  if ('failure' in found) return failed(deps, found.failure, undefined);
  const { nodeId, directoryId, endpoint } = found;
  if (votersOf(deps).some((voter) => voter.nodeId === nodeId && voter.directoryId === directoryId)) {
    const message = `node ${nodeId} with directory ${directoryId} is a voter already`;
    return failed(deps, { error: VoterChangeError.DUPLICATE_VOTER, message }, found);
  }
  return change(deps, { type: 'add', voter: { id: nodeId, directoryId, endpoint } }, found);
}

/** RpcError INVALID_ARGUMENT for ids that are none; FAILED_PRECONDITION if this node does not lead. */
export function removeVoter(
  deps: VoterAdminDeps,
  { nodeId, directoryId }: RemoveVoterRequest,
): Promise<ChangeVotersResponse> {
  if (directoryId !== '' && !isUuid(directoryId)) {
    throw invalidArgument('directory_id', `directory_id '${directoryId}' is not an id of 22 base64url characters`);
  }
  const { voters } = deps.quorum.describe();
  const voter = voters.find(
    ({ replica }) => replica.id === nodeId && (directoryId === '' || replica.directoryId === directoryId),
  );
  if (voter === undefined) {
    const known = voters.map(({ replica }) => `${replica.id}@${replica.directoryId}`).join(', ');
    const asked = directoryId === '' ? `node ${nodeId}` : `${nodeId}@${directoryId}`;
    const message = `${asked} is not a voter: the voters are ${known}`;
    return Promise.resolve(failed(deps, { error: VoterChangeError.VOTER_NOT_FOUND, message }, undefined));
  }
  const { replica, endpoint } = voter;
  return change(deps, { type: 'remove', replica }, voterMessage({ ...replica, endpoint }));
}

type Failure = { readonly error: VoterChangeError; readonly message: string };

/** Who is at that address, and that everybody finds it where it says that it is. */
async function findController(deps: VoterAdminDeps, at: string): Promise<QuorumVoter | { failure: Failure }> {
  const first = await identified(deps, at);
  if ('failure' in first) return first;
  const { nodeId, directoryId, endpoint } = first;
  if (endpoint === at) return first;
  const advertised = await identified(deps, endpoint);
  const same = !('failure' in advertised) && advertised.nodeId === nodeId && advertised.directoryId === directoryId;
  if (same) return first;
  const why = 'failure' in advertised ? advertised.failure.message : `node ${advertised.nodeId} is there`;
  const message = `node ${nodeId} at ${at} advertises ${endpoint}, where it is not found (${why}): correct advertised.listeners of node ${nodeId} and restart it`;
  return { failure: { error: VoterChangeError.WRONG_ENDPOINT, message } };
}

async function identified(deps: VoterAdminDeps, at: string): Promise<QuorumVoter | { failure: Failure }> {
  let answer: IdentifyResponse;
  try {
    answer = await deps.identify(at);
  } catch (error) {
    if (!(error instanceof RpcError) || error.status === 'INVALID_ARGUMENT') throw error;
    const message = `the leader got no answer from a controller at ${at} (${error.message}): start the controller, or correct the address`;
    return { failure: { error: VoterChangeError.UNREACHABLE, message } };
  }
  const { clusterId, replica, endpoint } = answer;
  if (clusterId !== deps.clusterId) {
    const message = `the controller at ${at} is of cluster ${clusterId}, this is cluster ${deps.clusterId}: format its folders anew with this cluster id, or correct the address`;
    return { failure: { error: VoterChangeError.WRONG_CLUSTER, message } };
  }
  if (replica === undefined) {
    const message = `what answers at ${at} does not say which controller it is`;
    return { failure: { error: VoterChangeError.UNREACHABLE, message } };
  }
  return { nodeId: replica.id, directoryId: replica.directoryId, endpoint: endpoint === '' ? at : endpoint };
}

async function change(deps: VoterAdminDeps, asked: VoterChange, voter: QuorumVoter): Promise<ChangeVotersResponse> {
  try {
    const { offset } = await deps.quorum.changeVoters(asked);
    return { failure: undefined, voter, offset, voters: votersOf(deps) };
  } catch (error) {
    if (error instanceof VoterChangeUnknown) {
      return failed(deps, { error: VoterChangeError.OUTCOME_UNKNOWN, message: error.message }, voter);
    }
    if (!(error instanceof VoterChangeRefused)) throw error;
    // The caller, or the node that passes the call on, looks for the leader.
    if (error.code === 'NOT_LEADER') throw undone('FAILED_PRECONDITION', 'NOT_CONTROLLER', error.message);
    const message = `${error.message}; ${WAYS_OUT[error.code]}`;
    return failed(deps, { error: CODES[error.code], message }, voter);
  }
}

function failed(deps: VoterAdminDeps, failure: Failure, voter: QuorumVoter | undefined): ChangeVotersResponse {
  return { failure, voter, offset: -1, voters: votersOf(deps) };
}

function votersOf({ quorum }: VoterAdminDeps): QuorumVoter[] {
  const voters = quorum.describe().voters.map(({ replica, endpoint }) => voterMessage({ ...replica, endpoint }));
  return voters.sort((a, b) => a.nodeId - b.nodeId);
}
