// Three brokers hold three copies: what is acknowledged with acks=all is in all of them, and the copies are the same bytes (S-D7).
import { afterEach, describe, expect, test } from 'vitest';
import type { NodeId } from '../../../src/base/ids.ts';
import { createTopics } from '../../../src/client/admin.ts';
import { ClusterClient } from '../../../src/client/cluster.ts';
import { Producer } from '../../../src/client/producer.ts';
import { createEnv } from '../../../src/node/env.ts';
import type { LocalCluster } from '../../../src/node/local-cluster.ts';
import { startLocalCluster } from '../../../src/node/local-cluster.ts';
import type { Partition } from '../../../src/replica/partition.ts';

const clusters: LocalCluster[] = [];

afterEach(async () => {
  for (const cluster of clusters.splice(0)) await cluster.stop();
});

async function started(config: Record<string, string> = {}): Promise<{ cluster: LocalCluster; client: ClusterClient }> {
  const cluster = await startLocalCluster({ controllers: 1, config });
  clusters.push(cluster);
  const bootstrap = cluster.bootstrap.map((address) => {
    const [host = '', port] = address.split(':');
    return { host, port: Number(port) };
  });
  return { cluster, client: new ClusterClient(createEnv({ level: 'silent' }), { bootstrap }) };
}

/** The replicas of the topic's partition 0, by broker. */
function replicasOf(cluster: LocalCluster, topic: string): Map<NodeId, Partition> {
  const found = new Map<NodeId, Partition>();
  for (const node of cluster.nodes) {
    for (const partition of node.replicas?.partitions() ?? []) {
      if (partition.topic === topic && partition.partition === 0) found.set(node.nodeId, partition);
    }
  }
  return found;
}

async function bytesOf({ log }: Partition): Promise<string> {
  const bytes = await log.read(0, 1 << 24, log.logEndOffset, true);
  return bytes.toString('base64');
}

describe.each(['sync', 'async'])('with log.flush.mode=%s', (mode) => {
  test('acks=all is acknowledged by three replicas, which have the same log', async () => {
    const { cluster, client } = await started({ 'log.flush.mode': mode });
    const topics = await createTopics(client, [{ name: 't', partitions: 1, replicationFactor: 3 }]);
    expect(topics[0]?.error).toBeUndefined();
    const producer = new Producer(client);
    const sent = Array.from({ length: 50 }, (_, i) => producer.send({ topic: 't', value: Buffer.from(`record ${i}`) }));
    const offsets = (await Promise.all(sent)).map(({ offset }) => offset);
    expect(offsets).toEqual(Array.from({ length: 50 }, (_, i) => i));
    const replicas = [...replicasOf(cluster, 't').values()];
    expect(replicas.map(({ log }) => log.logEndOffset)).toEqual([50, 50, 50]);
    if (mode === 'sync') expect(replicas.map(({ log }) => log.flushedEndOffset)).toEqual([50, 50, 50]);
    const copies = await Promise.all(replicas.map(bytesOf));
    expect(new Set(copies).size).toBe(1);
    await producer.close();
    await client.close();
  });
});
