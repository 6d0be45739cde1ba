// controller.quorum.bootstrap.servers instead of controller.quorum.voters: who the controllers are is asked at start.
import { expect, test } from 'vitest';
import { AdminServiceDefinition as Admin } from '../../../src/gen/kvorum/v1/admin.ts';
import { describeQuorumApi } from '../../../src/protocol/apis/describe-quorum.ts';
import type { Node } from '../../../src/server/node.ts';
import { startNode } from '../../../src/server/node.ts';
import { formatStorage } from '../../../src/server/storage.ts';
import type { SimProcess } from '../../../src/sim/process/process.ts';
import { World } from '../../../src/sim/world/world.ts';
import { batchOf, CLUSTER_ID, configText, parsed, Wire } from '../broker/bench.ts';

const CONTROLLERS = ['c1', 'c2', 'c3'];
const KNOWN = CONTROLLERS.map((host, i) => ({ listener: String(i + 1), host, port: 9093 }));

class Cluster {
  readonly world = new World({ seed: 2 });
  readonly nodes = new Map<string, Node>();

  start(host: string, nodeId: number, isController: boolean): void {
    const process: SimProcess = this.world.process(host);
    if (process.lives === 0) process.disk.provision('/data');
    const config = parsed(
      configText({
        'node.id': String(nodeId),
        'process.roles': isController ? 'controller' : 'broker',
        'controller.quorum.voters': '',
        'controller.quorum.bootstrap.servers': CONTROLLERS.map((name) => `${name}:9093`).join(','),
        listeners: isController ? `CONTROLLER://${host}:9093` : `PLAINTEXT://${host}:9092,GRPC://${host}:9094`,
      }),
    );
    this.nodes.delete(host);
    process.start(async (env) => {
      await formatStorage(env, config, CLUSTER_ID);
      const node = await startNode(env, config, {
        fatal: (reason, cause) => {
          throw new Error(reason, { cause });
        },
      });
      await node.ready;
      this.nodes.set(host, node);
    });
  }

  async ready(...hosts: string[]): Promise<void> {
    await this.world.runUntil(() => hosts.every((host) => this.nodes.has(host)), 60_000, `${hosts.join()} ready`);
  }

  #askers = 0;

  /** What a node says of the controllers, by id. */
  controllersAt(host: string, port: number) {
    return this.world.run(`asker-${++this.#askers}`, 10_000, async (env) => {
      const client = env.network.client({ host, port });
      const answer = await client.call(Admin, Admin.methods.describeCluster, {}, 5000);
      client.close();
      return answer.controllers;
    });
  }
}

test('a cluster forms, and every node shows the controllers that it has found', async () => {
  const cluster = new Cluster();
  CONTROLLERS.forEach((host, i) => cluster.start(host, i + 1, true));
  cluster.start('node', 4, false);
  await cluster.ready(...CONTROLLERS, 'node');
  for (const host of CONTROLLERS) {
    expect(await cluster.controllersAt(host, 9093)).toMatchObject(KNOWN);
  }
  expect(await cluster.controllersAt('node', 9094)).toMatchObject(KNOWN);
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
  const cluster = new Cluster();
  cluster.start('c1', 1, true);
  cluster.start('c2', 2, true);
  cluster.start('node', 4, false);
  await cluster.world.runFor(5000);
  expect([...cluster.nodes.keys()]).toEqual([]); // R-0.3a
  cluster.start('c3', 3, true);
  await cluster.ready(...CONTROLLERS, 'node');
  await cluster.world.run('client', 60_000, async (env) => {
    const wire = await Wire.open(env, 'node');
    await wire.createTopics({ t: {} });
    expect(await wire.produce('t', batchOf())).toMatchObject({ errorCode: 0, baseOffset: 0 });
  });

  for (const host of [...CONTROLLERS, 'node']) cluster.world.process(host).powerCut();
  cluster.start('c1', 1, true);
  cluster.start('c3', 3, true);
  cluster.start('node', 4, false);
  await cluster.ready('c1', 'c3', 'node');
  await cluster.world.run('client2', 60_000, async (env) => {
    const wire = await Wire.open(env, 'node');
    expect(await wire.produce('t', batchOf())).toMatchObject({ errorCode: 0, baseOffset: 1 });
  });
  // The log names them all, also the one that is not there.
  expect(await cluster.controllersAt('c1', 9093)).toMatchObject(KNOWN);

  cluster.start('c2', 2, true);
  await cluster.ready('c2');
  await cluster.world.runFor(2000);
  for (const [host, port] of [
    ['c1', 9093],
    ['c2', 9093],
    ['node', 9094],
  ] as const) {
    expect(await cluster.controllersAt(host, port)).toMatchObject(KNOWN);
  }
});

test('a controller of another cluster behind one of the addresses is not taken, and said once', async () => {
  const cluster = new Cluster();
  const foreign = cluster.world.process('c3');
  foreign.disk.provision('/data');
  const config = parsed(
    configText({
      'process.roles': 'controller',
      'controller.quorum.voters': '1@c3:9093',
      listeners: 'CONTROLLER://c3:9093',
    }),
  );
  foreign.start(async (env) => {
    await formatStorage(env, config, 'BAAAAAAAAAAAAAAAAAAAAQ');
    await startNode(env, config, { fatal: () => undefined });
  });
  cluster.start('c1', 1, true);
  cluster.start('c2', 2, true);
  await cluster.world.runFor(5000);
  expect([...cluster.nodes.keys()]).toEqual([]);
  const told = cluster.world.log.lines().filter(({ event }) => event === 'foreign-controller');
  expect(told).toHaveLength(2);
});
