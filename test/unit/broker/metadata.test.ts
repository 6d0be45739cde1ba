// Metadata and administration as clients meet them (behaviours 6, 12-15, 17, 27), and producer ids.
import { expect, test } from 'vitest';
import { createTopicsApi } from '../../../src/protocol/apis/create-topics.ts';
import { deleteTopicsApi } from '../../../src/protocol/apis/delete-topics.ts';
import { describeClusterApi } from '../../../src/protocol/apis/describe-cluster.ts';
import { describeQuorumApi } from '../../../src/protocol/apis/describe-quorum.ts';
import { fetchApi } from '../../../src/protocol/apis/fetch.ts';
import { findCoordinatorApi } from '../../../src/protocol/apis/find-coordinator.ts';
import { initProducerIdApi } from '../../../src/protocol/apis/init-producer-id.ts';
import { metadataApi } from '../../../src/protocol/apis/metadata.ts';
import { produceApi } from '../../../src/protocol/apis/produce.ts';
import type { Node } from '../../../src/server/node.ts';
import type { Bench, Wire } from './bench.ts';
import { batchOf, configText, parsed, startOn, withNode } from './bench.ts';

async function untilKnown(wire: Wire, name: string): Promise<number> {
  for (let asked = 1; ; asked++) {
    const { topics } = await wire.ask(metadataApi, 12, { topics: [{ name }], allowAutoTopicCreation: false });
    if (topics[0]?.errorCode === 0) return asked;
    expect(topics[0]?.errorCode).toBe(3);
  }
}

test('an unknown topic is created if client and broker allow it, and the first answer is 3 (12)', async () => {
  await withNode(async ({ connect, node }) => {
    const wire = await connect();
    const { topics } = await wire.ask(metadataApi, 12, { topics: [{ name: 'new' }, { name: 'not/legal' }] });
    expect(topics.map(({ errorCode }) => errorCode)).toEqual([3, 17]);
    await untilKnown(wire, 'new');
    const off = await wire.ask(metadataApi, 12, { topics: [{ name: 'other' }], allowAutoTopicCreation: false });
    expect(off.topics.map(({ errorCode }) => errorCode)).toEqual([3]);
    const byId = await wire.ask(metadataApi, 12, { topics: [{ name: null, topicId: 'AAAAAAAAAAAAAAAAAAAAAQ' }] });
    expect(byId.topics[0]).toMatchObject({ errorCode: 100, name: null });
    expect((await wire.ask(metadataApi, 12, { topics: null })).topics.map(({ name }) => name)).toEqual(['new']);
    expect([...node.publisher.image.topicIds.keys()]).toEqual(['new']);
  });
});

test('no topic is created where auto.create.topics.enable is false', async () => {
  await withNode(
    async ({ connectWith }) => {
      const wire = await connectWith({ t: {} });
      await wire.ask(metadataApi, 12, { topics: [{ name: 'new' }] });
      await wire.createTopics({ later: {} });
      expect((await wire.ask(metadataApi, 12, { topics: null })).topics).toHaveLength(2);
    },
    { 'auto.create.topics.enable': 'false' },
  );
});

test('empty and null lists, and ids that versions 10 and 11 may not ask by', async () => {
  await withNode(async ({ connectWith }) => {
    const wire = await connectWith({ t: {} });
    const topicId = await wire.topicIdOf('t');
    const count = async (version: number, topics: [] | null) =>
      (await wire.ask(metadataApi, version, { topics })).topics.length;
    expect([await count(0, []), await count(1, []), await count(1, null), await count(12, [])]).toEqual([1, 0, 1, 0]);
    for (const version of [10, 11]) {
      for (const asked of [{ name: null }, { name: 't', topicId }]) {
        const { topics } = await wire.ask(metadataApi, version, { topics: [asked] });
        expect(topics[0]?.errorCode).toBe(42);
      }
      const { topics } = await wire.ask(metadataApi, version, { topics: [{ name: 't' }] });
      expect(topics[0]).toMatchObject({ errorCode: 0, topicId });
    }
    expect((await wire.ask(metadataApi, 12, { topics: [{ name: null, topicId }] })).topics[0]).toMatchObject({
      errorCode: 0,
      name: 't',
    });
    for (const version of [8, 10]) {
      const asked = {
        topics: null,
        includeClusterAuthorizedOperations: true,
        includeTopicAuthorizedOperations: true,
      };
      const answer = await wire.ask(metadataApi, version, asked);
      expect(answer.clusterAuthorizedOperations).toBe(-2_147_483_648);
      expect(answer.topics[0]?.topicAuthorizedOperations).toBe(-2_147_483_648);
    }
  });
});

