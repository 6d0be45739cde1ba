// Clients that create, delete and describe the same few topics at controllers, and what they were told: the history for S-M9.
// Each call goes to one controller and is not repeated, so that what is not answered is truly unknown.
import type { Ms, NodeId } from '../../base/ids.ts';
import type { TopicAction, TopicOperation } from '../../check/topic-operations.ts';
import { sleep } from '../../env/clock.ts';
import type { Env } from '../../env/env.ts';
import type { RpcClient } from '../../env/network.ts';
import { RpcError } from '../../env/network.ts';
import { AdminServiceDefinition as Admin } from '../../gen/kvorum/v1/admin.ts';
import type { Stop, TopicCall } from './client-log.ts';
import type { SimCluster } from './cluster.ts';
import { CONTROLLER_PORT } from './cluster.ts';
import type { Workload } from './scenario.ts';

/** Names that belong to registrars, and to nobody else. */
export const CONTESTED = 'contested-';

type Request = 'create' | 'delete' | 'describe';

const REQUESTS: readonly Request[] = ['create', 'create', 'delete', 'describe', 'describe'];

/** What was answered to a call: `nothing` was done or learned, or it is `unknown` whether anything was. */
type Told = TopicAction | 'nothing' | 'unknown';

/** Calls controllers until it is asked to stop. */
export async function register(
  cluster: SimCluster,
  env: Env,
  workload: Workload,
  calls: TopicCall[],
  stop: Stop,
): Promise<void> {
  const controllers = cluster.controllers.map(({ id, process }) => {
    return { id, client: env.network.client({ host: process.name, port: CONTROLLER_PORT }) };
  });
  const draw = (what: string, bound: number): number => env.random.below(`registrar.${what}`, bound);
  let at = 0;
  while (!stop.producing) {
    await sleep(env.clock, draw('pause', 2 * workload.registerEveryMs + 1));
    const topic = `${CONTESTED}${1 + draw('topic', workload.contestedTopics)}`;
    const request = REQUESTS[draw('request', REQUESTS.length)] ?? 'describe';
    const { id, client } = controllers[at] as (typeof controllers)[number];
    const call = newCall(topic, request, cluster.world.nowMs);
    calls.push(call);
    const told = await ask(client, request, topic, workload.requestTimeoutMs);
    note(cluster, id, call, request, told);
    if (told === 'nothing' || told === 'unknown' || draw('other', 20) === 0)
      at = draw('controller', controllers.length);
  }
  for (const { client } of controllers) client.close();
}

/** Creates a topic that belongs to registrars, at this controller. */
export function createContested(client: RpcClient, name: string, timeoutMs: Ms): Promise<Told> {
  return ask(client, 'create', `${CONTESTED}${name}`, timeoutMs);
}

/** The calls that say something. */
export function operationsOf(calls: readonly TopicCall[]): TopicOperation[] {
  return calls.flatMap(({ action, ...call }) => (action === undefined ? [] : [{ ...call, action }]));
}

function newCall(topic: string, request: Request, invokedAtMs: Ms): TopicCall {
  const actions = {
    create: { type: 'created', topicId: undefined },
    delete: { type: 'deleted', topicId: undefined },
    describe: undefined,
  } as const;
  return { topic, invokedAtMs, answeredAtMs: Number.POSITIVE_INFINITY, action: actions[request] };
}

function note(cluster: SimCluster, nodeId: NodeId, call: TopicCall, request: Request, told: Told): void {
  if (told === 'unknown') return;
  call.action = told === 'nothing' ? undefined : told;
  call.answeredAtMs = cluster.world.nowMs;
  if (told === 'nothing' || told.type === 'created' || told.type === 'deleted') return;
  // What was read was the committed state of a controller. Any of them describes what it has; what the active one has is all
  // that was committed before another was elected.
  const { reigns } = cluster.ghost;
  const reign = reigns.during(nodeId, call.invokedAtMs, call.answeredAtMs);
  const isWhole = reign !== undefined && reign.fromMs <= call.invokedAtMs && reign.toMs >= call.answeredAtMs;
  if (reign === undefined || (request === 'describe' && !isWhole)) call.action = undefined;
  else call.invokedAtMs = Math.min(call.invokedAtMs, reigns.replacedAt(reign.epoch));
}

async function ask(client: RpcClient, request: Request, topic: string, timeoutMs: Ms): Promise<Told> {
  const { createTopics, deleteTopics, describeTopics } = Admin.methods;
  const topics = [{ name: topic, topicId: '' }];
  try {
    switch (request) {
      case 'create': {
        const wanted = { name: topic, partitions: 1, replicationFactor: 1, configs: {}, assignments: [] };
        const message = { topics: [wanted], validateOnly: false, forwarded: true };
        const [answer] = (await client.call(Admin, createTopics, message, timeoutMs)).topics;
        return toldOf('created', answer);
      }
      case 'delete': {
        const [answer] = (
          await client.call(Admin, deleteTopics, { topics, validateOnly: false, forwarded: true }, timeoutMs)
        ).topics;
        return toldOf('deleted', answer);
      }
      case 'describe': {
        const [answer] = (await client.call(Admin, describeTopics, { topics }, timeoutMs)).topics;
        return toldOf('present', answer);
      }
    }
  } catch (error) {
    if (!(error instanceof RpcError)) throw error;
    const isSure = error.status === 'FAILED_PRECONDITION' || error.status === 'RESOURCE_EXHAUSTED';
    return isSure || error.transport === 'refused' || request === 'describe' ? 'nothing' : 'unknown';
  }
}

function toldOf(
  type: 'created' | 'deleted' | 'present',
  answer: { readonly topicId: string; readonly error?: { readonly name: string } | undefined } | undefined,
): Told {
  if (answer === undefined) throw new Error('an answer about one topic has one entry');
  switch (answer.error?.name) {
    case undefined:
      return { type, topicId: answer.topicId };
    case 'TOPIC_ALREADY_EXISTS':
      return { type: 'present', topicId: undefined };
    case 'UNKNOWN_TOPIC_OR_PARTITION':
      return { type: 'absent' };
    default:
      // Refused for another reason, such as too few brokers.
      return 'nothing';
  }
}
