// Configs altered while whole nodes run: what is described, and what is obeyed, at brokers that were asked and at those that were not.
import { expect, test } from 'vitest';
import { AdminServiceDefinition, ConfigOperation, ConfigSource } from '../../../src/gen/kvorum/v1/admin.ts';
import { ConfigScope } from '../../../src/gen/kvorum/v1/metadata.ts';
import { metadataApi } from '../../../src/protocol/apis/metadata.ts';
import { Wire } from '../broker/bench.ts';
import type { Asking } from './sim-cluster.ts';
import { SimCluster } from './sim-cluster.ts';

const Admin = AdminServiceDefinition.methods;

async function formed(): Promise<SimCluster> {
  const cluster = new SimCluster();
  await cluster.startControllers();
  cluster.start('a', { nodeId: 8, isController: false });
  cluster.start('b', { nodeId: 9, isController: false, keys: { 'message.max.bytes': '2000' } });
  await cluster.ready('a', 'b');
  return cluster;
}

async function set({ call }: Asking, scope: ConfigScope, name: string, key: string, value: string): Promise<void> {
  const alterations = [{ key, operation: ConfigOperation.SET, value }];
  const resources = [{ resource: { scope, name }, alterations }];
  const answer = await call(Admin.alterConfigs, { resources, validateOnly: false, forwarded: false });
  expect(answer.resources[0]?.error).toBeUndefined();
}

async function valueOf({ call }: Asking, scope: ConfigScope, name: string, key: string) {
  const { resources } = await call(Admin.describeConfigs, { resources: [{ scope, name }], keys: [key] });
  const entry = resources[0]?.entries[0];
  return [entry?.value, entry?.source];
}

test('a broker tells its own file, until all brokers are given another value; another broker does not know it', async () => {
  const cluster = await formed();
  const key = 'message.max.bytes';
  await cluster.ask('b', async (asking) => {
    expect(await valueOf(asking, ConfigScope.BROKER, '9', key)).toEqual(['2000', ConfigSource.FILE]);
    expect(await valueOf(asking, ConfigScope.BROKER, '8', key)).toEqual(['1048588', ConfigSource.DEFAULT]);
    await set(asking, ConfigScope.BROKER, '', key, '3000');
    expect(await valueOf(asking, ConfigScope.BROKER, '9', key)).toEqual(['3000', ConfigSource.CLUSTER_DEFAULT]);
    await set(asking, ConfigScope.BROKER, '9', key, '4000');
    expect(await valueOf(asking, ConfigScope.BROKER, '9', key)).toEqual(['4000', ConfigSource.BROKER]);
    expect(await valueOf(asking, ConfigScope.BROKER, '8', key)).toEqual(['3000', ConfigSource.CLUSTER_DEFAULT]);
  });
});

test('auto.create.topics.enable=false for one broker stops it there alone', async () => {
  const cluster = await formed();
  await cluster.ask('c1', (asking) => set(asking, ConfigScope.BROKER, '8', 'auto.create.topics.enable', 'false'));
  await cluster.world.runFor(1000);
  await cluster.world.run('client', 60_000, async (env) => {
    for (const host of ['a', 'b']) {
      const wire = await Wire.open(env, host);
      await wire.ask(metadataApi, 12, { topics: [{ name: `by-${host}` }], allowAutoTopicCreation: true });
    }
  });
  await cluster.world.runFor(5000);
  expect([...(cluster.nodes.get('a')?.publisher.image.topicIds.keys() ?? [])]).toEqual(['by-b']);
});