test('what is created is there in the answers that follow, on every broker; what is deleted is not (14)', async () => {
  await withSecond(async ({ connect }, second) => {
    const [wire, other] = [await connect(), await connect('node2')];
    await wire.createTopics({ t: { partitions: 4 } });
    const { topics } = await wire.ask(metadataApi, 12, { topics: [{ name: 't' }] });
    expect(topics[0]).toMatchObject({ errorCode: 0 });
    expect(topics[0]?.partitions.map(({ errorCode }) => errorCode)).toEqual([0, 0, 0, 0]);
    await second.publisher.whenAt(1);
    await untilKnown(other, 't');
    // Forwarded, as the second broker is no controller.
    const { responses } = await other.ask(deleteTopicsApi, 6, { topics: [{ name: 't' }], timeoutMs: 5000 });
    expect(responses[0]).toMatchObject({ errorCode: 0, name: 't' });
    const gone = await other.ask(metadataApi, 12, { topics: [{ name: 't' }], allowAutoTopicCreation: false });
    expect(gone.topics[0]?.errorCode).toBe(3);
  });
});

test('CreateTopics: defaults, validate only, duplicates, refusals (17)', async () => {
  await withNode(
    async ({ connectWith }) => {
      const wire = await connectWith({ t: {} });
      const topic = (name: string, fields = {}) => {
        return { name, numPartitions: -1, replicationFactor: -1, assignments: [], configs: [], ...fields };
      };
      const create = async (topics: ReturnType<typeof topic>[], validateOnly = false) =>
        (await wire.ask(createTopicsApi, 7, { topics, timeoutMs: 5000, validateOnly })).topics;
      expect(await create([topic('d')], true)).toMatchObject([
        { errorCode: 0, numPartitions: 3, replicationFactor: 1 },
      ]);
      expect(await create([topic('d')])).toMatchObject([{ errorCode: 0, numPartitions: 3, replicationFactor: 1 }]);
      const configs = [{ name: 'max.message.bytes', value: '5000' }];
      const [made] = await create([topic('c', { configs })]);
      expect(made?.configs?.find(({ name }) => name === 'max.message.bytes')?.value).toBe('5000');
      expect((await create([topic('d')]))[0]?.errorCode).toBe(36);
      const twice = await create([topic('x'), topic('x')]);
      expect(new Set(twice.map(({ errorCode }) => errorCode))).toEqual(new Set([42]));
      expect((await create([topic('a/b')]))[0]?.errorCode).toBe(17);
      expect((await create([topic('r', { replicationFactor: 2 })]))[0]?.errorCode).toBe(38);
      expect((await create([topic('p', { numPartitions: 0 })]))[0]?.errorCode).toBe(37);
      const wrong = [{ name: 'max.message.byte', value: '1' }];
      expect((await create([topic('w', { configs: wrong })]))[0]?.errorCode).toBe(40);
    },
    { 'num.partitions': '3' },
  );
});

test('producer ids are never given twice, over blocks, brokers and restarts', async () => {
  await withSecond(async ({ connect, restart }) => {
    const seen = new Set<number>();
    const take = async (wire: Wire, count: number) => {
      const asked = Array.from({ length: count }, () =>
        wire.ask(initProducerIdApi, 4, { transactionalId: null, transactionTimeoutMs: 0 }),
      );
      for (const { errorCode, producerId, producerEpoch } of await Promise.all(asked)) {
        expect([errorCode, producerEpoch]).toEqual([0, 0]);
        expect(seen.has(producerId)).toBe(false);
        seen.add(producerId);
      }
    };
    await Promise.all([take(await connect(), 700), take(await connect('node2'), 700)]);
    await take(await connect(), 700);
    await restart();
    await take(await connect(), 20);
    const refused = await (await connect()).ask(initProducerIdApi, 4, {
      transactionalId: 'tx',
      transactionTimeoutMs: 1000,
    });
    expect(refused).toMatchObject({ errorCode: 53, producerId: -1 });
  });
});

