// A broker that leads goes away: how long a producer with acks=all is held up, and with 1,000 partitions how long it takes until
// all that it led are led by others and take records. Three controllers and three brokers in processes of their own.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Producer } from '../../src/client/producer.ts';
import { built } from '../harness/built.ts';
import type { FrameClient } from '../harness/frame-client.ts';
import type { Topic } from '../harness/kafka.ts';
import { createTopicOf, randomBatch } from '../harness/kafka.ts';
import type { SeparateCluster, StartedNode } from '../harness/kvorum.ts';
import { connectWhenServed, startSeparately } from '../harness/kvorum.ts';
import type { Moves, Place, Survivor } from '../harness/leader-watch.ts';
import { watchMoves } from '../harness/leader-watch.ts';
import type { BenchOptions, Build } from '../harness/options.ts';
import { awaitInSync, connectAll, placesOf } from '../harness/replication.ts';
import type { Scope } from '../harness/scope.ts';
import { withScope } from '../harness/scope.ts';
import { digits, median } from '../harness/statistics.ts';
import { printTable } from '../harness/table.ts';
import { profiling } from '../harness/throughput.ts';
import type { Part } from './part.ts';

const COPIES = 3;
const KILLS = 10;
const STOPS = 5;
const PAUSES = 3;
const MASS_KILLS = 3;
const TOPICS = 10;
const PARTITIONS_PER_TOPIC = 100;
const PARTITIONS = TOPICS * PARTITIONS_PER_TOPIC;
const RECORD = Buffer.alloc(100);
/** Enough for any hold-up, a session's end included. */
const AFTER_MS = { SIGKILL: 4000, SIGTERM: 4000, SIGSTOP: 15_000 } as const;

type Signal = keyof typeof AFTER_MS;

/** Kafka's client of this project, one record after the other, and when each was acknowledged. */
class Acknowledged {
  readonly #producer: Producer;
  readonly #topic: string;
  readonly #times: number[] = [];
  readonly #running: Promise<void>;
  #isOver = false;
  #failures = 0;

  private constructor(producer: Producer, topic: string) {
    this.#producer = producer;
    this.#topic = topic;
    this.#running = this.#run();
  }

  static async begin(scope: Scope, brokers: readonly StartedNode[], topic: string): Promise<Acknowledged> {
    const { createEnv } = await built<typeof import('../../src/node/env.ts')>('node/env.js');
    const { ClusterClient } = await built<typeof import('../../src/client/cluster.ts')>('client/cluster.js');
    const client = await built<typeof import('../../src/client/producer.ts')>('client/producer.js');
    const bootstrap = brokers.map(({ port }) => ({ host: '127.0.0.1', port }));
    const cluster = new ClusterClient(createEnv({ level: 'error' }), {
      bootstrap,
      requestTimeoutMs: 2000,
      connectTimeoutMs: 2000,
    });
    scope.defer(() => cluster.close());
    return new Acknowledged(new client.Producer(cluster), topic);
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      try {
        await this.#producer.send({ topic: this.#topic, partition: 0, value: RECORD });
        this.#times.push(performance.now());
      } catch {
        this.#failures++;
        await sleep(5);
      }
    }
  }

  /** Of the acknowledgements since this moment; milliseconds. */
  longestGap(from: number): number {
    const times = [from, ...this.#times.filter((time) => time > from)];
    const gaps = times.slice(1).map((time, i) => time - (times[i] as number));
    return Math.max(...gaps, performance.now() - (times.at(-1) as number));
  }

  /** How many records were given up. */
  async end(): Promise<number> {
    this.#isOver = true;
    await this.#running;
    return this.#failures;
  }
}

/** Milliseconds for which the producer was held up. */
async function holdUp(load: Acknowledged, { brokers }: SeparateCluster, topic: Topic, signal: Signal): Promise<number> {
  const client = await connectWhenServed(brokers[0]?.port ?? 0);
  const [place] = await awaitInSync(client, [topic], 1, COPIES);
  client.close();
  const leader = brokers.find(({ nodeId }) => nodeId === place?.leaderId);
  if (leader === undefined) throw new Error(`nobody leads ${topic.name}`);
  await sleep(500);
  const from = performance.now();
  leader.signal(signal);
  await sleep(AFTER_MS[signal]);
  const gap = load.longestGap(from);
  if (signal === 'SIGSTOP') leader.signal('SIGCONT');
  else await leader.restart();
  return gap;
}

