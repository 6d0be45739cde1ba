// The operator of a simulated quorum: replaces voters whose disk was lost by the replica that came in their place, and
// where the scenario says so takes voters out and in without need. Uses what the product gives to operators.
import { sleep } from '../../env/clock.ts';
import type { Env } from '../../env/env.ts';
import type { RpcClient } from '../../env/network.ts';
import { RpcError } from '../../env/network.ts';
import type { QuorumReplica } from '../../gen/kvorum/v1/admin.ts';
import { AdminServiceDefinition as Admin } from '../../gen/kvorum/v1/admin.ts';
import { DiscoveryServiceDefinition as Discovery } from '../../gen/kvorum/v1/raft.ts';
import type { Stop, VoterCall } from './client-log.ts';
import type { SimCluster } from './cluster.ts';
import { CONTROLLER_PORT } from './cluster.ts';
import type { Workload } from './scenario.ts';

const ASK_TIMEOUT_MS = 1000;
const CHANGE_TIMEOUT_MS = 5000;

interface Controller {
  readonly endpoint: string;
  readonly client: RpcClient;
}

/** One of the two lists is to be changed like this. */
type Step =
  | { readonly type: 'remove'; readonly replica: QuorumReplica }
  | { readonly type: 'add'; readonly endpoint: string };

/** Looks every now and then until it is asked to stop; with `consuming` off it takes nobody out any more who has not lost a disk. */
export async function operate(
  cluster: SimCluster,
  env: Env,
  workload: Workload,
  calls: VoterCall[],
  stop: Stop,
): Promise<void> {
  const controllers = cluster.controllers.map(({ process }) => ({
    endpoint: `${process.name}:${CONTROLLER_PORT}`,
    client: env.network.client({ host: process.name, port: CONTROLLER_PORT }),
  }));
  const draw = (what: string, bound: number): number => env.random.below(`operator.${what}`, bound);
  while (!stop.producing) {
    await sleep(env.clock, draw('pause', 2 * workload.operateEveryMs + 1));
    const via = controllers[draw('via', controllers.length)] as Controller;
    const voters = await votersAt(via);
    if (voters === undefined) continue;
    const isChurning = workload.voterChurn && !stop.consuming && voters.length > 1 && draw('churn', 3) === 0;
    const step: Step | undefined = isChurning
      ? { type: 'remove', replica: voters[draw('victim', voters.length)] as QuorumReplica }
      : await repairOf(controllers, voters);
    if (step !== undefined) calls.push(await carryOut(via, step));
  }
  for (const { client } of controllers) client.close();
}

/** The voters as the leader sees them; undefined where nobody leads. */
async function votersAt({ client }: Controller): Promise<readonly QuorumReplica[] | undefined> {
  const answer = await answerOf(client.call(Admin, Admin.methods.describeQuorum, { forwarded: false }, ASK_TIMEOUT_MS));
  return answer?.fromLeader === true && answer.voters.every(({ directoryId }) => directoryId !== '')
    ? answer.voters
    : undefined;
}

/** What makes the running controllers the voters: first the dead identities go, then the new ones come. */
async function repairOf(
  controllers: readonly Controller[],
  voters: readonly QuorumReplica[],
): Promise<Step | undefined> {
  let missing: Step | undefined;
  for (const { endpoint, client } of controllers) {
    const self = (await answerOf(client.call(Discovery, Discovery.methods.identify, {}, ASK_TIMEOUT_MS)))?.replica;
    if (self === undefined) continue;
    const voter = voters.find(({ nodeId }) => nodeId === self.id);
    if (voter !== undefined && voter.directoryId !== self.directoryId) return { type: 'remove', replica: voter };
    if (voter === undefined) missing ??= { type: 'add', endpoint };
  }
  return missing;
}

async function carryOut({ client }: Controller, step: Step): Promise<VoterCall> {
  const { addVoter, removeVoter } = Admin.methods;
  const asked =
    step.type === 'add'
      ? client.call(Admin, addVoter, { controller: step.endpoint, forwarded: false }, CHANGE_TIMEOUT_MS)
      : client.call(
          Admin,
          removeVoter,
          { nodeId: step.replica.nodeId, directoryId: step.replica.directoryId, forwarded: false },
          CHANGE_TIMEOUT_MS,
        );
  const answer = await answerOf(asked);
  const outcome = answer === undefined ? 'unknown' : answer.failure === undefined ? 'done' : 'refused';
  return { type: step.type, outcome, reason: answer?.failure?.message ?? '' };
}

/** Undefined where there is none. */
async function answerOf<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof RpcError) return undefined;
    throw error;
  }
}
