// What 1,000 partitions with three replicas cost that nobody writes to: CPU and memory of each broker, beside the same cluster
// without them.
import { setTimeout as sleep } from 'node:timers/promises';
import type { FrameClient } from '../harness/frame-client.ts';
import { createTopicOf } from '../harness/kafka.ts';
import { startSeparately } from '../harness/kvorum.ts';
import type { BenchOptions, Build } from '../harness/options.ts';
import { cpuSeconds, residentMegabytes } from '../harness/process.ts';
import { awaitInSync, connectAll } from '../harness/replication.ts';
import type { Scope } from '../harness/scope.ts';
import { withScope } from '../harness/scope.ts';
import { digits } from '../harness/statistics.ts';
import { printTable } from '../harness/table.ts';
import { profiling } from '../harness/throughput.ts';
import type { Part } from './part.ts';

const COPIES = 3;
const TOPICS = 10;
const PARTITIONS_PER_TOPIC = 100;
const SETTLE_MS = 10_000;
const TARGET_PERCENT = '5';

interface Idle {
  readonly percentOfCore: number;
  readonly megabytes: number;
}

async function idle(pids: readonly number[], seconds: number): Promise<Idle[]> {
  await sleep(SETTLE_MS);
  const before = pids.map(cpuSeconds);
  const startedMs = performance.now();
  await sleep(seconds * 1000);
  const tookSeconds = (performance.now() - startedMs) / 1000;
  return pids.map((pid, i) => ({
    percentOfCore: ((cpuSeconds(pid) - (before[i] ?? Number.NaN)) / tookSeconds) * 100,
    megabytes: residentMegabytes(pid),
  }));
}

async function measure(scope: Scope, options: BenchOptions, build: Build): Promise<void> {
  const args = profiling(options);
  const { brokers, controllers } = await startSeparately(scope, build, { brokers: COPIES, brokerArgs: args });
  const nodes = [...brokers, ...controllers];
  const pids = nodes.map(({ pid }) => pid);
  const clients = await connectAll(brokers);
  const [client] = clients as [FrameClient];
  const seconds = options.seconds * 5;
  const empty = await idle(pids, seconds);
  const shape = { numPartitions: PARTITIONS_PER_TOPIC, replicationFactor: COPIES };
  const topics: Awaited<ReturnType<typeof createTopicOf>>[] = [];
  for (let i = 0; i < TOPICS; i++) topics.push(await createTopicOf(client, shape));
  await awaitInSync(client, topics, TOPICS * PARTITIONS_PER_TOPIC, COPIES);
  const full = await idle(pids, seconds);
  for (const one of clients) one.close();
  const rows = nodes.map(({ nodeId }, i): string[] => {
    const isBroker = i < brokers.length;
    const [without, now] = [empty[i] as Idle, full[i] as Idle];
    return [
      `${isBroker ? 'broker' : 'controller'} ${nodeId}`,
      digits(without.percentOfCore),
      digits(now.percentOfCore),
      isBroker ? TARGET_PERCENT : '',
      digits(without.megabytes),
      digits(now.megabytes),
    ];
  });
  printTable(
    `idle, ${TOPICS * PARTITIONS_PER_TOPIC} partitions with three replicas, ${build.name}`,
    ['', '% of a core without', 'with', 'target', 'RSS MB without', 'with'],
    rows,
  );
}

export const replicationIdle: Part = {
  name: 'replication-idle',
  async run(options) {
    for (const build of options.builds) await withScope(options.dir, (scope) => measure(scope, options, build));
  },
};
