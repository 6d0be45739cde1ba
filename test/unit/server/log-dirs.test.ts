// Whole nodes with two log dirs: what is told of them, at the start, when one fails, and to those who ask (D-10.5).
import { describe, expect, test } from 'vitest';
import { ErrorCode } from '../../../src/protocol/error-codes.ts';
import { batchOf, Wire } from '../broker/bench.ts';
import { Admin, creation, failureOf, formed, newTopic, said } from './admin-calls.ts';
import type { SimCluster } from './sim-cluster.ts';

const KEYS = { 'metadata.log.dir': '/data', 'log.dirs': '/data,/new-data' };

/** A cluster with the broker 9 at `node` on two log dirs, and topics with a partition each: t0 and t2 in the first, t1 in the second. */
async function withTopics(): Promise<SimCluster> {
  const cluster = await formed();
  await restart(cluster);
  await cluster.ask('node', async ({ env, call }) => {
    for (const name of ['t0', 't1', 't2']) await call(Admin.createTopics, creation([newTopic(name)]));
    const wire = await Wire.open(env, 'node');
    for (const name of ['t0', 't1', 't2']) await wire.produce(name, batchOf(5));
  });
  return cluster;
}

async function stop(cluster: SimCluster): Promise<void> {
  let isStopped = cluster.nodes.get('node') === undefined;
  void cluster.nodes
    .get('node')
    ?.stop()
    .then(() => {
      isStopped = true;
    });
  await cluster.world.runUntil(() => isStopped, 20_000, 'the broker stops');
  cluster.nodes.delete('node');
  cluster.world.process('node').kill();
}

async function restart(cluster: SimCluster): Promise<void> {
  await stop(cluster);
  cluster.start('node', { nodeId: 9, isController: false, keys: KEYS });
  await cluster.ready('node');
}

function image(cluster: SimCluster) {
  return cluster.nodes.get('node')?.publisher.image;
}

function lines(cluster: SimCluster, event: string) {
  return cluster.world.log.lines().filter((line) => line.event === event);
}

const EVERYTHING = { brokerIds: [], topics: [] };

describe('the metadata', () => {
  test('says where each replica is, and who has lost a log dir with what was in it', async () => {
    const cluster = await withTopics();
    const stateOf = (name: string) => {
      const topic = [...(image(cluster)?.topics.values() ?? [])].find((each) => each.name === name);
      return topic?.partitions.get(0);
    };
    const dirs = image(cluster)?.brokers.get(9)?.logDirs ?? [];
    expect(dirs).toHaveLength(2);
    await cluster.world.runFor(2000);
    const [t0, t1, t2] = ['t0', 't1', 't2'].map((name) => stateOf(name)?.directories[0] ?? '');
    expect([t0 === t2, t0 === t1, dirs.includes(t0 ?? ''), dirs.includes(t1 ?? '')]).toEqual([true, false, true, true]);

    const { disk } = cluster.world.process('node');
    disk.failNext('write', '/new-data/t1-0');
    const codes = await cluster.ask('node', async ({ env }) => {
      const wire = await Wire.open(env, 'node');
      const answers = [];
      for (const name of ['t1', 't0', 't1', 't2']) answers.push((await wire.produce(name, batchOf(1))).errorCode);
      return answers;
    });
    expect(codes).toEqual([ErrorCode.KAFKA_STORAGE_ERROR, 0, ErrorCode.KAFKA_STORAGE_ERROR, 0]);
    await cluster.world.runUntil(
      () => image(cluster)?.brokers.get(9)?.logDirs.length === 1,
      1000,
      'the broker has told',
    );
    expect(image(cluster)?.brokers.get(9)).toMatchObject({ logDirs: [t0], fenced: false });
    expect(stateOf('t1')?.leader).toBe(-1);
    expect([stateOf('t0')?.leader, stateOf('t2')?.leader]).toEqual([9, 9]);
    expect(lines(cluster, 'log-dir-offline').map(({ fields }) => [fields?.['path'], fields?.['partitions']])).toEqual([
      ['/new-data', 1],
    ]);

    // Mended: everything is served again, with what was acknowledged.
    await restart(cluster);
    await cluster.world.runUntil(() => stateOf('t1')?.leader === 9, 10_000, 't1 is led again');
    const { brokers } = await cluster.ask('node', ({ call }) => call(Admin.describeLogDirs, EVERYTHING));
    expect(brokers[0]?.logDirs.map(({ replicas }) => replicas.map(({ topic }) => topic))).toEqual([
      ['t0', 't2'],
      ['t1'],
    ]);
  });

  test('C-2.4: a start without one of the log dirs is not clean, and nor is the next with all of them', async () => {
    const cluster = await withTopics();
    const causes = new Map<number, string>();
    cluster.nodes.get('c1')?.publisher.subscribe(({ brokers }) => {
      const broker = brokers.get(9);
      if (broker?.state.cause.startsWith('registered')) causes.set(broker.brokerEpoch, broker.state.cause);
    });
    const { disk } = cluster.world.process('node');
    for (const isBroken of [true, false, false]) {
      await stop(cluster);
      if (isBroken) disk.failNext('store', '/new-data/checkpoints');
      await restart(cluster);
      expect(image(cluster)?.brokers.get(9)?.logDirs).toHaveLength(isBroken ? 1 : 2);
    }
    const lossy = 'registered after a crash that may have cost records';
    expect([...causes.values()]).toEqual([lossy, lossy, 'registered']);
  });
});

