// The client of topics that a broker prunes and compacts: it creates them, writes keys again and again, deletes records at the
// head of one, and reads both at the end (src/check/kept.ts).
import type { Offset } from '../../base/ids.ts';
import { createTopics } from '../../client/admin.ts';
import { ClientError } from '../../client/client-error.ts';
import { Consumer } from '../../client/consumer.ts';
import { ProduceError } from '../../client/produce-error.ts';
import { Producer } from '../../client/producer.ts';
import { deleteRecords } from '../../client/records-deletion.ts';
import { sleep } from '../../env/clock.ts';
import type { Env } from '../../env/env.ts';
import type { Stop } from './client-log.ts';
import { clusterClient } from './clients.ts';
import type { SimCluster } from './cluster.ts';
import type { KeptTopics, PendingKeptWrite } from './kept-notes.ts';
import { COMPACTED, PRUNED } from './kept-notes.ts';
import type { Workload } from './scenario.ts';
import { CALM_WORKLOAD } from './scenario.ts';

const CREATION_TIMEOUT_MS = 30_000;

/** What makes both happen all the time. */
const PRUNING = { 'segment.bytes': '1024', 'retention.bytes': '3000', 'file.delete.delay.ms': '500' } as const;
const COMPACTING = {
  'segment.bytes': '1024',
  'cleanup.policy': 'compact',
  'min.cleanable.dirty.ratio': '0.01',
  'delete.retention.ms': '500',
  'file.delete.delay.ms': '500',
} as const;

/** Creates both topics. Resolves when they are there. */
export async function createKept(cluster: SimCluster, env: Env): Promise<void> {
  const client = clusterClient(cluster, env, CALM_WORKLOAD);
  const one = { partitions: 1 };
  const topics = [
    { name: PRUNED, ...one, configs: PRUNING },
    { name: COMPACTED, ...one, configs: COMPACTING },
  ];
  await createTopics(client, topics, { timeoutMs: CREATION_TIMEOUT_MS });
  client.close();
}

/** Writes and deletes until it is asked to stop, then waits for what is under way. */
export async function writeKept(
  cluster: SimCluster,
  env: Env,
  workload: Workload,
  kept: KeptTopics,
  stop: Stop,
): Promise<void> {
  const client = clusterClient(cluster, env, workload);
  const { lingerMs, maxInFlight, deliveryTimeoutMs, requestTimeoutMs } = workload;
  const producer = new Producer(client, { lingerMs, maxInFlight, deliveryTimeoutMs, requestTimeoutMs });
  const draw = (what: string, bound: number): number => env.random.below(`kept.${what}`, bound);
  for (let order = 0; !stop.producing; ) {
    await sleep(env.clock, draw('pause', 2 * workload.keptEveryMs + 1));
    if (producer.unresolved >= workload.maxUnresolved) continue;
    for (const topic of [PRUNED, COMPACTED]) {
      const key = `key-${draw('key', 8)}`;
      const value = draw('deletion', 6) === 0 ? null : `${order}.${'x'.repeat(draw('bytes', 100))}`;
      const write: PendingKeptWrite = { order: order++, key, value, outcome: 'unknown', offset: -1 };
      (topic === PRUNED ? kept.pruned : kept.compacted).writes.push(write);
      const bytes = value === null ? null : Buffer.from(value);
      void settle(write, producer.send({ topic, partition: 0, key: Buffer.from(key), value: bytes }));
    }
    if (draw('delete', 12) === 0) await deleteSome(client, kept, draw('back', 20), workload);
  }
  await producer.close();
  client.close();
}

async function settle(write: PendingKeptWrite, sent: Promise<{ readonly offset: Offset }>): Promise<void> {
  try {
    write.offset = (await sent).offset;
    write.outcome = 'acknowledged';
  } catch (error) {
    if (!(error instanceof ProduceError)) throw error;
    write.outcome = error.outcome;
  }
}

/** Up to some way below what was acknowledged last. */
async function deleteSome(
  client: ReturnType<typeof clusterClient>,
  kept: KeptTopics,
  back: number,
  workload: Workload,
): Promise<void> {
  const last = Math.max(-1, ...kept.pruned.writes.slice(-50).map(({ offset }) => offset));
  if (last < back) return;
  const wanted = [{ topic: PRUNED, partition: 0, beforeOffset: last - back }];
  const [answer] = await deleteRecords(client, wanted, workload.requestTimeoutMs);
  if (answer === undefined || answer instanceof ClientError) return;
  kept.deletions += 1;
  kept.deletedBefore = Math.max(kept.deletedBefore, answer);
}

/** Reads both from their beginning to their end. */
export async function readKept(cluster: SimCluster, env: Env, kept: KeptTopics): Promise<void> {
  const client = clusterClient(cluster, env, CALM_WORKLOAD);
  for (const [topic, { reads }] of [
    [PRUNED, kept.pruned],
    [COMPACTED, kept.compacted],
  ] as const) {
    reads.length = 0;
    const assignment = { topic, partition: 0, start: 'beginning' as const };
    const consumer = new Consumer(client, [assignment], { readToEnd: true });
    for await (const { offset, key, value } of consumer.records()) {
      reads.push({ offset, key: key?.toString() ?? '', value: value?.toString() ?? null });
    }
  }
  client.close();
}
