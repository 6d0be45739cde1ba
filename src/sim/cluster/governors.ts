// Administrators of the replicated topics: create, delete and grow them, change what elections go by, elect leaders. Most commands
// have a name, and are repeated until they are answered and then on purpose, at whatever controller (S-M10).
import { sleep } from '../../env/clock.ts';
import type { Env } from '../../env/env.ts';
import type { RpcClient } from '../../env/network.ts';
import { RpcError } from '../../env/network.ts';
import { randomUuid } from '../../env/random.ts';
import type { CommandId, ElectLeadersRequest } from '../../gen/kvorum/v1/admin.ts';
import { AdminServiceDefinition as Admin, ConfigOperation, ElectionType } from '../../gen/kvorum/v1/admin.ts';
import { ConfigScope } from '../../gen/kvorum/v1/metadata.ts';
import type { ClientLog, Stop } from './client-log.ts';
import { shapeOf } from './clients.ts';
import type { SimCluster } from './cluster.ts';
import { CONTROLLER_PORT } from './cluster.ts';
import type { Workload } from './scenario.ts';
import { must } from './violated.ts';

/** The topic that stays, and how the names of those begin that are deleted and made again. */
export const GOVERNED = 'governed-1';
export const FLEETING = 'fleeting-';

/** Governed topics grow to so many partitions. */
const MAX_PARTITIONS = 4;
const TIMEOUT_MS = 2000;
/** How often a command is sent before it is given up. */
const MAX_ATTEMPTS = 6;

interface Answer {
  readonly metadataEndOffset: number;
}

/** Sends one command, with this name if it has one. */
type Send = (client: RpcClient, command: CommandId | undefined) => Promise<Answer>;

/** An election has no name: asked for again it is another one (C-9.1a). */
interface Command {
  readonly send: Send;
  readonly canBeNamed: boolean;
}

interface Governor {
  readonly cluster: SimCluster;
  readonly workload: Workload;
  readonly log: ClientLog;
  readonly draw: (what: string, bound: number) => number;
}

/** Administrates until it is asked to stop. */
export async function govern(
  cluster: SimCluster,
  env: Env,
  workload: Workload,
  log: ClientLog,
  stop: Stop,
): Promise<void> {
  const clients = cluster.controllers.map(({ process }) =>
    env.network.client({ host: process.name, port: CONTROLLER_PORT }),
  );
  const draw = (what: string, bound: number): number => env.random.below(`governor.${what}`, bound);
  const governor = { cluster, workload, log, draw };
  const clientId = randomUuid(env.random, 'governor.id');
  for (let sequence = 1; !stop.producing; sequence++) {
    await sleep(env.clock, draw('pause', 2 * workload.governEveryMs + 1));
    const { send, canBeNamed } = nextCommand(governor);
    const isNamed = canBeNamed && draw('named', 4) > 0;
    await carryOut(governor, env, clients, send, isNamed ? { clientId, sequence } : undefined);
  }
  for (const client of clients) client.close();
}

/** Until it is answered; a command with a name also again afterwards. */
async function carryOut(
  { cluster, draw }: Governor,
  env: Env,
  clients: readonly RpcClient[],
  send: Send,
  command: CommandId | undefined,
): Promise<void> {
  const { commands } = cluster.ghost.metadata;
  let at = draw('first', clients.length);
  for (let left = command === undefined ? 1 : MAX_ATTEMPTS; left > 0; left--) {
    try {
      const answer = await send(clients[at] as RpcClient, command);
      if (command === undefined) return;
      cluster.ghost.count('named command answered');
      const told = JSON.stringify({ ...answer, metadataEndOffset: 0 });
      must(commands.answered(command.clientId, command.sequence, told));
      if (draw('again', 2) === 0) return;
      cluster.ghost.count('named command repeated');
    } catch (error) {
      if (!(error instanceof RpcError)) throw error;
      cluster.ghost.count(`governor ${error.status}`);
      if (error.status === 'UNIMPLEMENTED' || error.status === 'INVALID_ARGUMENT') return;
    }
    at = draw('controller', clients.length);
    await sleep(env.clock, draw('retry', 300));
  }
}