async function holdUps(
  options: BenchOptions,
  build: Build,
  keys: Readonly<Record<string, string>>,
  rounds: readonly {
    readonly name: string;
    readonly signal: Signal;
    readonly times: number;
    readonly target: string;
  }[],
): Promise<string[][]> {
  return withScope(options.dir, async (scope) => {
    const config = { brokerConfig: keys, controllerConfig: keys };
    const cluster = await startSeparately(scope, build, { brokers: COPIES, ...config });
    const clients = await connectAll(cluster.brokers);
    const [client] = clients as [FrameClient];
    const topic = await createTopicOf(client, { numPartitions: 1, replicationFactor: COPIES });
    await awaitInSync(client, [topic], 1, COPIES);
    for (const one of clients) one.close();
    const load = await Acknowledged.begin(scope, cluster.brokers, topic.name);
    const rows: string[][] = [];
    for (const { name, signal, times, target } of rounds) {
      const gaps: number[] = [];
      const count = options.repetitions === 1 ? 1 : times;
      for (let i = 0; i < count; i++) gaps.push(await holdUp(load, cluster, topic, signal));
      rows.push([name, digits(median(gaps)), digits(Math.max(...gaps)), String(count), target]);
    }
    const failures = await load.end();
    if (failures > 0) console.log(`  the producer gave up ${failures} records`);
    return rows;
  });
}

/** One kill of a broker that leads a third of 1,000 partitions, all of which have records. */
async function killOneOfMany(
  { brokers }: SeparateCluster,
  topics: readonly Topic[],
  victim: StartedNode,
): Promise<Moves> {
  const clients = await connectAll(brokers);
  const all = brokers.map(({ nodeId }, i) => ({ nodeId, client: clients[i] as FrameClient }));
  const survivors = all.filter(({ nodeId }) => nodeId !== victim.nodeId);
  const [first] = survivors as [Survivor];
  await awaitInSync(first.client, topics, PARTITIONS, COPIES);
  const led: (Place & { readonly leaderId: number })[] = [];
  for (const topic of topics) {
    for (const { partitionIndex, leaderId } of await placesOf(first.client, [topic])) {
      led.push({ topic: topic.name, partition: partitionIndex, leaderId });
    }
  }
  const batch = randomBatch(1200);
  await watchMoves(all, topics, led, batch);
  await sleep(1000);
  victim.signal('SIGKILL');
  const gone = led.filter(({ leaderId }) => leaderId === victim.nodeId);
  const moves = await watchMoves(survivors, topics, gone, batch);
  await victim.restart();
  await awaitInSync(first.client, topics, PARTITIONS, COPIES);
  for (const client of clients) client.close();
  return moves;
}

function massFailover(options: BenchOptions, build: Build): Promise<Moves[]> {
  return withScope(options.dir, async (scope) => {
    const args = profiling(options);
    const cluster = await startSeparately(scope, build, { brokers: COPIES, brokerArgs: args, nodeArgs: args });
    const clients = await connectAll(cluster.brokers);
    const [client] = clients as [FrameClient];
    const shape = { numPartitions: PARTITIONS_PER_TOPIC, replicationFactor: COPIES };
    const topics: Topic[] = [];
    for (let i = 0; i < TOPICS; i++) topics.push(await createTopicOf(client, shape));
    for (const one of clients) one.close();
    const moves: Moves[] = [];
    const times = options.repetitions === 1 ? 1 : MASS_KILLS;
    for (let i = 0; i < times; i++) {
      moves.push(await killOneOfMany(cluster, topics, cluster.brokers[i % COPIES] as StartedNode));
    }
    return moves;
  });
}

const FAST = { 'timing.profile': 'fast' };

async function measure(options: BenchOptions, build: Build): Promise<void> {
  const rows = [
    ...(await holdUps(options, build, {}, [
      { name: 'killed', signal: 'SIGKILL', times: KILLS, target: 'worst 2000' },
      { name: 'stopped in good order', signal: 'SIGTERM', times: STOPS, target: 'at once' },
      { name: 'paused', signal: 'SIGSTOP', times: PAUSES, target: 'its session, 9000' },
    ])),
    ...(await holdUps(options, build, FAST, [
      { name: 'paused, timing.profile=fast', signal: 'SIGSTOP', times: PAUSES, target: 'its session, 2000' },
    ])),
  ];
  const title = `the leader’s broker goes away, ${build.name}, ms for which a producer with acks=all is held up`;
  printTable(title, ['', 'median', 'worst', 'times', 'target'], rows);
  const moves = await massFailover(options, build);
  const row = (name: string, of: (one: Moves) => number, target: string): string[] => {
    const times = moves.map(of);
    return [name, digits(median(times)), digits(Math.max(...times)), String(times.length), target];
  };
  const partitions = Math.max(...moves.map((one) => one.partitions));
  printTable(
    `a broker is killed that leads ${partitions} of ${PARTITIONS} partitions, ${build.name}, ms`,
    ['', 'median', 'worst', 'times', 'target'],
    [
      row('the first has another leader', ({ firstMs }) => firstMs, ''),
      row('from then on until all have', ({ firstMs, allLedMs }) => allLedMs - firstMs, ''),
      row('  and take records', ({ firstMs, allServedMs }) => allServedMs - firstMs, '3000'),
    ],
  );
}

export const brokerFailover: Part = {
  name: 'broker-failover',
  async run(options) {
    for (const build of options.builds) await measure(options, build);
  },
};