test('coordinators are refused for good, in the shape of the version', async () => {
  await withNode(async ({ connect }) => {
    const wire = await connect();
    expect(await wire.ask(findCoordinatorApi, 0, { key: 'g' })).toMatchObject({ errorCode: 30 });
    expect(await wire.ask(findCoordinatorApi, 3, { key: 'tx', keyType: 1 })).toMatchObject({ errorCode: 53 });
    const { coordinators } = await wire.ask(findCoordinatorApi, 4, { coordinatorKeys: ['a', 'b'] });
    expect(coordinators.map(({ key, errorCode }) => [key, errorCode])).toEqual([
      ['a', 30],
      ['b', 30],
    ]);
  });
});

test('DescribeCluster and DescribeQuorum', async () => {
  await withNode(async ({ connect }) => {
    const wire = await connect();
    const cluster = await wire.ask(describeClusterApi, 2, {});
    expect(cluster).toMatchObject({
      errorCode: 0,
      controllerId: 1,
      brokers: [{ brokerId: 1, host: 'node', port: 9092, isFenced: false }],
    });
    expect((await wire.ask(describeClusterApi, 1, { endpointType: 2 })).errorCode).toBe(114);
    const topics = [{ topicName: '__cluster_metadata', partitions: [{ partitionIndex: 0 }] }];
    const quorum = await wire.ask(describeQuorumApi, 2, { topics });
    expect(quorum.topics[0]?.partitions[0]).toMatchObject({
      errorCode: 0,
      leaderId: 1,
      currentVoters: [{ replicaId: 1 }],
    });
    expect(quorum.nodes).toEqual([{ nodeId: 1, listeners: [{ name: 'CONTROLLER', host: 'node', port: 9093 }] }]);
    expect((await wire.ask(describeQuorumApi, 2, { topics: [] })).errorCode).toBe(42);
  });
});

test('the wrong broker says so in every version, and from some on who leads and where (27)', async () => {
  await withSecond(async ({ connect }, second) => {
    const wire = await connect();
    const assignments = [{ partitionIndex: 0, brokerIds: [2] }];
    const topic = { name: 't', numPartitions: -1, replicationFactor: -1, assignments, configs: [] };
    await wire.ask(createTopicsApi, 7, { topics: [topic], timeoutMs: 5000 });
    const topicId = await wire.topicIdOf('t');
    const leaderEpoch = second.publisher.image.topics.get(topicId)?.partitions.get(0)?.leaderEpoch ?? 0;
    const endpoint = { nodeId: 2, host: 'node2', port: 9092 };
    for (let version = produceApi.minVersion; version <= produceApi.maxVersion; version++) {
      const topicData = [{ name: 't', partitionData: [{ index: 0, records: batchOf() }] }];
      const answer = await wire.ask(produceApi, version, { acks: -1, timeoutMs: 100, topicData });
      const hint = version < 10 ? { leaderId: -1, leaderEpoch: -1 } : { leaderId: 2, leaderEpoch };
      expect(answer.responses[0]?.partitionResponses[0]).toMatchObject({ errorCode: 6, currentLeader: hint });
      expect(answer.nodeEndpoints).toMatchObject(version < 10 ? [] : [endpoint]);
    }
    for (let version = fetchApi.minVersion; version <= fetchApi.maxVersion; version++) {
      const partitions = [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1000 }];
      const topics = [{ ...(version >= 13 ? { topicId } : { topic: 't' }), partitions }];
      const answer = await wire.ask(fetchApi, version, { maxWaitMs: 0, minBytes: 1, topics });
      const hint = version < 12 ? { leaderId: -1 } : { leaderId: 2, leaderEpoch };
      expect(answer.responses[0]?.partitions[0]).toMatchObject({ errorCode: 6, currentLeader: hint });
      expect(answer.nodeEndpoints).toMatchObject(version < 16 ? [] : [endpoint]);
    }
    expect(await (await connect('node2')).produce('t', batchOf())).toMatchObject({ errorCode: 0 });
  });
});

/** With a second node, that is a mere broker at host `node2`. */
async function withSecond(body: (bench: Bench, second: Node) => Promise<void>): Promise<void> {
  await withNode(async (bench) => {
    const host = bench.world.process('node2');
    host.disk.provision('/data');
    const config = parsed(
      configText({
        'node.id': '2',
        'process.roles': 'broker',
        listeners: 'PLAINTEXT://node2:9092,GRPC://node2:9094',
      }),
    );
    const second = await new Promise<Node>((resolve) => {
      host.start(async (env) => resolve(await startOn(env, config)));
    });
    await body(bench, second);
  });
}
