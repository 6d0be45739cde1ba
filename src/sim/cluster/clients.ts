// The clients of a run, each on a process of its own: producers, consumers, an admin. They use the product's own client,
// and note what they did and saw.
import type { Ms, Offset } from '../../base/ids.ts';
import { placeName } from '../../check/history.ts';
import type { TopicCreation } from '../../check/topics.ts';
import type { TopicToCreate } from '../../client/admin.ts';
import { createTopics } from '../../client/admin.ts';
import { ClientError } from '../../client/client-error.ts';
import { ClusterClient } from '../../client/cluster.ts';
import type { ConsumerOptions } from '../../client/consumer.ts';
import { Consumer } from '../../client/consumer.ts';
import { ProduceError } from '../../client/produce-error.ts';
import { Producer } from '../../client/producer.ts';
import { sleep } from '../../env/clock.ts';
import type { Env } from '../../env/env.ts';
import type { Spawned } from '../world/world.ts';
import type { ClientLog, PendingWrite, Stop } from './client-log.ts';
import type { SimCluster } from './cluster.ts';
import { recordText } from './disk-logs.ts';
import type { ClusterConfig, Workload } from './scenario.ts';
import { must } from './violated.ts';

/** Starts `main` on a host of its own, which faults may hit too. */
export function spawnClient<T>(cluster: SimCluster, name: string, main: (env: Env) => Promise<T>): Spawned<T> {
  const spawned = cluster.world.spawn(name, main);
  cluster.clients.push(spawned.process);
  return spawned;
}

export function clusterClient(cluster: SimCluster, env: Env, workload: Workload): ClusterClient {
  const { requestTimeoutMs } = workload;
  return new ClusterClient(env, { bootstrap: cluster.bootstrap, clientId: 'simulated', requestTimeoutMs });
}

/** Sends unique records to random partitions until it is asked to stop, then waits for what is under way. */
export async function produce(
  cluster: SimCluster,
  env: Env,
  name: string,
  workload: Workload,
  log: ClientLog,
  stop: Stop,
): Promise<void> {
  const client = clusterClient(cluster, env, workload);
  const { lingerMs, maxInFlight, deliveryTimeoutMs, requestTimeoutMs } = workload;
  const options = { lingerMs, maxInFlight, deliveryTimeoutMs, requestTimeoutMs };
  const producer = cluster.sender(new Producer(client, options));
  const draw = (what: string, bound: number): number => env.random.below(`workload.${what}`, bound);
  for (let order = 0; !stop.producing; ) {
    await sleep(env.clock, draw('pause', 2 * workload.intervalMs + 1));
    const places = [...log.topics, ...log.fleeting];
    const [topic, partitions] = places[draw('topic', Math.max(1, places.length))] ?? ['', 0];
    if (partitions === 0 || producer.unresolved >= workload.maxUnresolved) continue;
    const partition = draw('partition', partitions);
    for (let left = 1 + draw('records', workload.maxRecords); left > 0; left--) {
      const value = 'x'.repeat(draw('bytes', workload.maxValueBytes + 1));
      const message = { topic, partition, key: Buffer.from(`${name}-${order}`), value: Buffer.from(value) };
      const write: PendingWrite = {
        text: recordText(message.key, message.value),
        producer: name,
        order: order++,
        topic,
        partition,
        invokedAtMs: cluster.world.nowMs,
        outcome: 'unknown',
        offset: -1,
      };
      if (log.topics.has(topic)) log.writes.push(write);
      void settle(write, producer.send(message), () => cluster.world.nowMs);
    }
  }
  await producer.close();
  client.close();
}

async function settle(write: PendingWrite, sent: Promise<{ readonly offset: Offset }>, now: () => Ms): Promise<void> {
  try {
    write.offset = (await sent).offset;
    write.outcome = 'acknowledged';
    write.answeredAtMs = now();
  } catch (error) {
    if (!(error instanceof ProduceError)) throw error;
    write.outcome = error.outcome;
  }
}

/** Reads every partition there is from the beginning on, and goes on where it was when there are new ones. */
export async function consume(
  cluster: SimCluster,
  env: Env,
  name: string,
  workload: Workload,
  log: ClientLog,
  stop: Stop,
): Promise<void> {
  const client = clusterClient(cluster, env, workload);
  const positions = new Map<string, Offset>();
  for (let session = 1; !stop.consuming; session++) {
    if (log.topics.size === 0) {
      await sleep(env.clock, 100);
      continue;
    }
    const known = log.topics.size;
    const consumer = new Consumer(client, assignments(log, positions), fetchLimits(workload));
    const endsSoon = (): boolean => stop.consuming || log.topics.size > known;
    const watch = (): void => {
      if (endsSoon()) consumer.close();
      else env.clock.schedule(500, watch);
    };
    env.clock.schedule(500, watch);
    try {
      await readAll(cluster, consumer, `${name}.${session}`, log, positions);
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      if (error.code === 'LOG_TRUNCATED' || error.kafkaError === 'OFFSET_OUT_OF_RANGE') {
        log.truncations.push(`${name}: ${error.message}`);
        positions.clear();
      }
      await sleep(env.clock, 100);
    }
  }
  client.close();
}

