import { afterEach, expect, test } from 'vitest';
import { ClientError } from '../../../src/client/client-error.ts';
import { ClusterClient } from '../../../src/client/cluster.ts';
import type { RecordsToDelete } from '../../../src/client/records-deletion.ts';
import { deleteRecords } from '../../../src/client/records-deletion.ts';
import { deleteRecordsApi } from '../../../src/protocol/apis/delete-records.ts';
import { ScriptedCluster, testDeps } from './scripted-cluster.ts';

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Topics a and b with three partitions of ten records each, led by brokers 1, 2, 1 and 2, 1, 2. */
async function setup(): Promise<{ cluster: ScriptedCluster; client: ClusterClient }> {
  const cluster = await new ScriptedCluster().start(1, 2);
  const client = new ClusterClient(testDeps(20), { bootstrap: [...cluster.addresses.values()] });
  cleanups.push(
    () => cluster.stop(),
    () => client.close(),
  );
  cluster.addTopic('a', [1, 2, 1]);
  cluster.addTopic('b', [2, 1, 2]);
  for (const { partitions } of cluster.topics.values()) for (const partition of partitions) partition.endOffset = 10;
  return { cluster, client };
}

function item(topic: string, partition: number, beforeOffset: number): RecordsToDelete {
  return { topic, partition, beforeOffset };
}

function summary(results: readonly (number | ClientError)[]) {
  return results.map((result) => (result instanceof ClientError ? (result.kafkaError ?? result.code) : result));
}

function requests(cluster: ScriptedCluster) {
  return cluster.requests.filter(({ api }) => api === deleteRecordsApi.name).map(({ broker }) => broker);
}

test('each leader is asked once for all of its partitions; outcomes come in order', async () => {
  const { cluster, client } = await setup();
  const wanted = [item('a', 0, 3), item('a', 1, -1), item('b', 2, 11), item('b', 1, 0), item('a', 2, 10)];
  expect(summary(await deleteRecords(client, wanted))).toEqual([3, 10, 'OFFSET_OUT_OF_RANGE', 0, 10]);
  expect(requests(cluster).toSorted((a, b) => a - b)).toEqual([1, 2]);
  expect(cluster.topics.get('a')?.partitions.map(({ startOffset }) => startOffset)).toEqual([3, 10, 10]);
});

test('a leader that moved is asked again, and nobody else is', async () => {
  const { cluster, client } = await setup();
  await client.topic('a');
  await client.topic('b');
  let isMoved = false;
  cluster.script = (_, api) => {
    if (api !== deleteRecordsApi.name || isMoved) return undefined;
    isMoved = true;
    const partition = cluster.topics.get('a')?.partitions[0];
    if (partition !== undefined) partition.leader = 2;
    return undefined;
  };
  expect(summary(await deleteRecords(client, [item('a', 0, 4), item('b', 0, 5)]))).toEqual([4, 5]);
  expect(requests(cluster).filter((broker) => broker === 1)).toHaveLength(1);
});

test('a connection that breaks is opened again', async () => {
  const { cluster, client } = await setup();
  let cuts = 0;
  cluster.script = (_, api) => (api === deleteRecordsApi.name && ++cuts <= 2 ? { kind: 'cut-late' } : undefined);
  expect(summary(await deleteRecords(client, [item('a', 0, 4)]))).toEqual([4]);
  expect(cuts).toBe(3);
});

test('what stays wrong until time is up is told as it was', async () => {
  const { cluster, client } = await setup();
  cluster.script = (id, api) =>
    api === deleteRecordsApi.name && id === 1 ? { kind: 'refuse', error: 'KAFKA_STORAGE_ERROR' } : undefined;
  const results = await deleteRecords(
    client,
    [item('a', 0, 4), item('a', 1, 4), item('c', 0, 1), item('a', 7, 1)],
    2000,
  );
  expect(summary(results)).toEqual([
    'KAFKA_STORAGE_ERROR',
    4,
    'UNKNOWN_TOPIC_OR_PARTITION',
    'UNKNOWN_TOPIC_OR_PARTITION',
  ]);
});

test('without any broker each partition says so', async () => {
  const { cluster, client } = await setup();
  await cluster.stop();
  const [result] = await deleteRecords(client, [item('a', 0, 4)], 500);
  expect(result).toBeInstanceOf(ClientError);
});
