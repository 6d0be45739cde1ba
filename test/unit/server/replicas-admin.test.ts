// DescribeReplicas, and what checks of unclean elections make of it, in a cluster whose brokers come and go.
import { expect, test } from 'vitest';
import type { ElectLeadersRequest } from '../../../src/gen/kvorum/v1/admin.ts';
import { ElectionType } from '../../../src/gen/kvorum/v1/admin.ts';
import { metadataApi } from '../../../src/protocol/apis/metadata.ts';
import { batchOf, Wire } from '../broker/bench.ts';
import { Admin, call, creation, failureOf, newTopic } from './admin-calls.ts';
import { SimCluster } from './sim-cluster.ts';

const BROKERS = ['b4', 'b5', 'b6'];

async function formed(): Promise<SimCluster> {
  const cluster = new SimCluster();
  await cluster.startControllers();
  for (const [i, host] of BROKERS.entries()) startBroker(cluster, host, 4 + i);
  await cluster.ready(...BROKERS);
  const assignments = [{ partition: 0, replicas: [4, 5, 6] }];
  const topic = newTopic('t', { partitions: 1, replicationFactor: -1, assignments });
  await call(cluster, 'b4', Admin.createTopics, creation([{ ...topic, partitions: -1 }]));
  return cluster;
}

function startBroker(cluster: SimCluster, host: string, nodeId: number): void {
  cluster.start(host, { nodeId, isController: false, keys: { 'unclean.leader.election.enable': 'false' } });
}

function describe(cluster: SimCluster, via: string, topics: string[] = ['t']) {
  return call(cluster, via, Admin.describeReplicas, { topics, forwarded: false });
}

async function produce(cluster: SimCluster, host: string, count: number, topic = 't'): Promise<void> {
  await cluster.ask(host, async ({ env }) => {
    const wire = await Wire.open(env, host);
    for (let i = 0; i < count; i++) await wire.produce(topic, batchOf(1));
  });
}

test('whoever is asked tells of all replicas, with what the leader knows of its followers', async () => {
  const cluster = await formed();
  await produce(cluster, 'b4', 3);
  await cluster.world.runFor(3000);
  const answers = await Promise.resolve([await describe(cluster, 'b5'), await describe(cluster, 'c1')]);
  for (const { replicas, silent } of answers) {
    expect(silent).toEqual([]);
    expect(replicas.map((it) => [it.brokerId, it.role, it.logEndOffset, it.highWatermark, it.failure])).toEqual([
      [4, 'leader', 3, 3, ''],
      [5, 'follower', 3, 3, ''],
      [6, 'follower', 3, 3, ''],
    ]);
    expect(replicas[0]?.followers).toEqual([
      { brokerId: 5, logEndOffset: 3, caughtUpMsAgo: 0, inSync: true },
      { brokerId: 6, logEndOffset: 3, caughtUpMsAgo: 0, inSync: true },
    ]);
    expect(replicas.map(({ epochs }) => epochs)).toEqual(replicas.map(() => [{ leaderEpoch: 0, startOffset: 0 }]));
  }
});

test('names a broker that stands still within the time that the caller waits, and tells of the others', async () => {
  const cluster = await formed();
  cluster.world.process('b6').pause();
  const { replicas, silent } = await describe(cluster, 'b4');
  expect(replicas.map(({ brokerId }) => brokerId)).toEqual([4, 5]);
  expect(silent.map(({ brokerId, error }) => [brokerId, error?.name])).toEqual([[6, 'BROKER_NOT_AVAILABLE']]);
});

test('refuses a topic that is not there, and passes over what a node knows less of than the caller', async () => {
  const cluster = await formed();
  const error = await failureOf(describe(cluster, 'b4', ['nope']));
  expect([error.status, error.message]).toEqual(['INVALID_ARGUMENT', "there is no topic 'nope'"]);
  const own = await call(cluster, 'b4', Admin.describeReplicas, { topics: ['nope', 't'], forwarded: true });
  expect(own.replicas.map(({ topic, brokerId }) => [topic, brokerId])).toEqual([['t', 4]]);
});

test('Kafka clients see who is in the ISR, and which replicas are not there: of a fenced broker, or in a log dir that failed', async () => {
  const cluster = await formed();
  cluster.world.process('b6').kill();
  const dirs = { 'metadata.log.dir': '/data', 'log.dirs': '/data,/new-data' };
  cluster.start('b6', { nodeId: 6, isController: false, keys: dirs });
  await cluster.ready('b6');
  const assignments = [{ partition: 0, replicas: [4, 5, 6] }];
  const topic = newTopic('u', { partitions: -1, replicationFactor: -1, assignments });
  await call(cluster, 'b4', Admin.createTopics, creation([topic]));
  const seen = () =>
    cluster.ask('b4', async ({ env }) => {
      const wire = await Wire.open(env, 'b4');
      const { topics } = await wire.ask(metadataApi, 12, { topics: [{ name: 't' }, { name: 'u' }] });
      return topics.flatMap(({ partitions }) =>
        partitions.map((it) => [it.isrNodes.toSorted((a, b) => a - b), it.offlineReplicas]),
      );
    });
  await cluster.world.runFor(5000);
  const all = [4, 5, 6];
  expect(await seen()).toEqual([
    [all, []],
    [all, []],
  ]);
  cluster.world.process('b6').disk.failNext('write', '/new-data/u-0');
  await produce(cluster, 'b4', 1, 'u');
  await cluster.world.runFor(5000);
  expect(await seen()).toEqual([
    [all, []],
    [[4, 5], [6]],
  ]);
  const { replicas } = await describe(cluster, 'b5', ['u']);
  expect(replicas.map(({ role }) => role)).toEqual(['leader', 'follower', 'offline']);
  expect(replicas[2]?.failure).toMatch(/^log dir \/new-data is offline: /);
  cluster.world.process('b5').kill();
  await cluster.world.runFor(12_000);
  expect(await seen()).toEqual([
    [[4, 6], [5]],
    [[4], [5, 6]],
  ]);
});

test('a check of an unclean election tells which offsets may go, and elects nobody', async () => {
  const cluster = await formed();
  await produce(cluster, 'b4', 3);
  await cluster.world.runFor(2000);
  // 6 lags, and is the only one that is there in the end.
  cluster.world.process('b6').kill();
  await cluster.world.runFor(12_000);
  await produce(cluster, 'b4', 4);
  await cluster.world.runFor(2000);
  cluster.world.process('b4').kill();
  cluster.world.process('b5').kill();
  startBroker(cluster, 'b6', 6);
  await cluster.world.runFor(15_000);
  const request: ElectLeadersRequest = {
    type: ElectionType.UNCLEAN,
    partitions: [{ topic: 't', partition: 0 }],
    validateOnly: true,
    forwarded: false,
  };
  for (const via of ['c1', 'c2', 'c3', 'b6']) {
    const { partitions } = await call(cluster, via, Admin.electLeaders, request);
    expect(partitions).toEqual([
      {
        topic: 't',
        partition: 0,
        error: undefined,
        leader: 6,
        possibleLoss: { firstOffset: 3, knownEndOffset: 3, highWatermark: 3, silent: [4, 5], silentFromOffset: 3 },
      },
    ]);
  }
  const { topics } = await call(cluster, 'c1', Admin.describeTopics, { topics: [{ name: 't', topicId: '' }] });
  expect(topics[0]?.partitions[0]).toMatchObject({ leader: -1, elr: expect.not.arrayContaining([6]) });
  expect(topics[0]?.survival?.sentence).toContain('no leader in partition 0');
});
