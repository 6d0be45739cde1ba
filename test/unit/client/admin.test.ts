import { afterEach, expect, test } from 'vitest';
import { createTopics, deleteTopics, describeCluster } from '../../../src/client/admin.ts';
import { ClusterClient } from '../../../src/client/cluster.ts';
import { ScriptedCluster, testDeps } from './scripted-cluster.ts';

const cleanups: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function setup(): Promise<{ cluster: ScriptedCluster; client: ClusterClient }> {
  const cluster = await new ScriptedCluster().start(1, 2);
  const client = new ClusterClient(testDeps(), { bootstrap: [...cluster.addresses.values()] });
  cleanups.push(
    () => cluster.stop(),
    () => client.close(),
  );
  return { cluster, client };
}

test('topics are created and deleted, each on its own', async () => {
  const { cluster, client } = await setup();
  cluster.addTopic('old', [1]);
  const created = await createTopics(client, [{ name: 'old' }, { name: 'new', partitions: 3 }]);
  expect(created.map(({ name, error }) => [name, error?.kafkaError])).toEqual([
    ['old', 'TOPIC_ALREADY_EXISTS'],
    ['new', undefined],
  ]);
  expect(created[0]?.error?.message).toBe('create topic old: TOPIC_ALREADY_EXISTS: it is there');
  expect(created[1]?.topicId).toBe(cluster.topics.get('new')?.topicId);
  expect((await client.topic('new')).partitions).toHaveLength(3);
  const deleted = await deleteTopics(client, ['new', 'never']);
  expect(deleted.map(({ name, error }) => [name, error?.kafkaError])).toEqual([
    ['new', undefined],
    ['never', 'UNKNOWN_TOPIC_OR_PARTITION'],
  ]);
  expect(cluster.topics.has('new')).toBe(false);
});

test('the cluster is described', async () => {
  const { cluster, client } = await setup();
  const { clusterId, controllerId, brokers } = await describeCluster(client);
  expect({ clusterId, controllerId }).toEqual({ clusterId: 'scripted', controllerId: 1 });
  expect(brokers).toEqual([1, 2].map((id) => ({ id, address: cluster.addresses.get(id), rack: null })));
});
