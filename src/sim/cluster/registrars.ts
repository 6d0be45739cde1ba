// Clients that create, delete and describe the same few topics at controllers, set configs and add partitions, and what they
// were told: the histories for S-M9.
import type { Ms, NodeId } from '../../base/ids.ts';
import type { ObjectOperation } from '../../check/operations.ts';
import type { TopicAction } from '../../check/topic-operations.ts';
import { sleep } from '../../env/clock.ts';
import type { Env } from '../../env/env.ts';
import type { RpcClient } from '../../env/network.ts';
import type { AdminCalls, Call, Stop } from './client-log.ts';
import type { SimCluster } from './cluster.ts';
import { CONTROLLER_PORT } from './cluster.ts';
import type { Attempt, Told } from './registrar-calls.ts';
import {
  alterConfigAttempt,
  countAttempt,
  describeConfigAttempt,
  growAttempt,
  topicAttempt,
} from './registrar-calls.ts';
import type { Workload } from './scenario.ts';

/** Names that belong to registrars, and to nobody else. */
export const CONTESTED = 'contested-';
/** Is there from the beginning, with one partition. */
export const GROWING = `${CONTESTED}count`;
/** Partitions that it grows to at most. */
const GROWN = 12;

const TOPIC_REQUESTS = ['create', 'create', 'delete', 'describe', 'describe'] as const;

interface Registrar {
  readonly cluster: SimCluster;
  readonly calls: AdminCalls;
  readonly timeoutMs: Ms;
  readonly draw: (what: string, bound: number) => number;
}

interface Place {
  readonly id: NodeId;
  readonly client: RpcClient;
}

/** Calls controllers until it is asked to stop. `index`: of the registrar. */
export async function register(
  cluster: SimCluster,
  env: Env,
  workload: Workload,
  calls: AdminCalls,
  stop: Stop,
  index: number,
): Promise<void> {
  const controllers = cluster.controllers.map(({ id, process }): Place => {
    return { id, client: env.network.client({ host: process.name, port: CONTROLLER_PORT }) };
  });
  const draw = (what: string, bound: number): number => env.random.below(`registrar.${what}`, bound);
  const registrar = { cluster, calls, timeoutMs: workload.requestTimeoutMs, draw };
  let at = 0;
  for (let number = 1; !stop.producing; number++) {
    await sleep(env.clock, draw('pause', 2 * workload.registerEveryMs + 1));
    const place = controllers[at] as Place;
    const told = await callOnce(registrar, place, workload, `${number}${index}`);
    if (told === 'nothing' || told === 'unknown' || draw('other', 20) === 0)
      at = draw('controller', controllers.length);
  }
  for (const { client } of controllers) client.close();
}

/** `unique`: digits that nobody else uses. */
function callOnce(
  registrar: Registrar,
  place: Place,
  { contestedTopics }: Workload,
  unique: string,
): Promise<Told<unknown>> {
  const { draw, calls } = registrar;
  const what = draw('what', 10);
  if (what < 6) {
    const topic = `${CONTESTED}${1 + draw('topic', contestedTopics)}`;
    return attempt(registrar, place, calls.topics, topicAttempt(pick(draw('request', 5)), topic));
  }
  if (what < 8) {
    const request = draw('config', 4);
    const ask =
      request < 2 ? describeConfigAttempt(GROWING) : alterConfigAttempt(GROWING, request === 2 ? unique : undefined);
    return attempt(registrar, place, calls.configs, ask);
  }
  const ask = what === 8 ? countAttempt(GROWING) : growAttempt(GROWING, 2 + draw('grow', GROWN - 1));
  return attempt(registrar, place, calls.counts, ask);
}

function pick(index: number): (typeof TOPIC_REQUESTS)[number] {
  return TOPIC_REQUESTS[index] ?? 'describe';
}

async function attempt<Action>(
  { cluster, timeoutMs }: Registrar,
  { id, client }: Place,
  calls: Call<Action>[],
  asked: Attempt<Action>,
): Promise<Told<Action>> {
  const { object, mayHaveDone: action } = asked;
  const call = { object, invokedAtMs: cluster.world.nowMs, answeredAtMs: Number.POSITIVE_INFINITY, action };
  calls.push(call);
  const told = await asked.send(client, timeoutMs);
  note(cluster, id, call, asked, told);
  return told;
}

function note<Action>(
  cluster: SimCluster,
  nodeId: NodeId,
  call: Call<Action>,
  { mayHaveDone, teaches }: Attempt<Action>,
  told: Told<Action>,
): void {
  if (told === 'unknown') return;
  call.action = told === 'nothing' ? undefined : told;
  call.answeredAtMs = cluster.world.nowMs;
  if (told === 'nothing' || !teaches(told)) return;
  // What was read was the committed state of a controller. Any of them describes what it has; what the active one has is all
  // that was committed before another was elected.
  const { reigns } = cluster.ghost;
  const reign = reigns.during(nodeId, call.invokedAtMs, call.answeredAtMs);
  const isWhole = reign !== undefined && reign.fromMs <= call.invokedAtMs && reign.toMs >= call.answeredAtMs;
  if (reign === undefined || (mayHaveDone === undefined && !isWhole)) call.action = undefined;
  else call.invokedAtMs = Math.min(call.invokedAtMs, reigns.replacedAt(reign.epoch));
}

/** Creates a topic that belongs to registrars, at this controller. */
export function createContested(client: RpcClient, name: string, timeoutMs: Ms): Promise<Told<TopicAction>> {
  return topicAttempt('create', `${CONTESTED}${name}`).send(client, timeoutMs);
}

/** The calls that say something. */
export function operationsOf<Action>(calls: readonly Call<Action>[]): ObjectOperation<Action>[] {
  return calls.flatMap(({ action, ...call }) => (action === undefined ? [] : [{ ...call, action }]));
}