function nextCommand(governor: Governor): Command {
  const { draw, workload } = governor;
  const number = 1 + draw('topic', workload.governedTopics);
  const topic = number === 1 ? GOVERNED : `${FLEETING}${number}`;
  const what = draw('what', 20);
  if (what < 5) return { send: create(governor, topic), canBeNamed: true };
  if (what < 6 && topic !== GOVERNED) return { send: remove(governor, topic), canBeNamed: true };
  if (what < 8) return { send: grow(governor, topic, 2 + draw('grow', MAX_PARTITIONS - 1)), canBeNamed: true };
  if (what < 13) return { send: configure(governor, topic), canBeNamed: true };
  return { send: elect(governor, topic), canBeNamed: false };
}

function create({ cluster, draw, log }: Governor, name: string): Send {
  const { replicationFactor, configs } = shapeOf(cluster.scenario.config, name);
  const partitions = 1 + draw('partitions', 3);
  const topics = [{ name, partitions, replicationFactor, configs, assignments: [] }];
  return async (client, command) => {
    const request = { topics, validateOnly: false, forwarded: true, command };
    const answer = await client.call(Admin, Admin.methods.createTopics, request, TIMEOUT_MS);
    if (name !== GOVERNED && answer.topics[0]?.error === undefined) log.fleeting.set(name, partitions);
    return answer;
  };
}

function remove({ log }: Governor, name: string): Send {
  const topics = [{ name, topicId: '' }];
  return (client, command) => {
    const request = { topics, validateOnly: false, forwarded: true, command };
    log.fleeting.delete(name);
    return client.call(Admin, Admin.methods.deleteTopics, request, TIMEOUT_MS);
  };
}

function grow({ log }: Governor, topic: string, totalCount: number): Send {
  const topics = [{ topic, totalCount, assignments: [] }];
  return async (client, command) => {
    const request = { topics, validateOnly: false, forwarded: true, command };
    const answer = await client.call(Admin, Admin.methods.createPartitions, request, TIMEOUT_MS);
    const written = log.topics.has(topic) ? log.topics : log.fleeting;
    const isDone = answer.topics[0]?.error === undefined && (written.get(topic) ?? totalCount) < totalCount;
    if (isDone) written.set(topic, totalCount);
    return answer;
  };
}

/** C-10: of one topic or of all. */
function configure({ draw, workload }: Governor, topic: string): Send {
  const isFlip = workload.uncleanElections && draw('flip', 2) === 0;
  const key = isFlip ? 'unclean.leader.election.enable' : 'min.insync.replicas';
  const isReset = draw('reset', 4) === 0;
  const value = isFlip ? String(draw('enable', 4) > 0) : String(1 + draw('min isr', 3));
  const operation = isReset ? ConfigOperation.RESET : ConfigOperation.SET;
  const resource =
    draw('of all', 4) === 0 ? { scope: ConfigScope.BROKER, name: '' } : { scope: ConfigScope.TOPIC, name: topic };
  const resources = [{ resource, alterations: [{ key, operation, value: isReset ? '' : value }] }];
  return (client, command) => {
    const request = { resources, validateOnly: false, forwarded: true, command };
    return client.call(Admin, Admin.methods.alterConfigs, request, TIMEOUT_MS);
  };
}

function elect({ cluster, draw, workload }: Governor, topic: string): Send {
  const isUnclean = workload.uncleanElections && draw('unclean', 2) === 0;
  const all = Array.from({ length: MAX_PARTITIONS }, (_, partition) => ({ topic, partition }));
  if (isUnclean) for (const each of all) cluster.ghost.metadata.uncleanElectionAsked(each.topic, each.partition);
  const request: ElectLeadersRequest = {
    type: isUnclean ? ElectionType.UNCLEAN : ElectionType.PREFERRED,
    partitions: isUnclean || draw('of topic', 2) === 0 ? all : [],
    validateOnly: false,
    forwarded: true,
  };
  return async (client) => {
    const answer = await client.call(Admin, Admin.methods.electLeaders, request, TIMEOUT_MS);
    for (const { error } of answer.partitions) cluster.ghost.count(`ElectLeaders ${error?.name ?? 'done'}`);
    return answer;
  };
}
