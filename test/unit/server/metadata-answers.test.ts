// Every node of a cluster explains the metadata alike: controllers, whether they lead or not, and brokers.
import { expect, test } from 'vitest';
import type { RpcClient } from '../../../src/env/network.ts';
import { AdminServiceDefinition as Admin } from '../../../src/gen/kvorum/v1/admin.ts';
import { SimCluster } from './sim-cluster.ts';

const HOSTS = ['c1', 'c2', 'c3', 'node'];

async function historyAt(client: RpcClient, topic: string, partition: number) {
  const events = [];
  const request = { topic, partition };
  for await (const { event } of client.stream(Admin, Admin.methods.metadataHistory, request, 10_000))
    events.push(event);
  return events;
}

async function diffAt(client: RpcClient, fromOffset: number, toOffset: number) {
  const entries = [];
  const request = { fromOffset, toOffset };
  const answers = client.stream(Admin, Admin.methods.diffMetadata, request, 10_000);
  for await (const answer of answers) entries.push(...answer.entries);
  return entries;
}

test('a broker that dies: all say the same of it', async () => {
  const cluster = new SimCluster();
  await cluster.startControllers();
  for (const [host, nodeId] of [
    ['node', 9],
    ['dying', 8],
  ] as const)
    cluster.start(host, { nodeId, isController: false });
  await cluster.ready('node', 'dying');
  const topic = { name: 'orders', partitions: 2, replicationFactor: 1, configs: {}, assignments: [] };
  const request = { topics: [topic], validateOnly: false, forwarded: false };
  const created = await cluster.ask('node', ({ call }) => call(Admin.methods.createTopics, request));
  expect(created.topics[0]?.error).toBeUndefined();
  await cluster.world.runFor(1000);
  cluster.world.process('dying').powerCut();
  await cluster.world.runFor(20_000);
  const explanations = [];
  const histories = [];
  const differences = [];
  for (const host of HOSTS) {
    const partitions = [0, 1];
    const answers = await cluster.ask(host, ({ call }) =>
      Promise.all(partitions.map((partition) => call(Admin.methods.explainPartition, { topic: 'orders', partition }))),
    );
    explanations.push(answers.map(({ metadataEndOffset: _, ...said }) => said));
    histories.push(await cluster.ask(host, ({ client }) => historyAt(client, 'orders', -1)));
    differences.push(await cluster.ask(host, ({ client }) => diffAt(client, 0, created.metadataEndOffset)));
  }
  for (const said of [explanations, histories, differences]) {
    for (const other of said) expect(other).toEqual(said[0]);
  }
  const led = explanations[0]?.find(({ state }) => state?.leader === 9);
  const lost = explanations[0]?.find(({ state }) => state?.leader === -1);
  expect(led?.verdict).toMatch(/^broker 9 leads: it is the preferred leader/);
  expect(lost?.verdict).toMatch(/^nobody leads: .*broker 8 is fenced since offset \d+: /);
  expect(lost?.decidedBy).toMatchObject({ epoch: 1, cause: expect.stringContaining('broker 8 fenced') });
  expect(histories[0]?.at(-1)).toMatchObject({ $case: 'entry', entry: { offset: lost?.decidedBy?.offset } });
  expect(differences[0]?.map(({ subject }) => subject)).toEqual(
    expect.arrayContaining(['broker 8', 'broker 9', 'topic orders', 'partition orders-0', 'partition orders-1']),
  );
  // A call that is wrong is told so by its status.
  await expect(cluster.ask('node', ({ client }) => diffAt(client, 3, 1))).rejects.toMatchObject({
    status: 'INVALID_ARGUMENT',
  });
  await expect(cluster.ask('c1', ({ client }) => historyAt(client, 'nope', -1))).rejects.toMatchObject({
    status: 'NOT_FOUND',
  });
});
