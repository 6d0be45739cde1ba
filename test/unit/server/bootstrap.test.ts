// controller.quorum.bootstrap.servers instead of controller.quorum.voters: who the controllers are is asked at start.
import { expect, test } from 'vitest';
import { AdminServiceDefinition as Admin } from '../../../src/gen/kvorum/v1/admin.ts';
import { describeQuorumApi } from '../../../src/protocol/apis/describe-quorum.ts';
import { batchOf, Wire } from '../broker/bench.ts';
import { CONTROLLERS, SimCluster } from './sim-cluster.ts';

const KNOWN = CONTROLLERS.map((host, i) => ({ listener: String(i + 1), host, port: 9093 }));

test('a cluster forms, and every node shows the controllers that it has found', async () => {
  const cluster = new SimCluster();
  CONTROLLERS.forEach((host, i) => cluster.start(host, { nodeId: i + 1 }));
  cluster.start('node', { nodeId: 4, isController: false });
  await cluster.ready(...CONTROLLERS, 'node');
  for (const host of CONTROLLERS) {
    expect(await cluster.controllersAt(host)).toMatchObject(KNOWN);
  }
  expect(await cluster.controllersAt('node')).toMatchObject(KNOWN);
  await cluster.world.run('client', 60_000, async (env) => {
    const wire = await Wire.open(env, 'node');
    const topics = [{ topicName: '__cluster_metadata', partitions: [{ partitionIndex: 0 }] }];
    const { nodes } = await wire.ask(describeQuorumApi, 2, { topics });
    expect(nodes.map(({ nodeId, listeners }) => [nodeId, listeners[0]?.host])).toEqual([
      [1, 'c1'],
      [2, 'c2'],
      [3, 'c3'],
    ]);
  });
});

test('the first election needs all; a restart goes on with one controller missing, which is found when it comes', async () => {
  const cluster = new SimCluster();
  cluster.start('c1', { nodeId: 1 });
  cluster.start('c2', { nodeId: 2 });
  cluster.start('node', { nodeId: 4, isController: false });
  await cluster.world.runFor(5000);
  expect([...cluster.nodes.keys()]).toEqual([]); // R-0.3a
  cluster.start('c3', { nodeId: 3 });
  await cluster.ready(...CONTROLLERS, 'node');
  await cluster.world.run('client', 60_000, async (env) => {
    const wire = await Wire.open(env, 'node');
    await wire.createTopics({ t: {} });
    expect(await wire.produce('t', batchOf())).toMatchObject({ errorCode: 0, baseOffset: 0 });
  });

  for (const host of [...CONTROLLERS, 'node']) cluster.world.process(host).powerCut();
  cluster.start('c1', { nodeId: 1 });
  cluster.start('c3', { nodeId: 3 });
  cluster.start('node', { nodeId: 4, isController: false });
  await cluster.ready('c1', 'c3', 'node');
  await cluster.world.run('client2', 60_000, async (env) => {
    const wire = await Wire.open(env, 'node');
    expect(await wire.produce('t', batchOf())).toMatchObject({ errorCode: 0, baseOffset: 1 });
  });
  // The log names them all, also the one that is not there.
  expect(await cluster.controllersAt('c1')).toMatchObject(KNOWN);

  cluster.start('c2', { nodeId: 2 });
  await cluster.ready('c2');
  await cluster.world.runFor(2000);
  for (const host of ['c1', 'c2', 'node']) {
    expect(await cluster.controllersAt(host)).toMatchObject(KNOWN);
  }
});

test('a controller of another cluster behind one of the addresses is not taken, and said once', async () => {
  const cluster = new SimCluster();
  cluster.start('c3', {
    nodeId: 1,
    clusterId: 'BAAAAAAAAAAAAAAAAAAAAQ',
    keys: { 'controller.quorum.voters': '1@c3:9093', 'controller.quorum.bootstrap.servers': '' },
  });
  cluster.start('c1', { nodeId: 1 });
  cluster.start('c2', { nodeId: 2 });
  await cluster.world.runFor(5000);
  expect([...cluster.nodes.keys()]).toEqual(['c3']);
  const told = cluster.world.log.lines().filter(({ event }) => event === 'foreign-controller');
  expect(told).toHaveLength(2);
});

test('R-11: a controller that nobody configured joins as an observer, though a bootstrap server is down; then it votes', async () => {
  const cluster = new SimCluster();
  await cluster.startControllers();
  await cluster.leader();
  cluster.world.process('c3').powerCut();
  cluster.start('c4', { nodeId: 4 });
  await cluster.ready('c4');
  await cluster.world.runFor(5000);
  const before = await cluster.ask('c1', ({ call }) => call(Admin.methods.describeQuorum, { forwarded: false }));
  expect(before.voters.map(({ nodeId }) => nodeId)).toEqual([1, 2, 3]);
  expect(before.observers).toMatchObject([{ nodeId: 4, lag: 0 }]);
  const added = await cluster.ask('c4', ({ call }) =>
    call(Admin.methods.addVoter, { controller: 'c4:9093', forwarded: false }),
  );
  expect(added).toMatchObject({ failure: undefined, voter: { nodeId: 4, endpoint: 'c4:9093' } });
  expect(added.voters.map(({ endpoint }) => endpoint)).toEqual(['c1:9093', 'c2:9093', 'c3:9093', 'c4:9093']);
  // Who was never told of it finds it all the same, by the log: of the four, three are a majority.
  const leader = await cluster.leader();
  cluster.world.process(leader).pause();
  cluster.start('c3', { nodeId: 3 });
  const others = ['c1', 'c2', 'c3', 'c4'].filter((host) => host !== leader);
  await cluster.ready('c3');
  await cluster.world.runUntil(
    () => others.some((host) => cluster.nodes.get(host)?.quorum.describe().role === 'leader'),
    60_000,
    'three of four elect a leader',
  );
});

test('two controllers with one node.id are told of each other', async () => {
  const cluster = new SimCluster();
  await cluster.startControllers();
  await cluster.leader();
  cluster.start('c4', { nodeId: 2 });
  await cluster.ready('c4');
  await cluster.world.runFor(2000);
  expect(cluster.told('duplicate-node-id')).toMatchObject([
    { level: 'error', fields: { nodeId: 2, address: { host: 'c2', port: 9093 } } },
  ]);
  const { voters } = await cluster.ask('c1', ({ call }) => call(Admin.methods.describeQuorum, { forwarded: false }));
  expect(voters.map(({ nodeId }) => nodeId)).toEqual([1, 2, 3]);
});

test('configured voters that are mixed up are named', async () => {
  const cluster = new SimCluster();
  const voters = (list: string) => ({
    'controller.quorum.bootstrap.servers': '',
    'controller.quorum.voters': list,
  });
  cluster.start('c1', { nodeId: 1, keys: voters('1@c1:9093,2@c2:9093,3@c3:9093') });
  cluster.start('c2', { nodeId: 2, keys: voters('1@c1:9093,2@c2:9093,3@c3:9093') });
  cluster.start('c3', { nodeId: 3, keys: voters('1@c1:9093,2@c2:9093,3@c3:9093') });
  await cluster.ready(...CONTROLLERS);
  expect(cluster.told('wrong-controller')).toEqual([]);
  cluster.start('c4', { nodeId: 3, keys: voters('1@c2:9093,2@c1:9093,3@c4:9093') });
  await cluster.world.runFor(2000);
  expect(cluster.told('wrong-controller')).toMatchObject([
    { fields: { nodeId: 2, expected: 1 } },
    { fields: { nodeId: 1, expected: 2 } },
  ]);
});