describe('DescribeLogDirs', () => {
  test('every node answers the same, with sizes and room, of all brokers or of some, and of topics', async () => {
    const cluster = await withTopics();
    const ofNode = await cluster.ask('node', ({ call }) => call(Admin.describeLogDirs, EVERYTHING));
    expect(await cluster.ask('c1', ({ call }) => call(Admin.describeLogDirs, EVERYTHING))).toEqual(ofNode);
    const [broker, ...others] = ofNode.brokers;
    expect([broker?.brokerId, broker?.error, others]).toEqual([9, undefined, []]);
    const bytes = cluster.world.process('node').disk.contentOf('/data/t0-0/00000000000000000000.log').length;
    const replica = { partition: 0, sizeBytes: bytes, offsetLag: 0 };
    expect(broker?.logDirs).toMatchObject([
      { path: '/data', replicas: ['t0', 't2'].map((topic) => ({ topic, ...replica })) },
      { path: '/new-data', replicas: [{ topic: 't1', ...replica }] },
    ]);
    for (const { error, totalBytes, usableBytes } of broker?.logDirs ?? []) {
      expect([error, usableBytes > 0, usableBytes < totalBytes]).toEqual([undefined, true, true]);
    }
    const some = { brokerIds: [9, 9], topics: ['t2'] };
    const found = await cluster.ask('c1', ({ call }) => call(Admin.describeLogDirs, some));
    expect(found.brokers.map(({ logDirs }) => logDirs.flatMap(({ replicas }) => replicas))).toEqual([
      [{ topic: 't2', ...replica }],
    ]);
    const wrong = { brokerIds: [], topics: ['nobody'] };
    const failure = await failureOf(cluster.ask('c1', ({ call }) => call(Admin.describeLogDirs, wrong)));
    expect([failure.status, failure.message]).toEqual(['INVALID_ARGUMENT', "there is no topic 'nobody'"]);
  });

  test('an offline log dir, and a broker that is not there, are told with an error each', async () => {
    const cluster = await withTopics();
    cluster.world.process('node').disk.failNext('sync', '/data/t0-0');
    await cluster.ask('node', async ({ env }) => (await Wire.open(env, 'node')).produce('t0', batchOf(1)));
    const { brokers } = await cluster.ask('c2', ({ call }) =>
      call(Admin.describeLogDirs, { brokerIds: [9, 5], topics: [] }),
    );
    expect(said(brokers)).toEqual([undefined, 'BROKER_ID_NOT_REGISTERED: broker 5 is not registered']);
    expect(said(brokers[0]?.logDirs ?? [])).toEqual([
      'KAFKA_STORAGE_ERROR: the disk of /data failed: the log of broker 9 says how, at log-dir-offline',
      undefined,
    ]);
    expect(brokers[0]?.logDirs[0]).toMatchObject({ totalBytes: -1, usableBytes: -1, replicas: [] });
    cluster.world.process('node').kill();
    const dead = await cluster.ask('c2', ({ call }) => call(Admin.describeLogDirs, EVERYTHING));
    expect(dead.brokers.map(({ error }) => error?.name)).toEqual(['BROKER_NOT_AVAILABLE']);
    await cluster.world.runFor(20_000);
    const fenced = await cluster.ask('c2', ({ call }) => call(Admin.describeLogDirs, EVERYTHING));
    expect(said(fenced.brokers)).toEqual([
      'BROKER_NOT_AVAILABLE: broker 9 is fenced: kvorum broker describe 9 tells why',
    ]);
  });
});