/** Reads everything from the beginning to the end that the partitions have when it starts. ClientError. */
export async function readEverything(
  cluster: SimCluster,
  env: Env,
  name: string,
  workload: Workload,
  log: ClientLog,
): Promise<void> {
  const client = clusterClient(cluster, env, workload);
  const options = { ...fetchLimits(workload), readToEnd: true };
  await readAll(cluster, new Consumer(client, assignments(log, new Map()), options), name, log, new Map());
  client.close();
}

function fetchLimits({ fetchMaxWaitMs, fetchMaxBytes }: Workload): ConsumerOptions {
  return { maxWaitMs: fetchMaxWaitMs, maxBytes: fetchMaxBytes, partitionMaxBytes: fetchMaxBytes };
}

function assignments(log: ClientLog, positions: ReadonlyMap<string, Offset>) {
  return [...log.topics].flatMap(([topic, partitions]) =>
    Array.from({ length: partitions }, (_, partition) => {
      const offset = positions.get(placeName({ topic, partition }));
      return { topic, partition, start: offset === undefined ? ('beginning' as const) : { offset } };
    }),
  );
}

async function readAll(
  { ghost }: SimCluster,
  consumer: Consumer,
  session: string,
  log: ClientLog,
  positions: Map<string, Offset>,
): Promise<void> {
  for await (const { topic, partition, offset, leaderEpoch, key, value } of consumer.records()) {
    must(ghost.read({ topic, partition, offset, session }));
    log.reads.push({ session, topic, partition, offset, leaderEpoch, text: recordText(key, value) });
    positions.set(placeName({ topic, partition }), offset + 1);
  }
}

/** Replication factor and configs of a topic, by the number at the end of its name. */
export function shapeOf({ topicShapes, brokers }: ClusterConfig, topic: string) {
  const number = Number(/\d+$/.exec(topic)?.[0] ?? 1);
  const shape = topicShapes[(number - 1) % Math.max(1, topicShapes.length)];
  const { replicationFactor, minIsr, flushMode } = shape ?? { replicationFactor: 1, minIsr: 1, flushMode: '' };
  const configs = { 'min.insync.replicas': String(minIsr), ...(flushMode !== '' && { 'log.flush.mode': flushMode }) };
  return { replicationFactor: Math.min(replicationFactor, brokers), configs };
}

/** Answers that leave open whether the creation was or will be carried out. */
const UNSURE: readonly string[] = ['REQUEST_TIMED_OUT', 'NOT_CONTROLLER', 'UNKNOWN_SERVER_ERROR'];

/** Creates a topic, once, and notes how it went. */
export async function createTopic(
  cluster: SimCluster,
  client: ClusterClient,
  log: ClientLog,
  topic: string,
  partitions: number,
  timeoutMs: Ms,
): Promise<TopicCreation['outcome']> {
  // Each name is asked for once, so what is there already was made by a copy of the request.
  const hasCopies = cluster.scenario.config.links.duplicatePermille > 0;
  const unsure = hasCopies ? [...UNSURE, 'TOPIC_ALREADY_EXISTS'] : UNSURE;
  const index = log.creations.push({ topic, partitions, outcome: 'unknown', reason: 'no answer yet' }) - 1;
  const wanted = { name: topic, partitions, ...shapeOf(cluster.scenario.config, topic) };
  const { outcome, reason } = await createdOrNot(client, wanted, timeoutMs, unsure);
  log.creations[index] = { topic, partitions, outcome, reason };
  if (outcome === 'created') log.topics.set(topic, partitions);
  return outcome;
}

async function createdOrNot(
  client: ClusterClient,
  wanted: TopicToCreate,
  timeoutMs: Ms,
  unsure: readonly string[],
): Promise<Pick<TopicCreation, 'outcome' | 'reason'>> {
  try {
    const [answer] = await createTopics(client, [wanted], { timeoutMs });
    if (answer === undefined) return { outcome: 'unknown', reason: 'the answer does not mention the topic' };
    if (answer.error === undefined) return { outcome: 'created', reason: '' };
    const { kafkaError = '', message } = answer.error;
    return { outcome: unsure.includes(kafkaError) ? 'unknown' : 'failed', reason: message };
  } catch (error) {
    if (!(error instanceof ClientError)) throw error;
    return { outcome: error.maybeSent ? 'unknown' : 'failed', reason: `${error.code}: ${error.message}` };
  }
}

/** Creates topics now and then until it is asked to stop. */
export async function administrate(
  cluster: SimCluster,
  env: Env,
  workload: Workload,
  log: ClientLog,
  stop: Stop,
): Promise<void> {
  const client = clusterClient(cluster, env, workload);
  const { partitions } = cluster.scenario.config;
  for (let number = 1; !stop.producing && workload.createEveryMs > 0; number++) {
    await sleep(env.clock, env.random.below('workload.create', 2 * workload.createEveryMs + 1));
    await createTopic(cluster, client, log, `during-${number}`, partitions, workload.requestTimeoutMs);
  }
  client.close();
}
