// AdminService.DeleteRecords on controllers and brokers of a simulated cluster, and what a restart leaves of it.
import { describe, expect, test } from 'vitest';
import type { DeletedRecords, RecordsToDelete } from '../../../src/gen/kvorum/v1/admin.ts';
import { listOffsetsApi } from '../../../src/protocol/apis/list-offsets.ts';
import { batchOf, Wire } from '../broker/bench.ts';
import { Admin, call, creation, failureOf, formed, newTopic, said } from './admin-calls.ts';
import type { SimCluster } from './sim-cluster.ts';

/** The broker is `node`; orders has three partitions of six records in small segments, `compacted` is only compacted. */
async function withTopics(configs: Readonly<Record<string, string>> = {}): Promise<SimCluster> {
  const cluster = await formed();
  const created = await call(
    cluster,
    'c1',
    Admin.createTopics,
    creation([
      newTopic('orders', { partitions: 3, configs: { 'segment.bytes': '400', ...configs } }),
      newTopic('compacted', { configs: { 'cleanup.policy': 'compact' } }),
    ]),
  );
  expect(said(created.topics)).toEqual([undefined, undefined]);
  await onWire(cluster, async (wire) => {
    for (const partition of [0, 1, 2]) {
      for (let i = 0; i < 3; i++) {
        expect(await wire.produce('orders', batchOf(2, 100), { partition })).toMatchObject({ errorCode: 0 });
      }
    }
  });
  return cluster;
}

let wires = 0;

function onWire<T>(cluster: SimCluster, body: (wire: Wire) => Promise<T>): Promise<T> {
  return cluster.world.run(`wire-${++wires}`, 60_000, async (env) => body(await Wire.open(env, 'node')));
}

function item(topic: string, partition: number, beforeOffset: number): RecordsToDelete {
  return { topic, partition, beforeOffset };
}

function deletion(cluster: SimCluster, via: string, ...partitions: RecordsToDelete[]) {
  return call(cluster, via, Admin.deleteRecords, { partitions, timeoutMs: 0 });
}

function lowWatermarks({ partitions }: { readonly partitions: readonly DeletedRecords[] }) {
  expect(said(partitions)).toEqual(partitions.map(() => undefined));
  return partitions.map(({ lowWatermark }) => lowWatermark);
}

/** The offsets between which partition 0 of orders has records. */
async function extent(cluster: SimCluster): Promise<(number | undefined)[]> {
  return onWire(cluster, async (wire) => {
    const found: (number | undefined)[] = [];
    for (const timestamp of [-2, -1]) {
      const topics = [{ name: 'orders', partitions: [{ partitionIndex: 0, timestamp }] }];
      const answer = await wire.ask(listOffsetsApi, 5, { replicaId: -1, isolationLevel: 0, topics });
      found.push(answer.topics[0]?.partitions[0]?.offset);
    }
    return found;
  });
}

describe('DeleteRecords', () => {
  test.each(['c1', 'c2', 'c3', 'node'])('at %s, which asks the leaders', async (via) => {
    const cluster = await withTopics();
    const answer = await deletion(cluster, via, item('orders', 2, -1), item('orders', 0, 3), item('orders', 1, 0));
    expect(lowWatermarks(answer)).toEqual([6, 3, 0]);
    expect(answer.partitions.map(({ topic, partition }) => `${topic}-${partition}`)).toEqual([
      'orders-2',
      'orders-0',
      'orders-1',
    ]);
    expect(await extent(cluster)).toEqual([3, 6]);
  });

  test('each partition has its own answer, in a sentence where it cannot be done', async () => {
    const cluster = await withTopics();
    const { partitions } = await deletion(
      cluster,
      'c2',
      item('nothing', 0, 1),
      item('orders', 3, 1),
      item('orders', 0, 7),
      item('orders', 1, -2),
      item('compacted', 0, 0),
      item('orders', 2, 1),
    );
    expect(said(partitions)).toEqual([
      "UNKNOWN_TOPIC_OR_PARTITION: there is no topic 'nothing'",
      'UNKNOWN_TOPIC_OR_PARTITION: topic orders has partitions 0 to 2, not 3',
      'OFFSET_OUT_OF_RANGE: offset 7 lies above the high watermark of orders-0: only what is committed can be deleted; -1 deletes all of that',
      'OFFSET_OUT_OF_RANGE: before_offset is an offset, or -1 for the end; it is -2',
      'POLICY_VIOLATION: topic compacted is only compacted: records can be deleted where cleanup.policy has delete',
      undefined,
    ]);
    expect(partitions.map(({ lowWatermark }) => lowWatermark)).toEqual([-1, -1, -1, -1, -1, 1]);
  });

  test('a partition that is named twice is refused both times', async () => {
    const cluster = await withTopics();
    const { partitions } = await deletion(cluster, 'node', item('orders', 0, 1), item('orders', 0, 2));
    const twice = 'INVALID_REQUEST: partition orders-0 is named more than once: give it once';
    expect(said(partitions)).toEqual([twice, twice]);
    expect(await extent(cluster)).toEqual([0, 6]);
  });

  test('what is wrong with the call as a whole is an invalid argument', async () => {
    const cluster = await withTopics();
    const many = Array.from({ length: 10_001 }, (_, i) => item('orders', i, 0));
    const tooMany = await failureOf(deletion(cluster, 'node', ...many));
    expect([tooMany.status, tooMany.message]).toEqual([
      'INVALID_ARGUMENT',
      'the call has 10001 items in partitions, of 10000 possible: use several calls',
    ]);
    const negative = await failureOf(call(cluster, 'c1', Admin.deleteRecords, { partitions: [], timeoutMs: -1 }));
    expect(negative.status).toBe('INVALID_ARGUMENT');
    expect(await deletion(cluster, 'c1')).toEqual({ partitions: [] });
  });

  test('while no broker leads, it says so at once, and how to learn more', async () => {
    const cluster = await withTopics();
    cluster.world.process('node').kill();
    await cluster.world.runFor(30_000);
    const { partitions } = await deletion(cluster, 'c1', item('orders', 0, 1));
    expect(said(partitions)).toEqual([
      'LEADER_NOT_AVAILABLE: partition orders-0 has no leader at present: kvorum partition explain orders-0 tells why',
    ]);
  });
});

describe('D-9.1, D-9.2 the log start after', () => {
  test.each([
    ['a clean stop', 'sync'],
    ['a kill', 'sync'],
    ['a power cut', 'sync'],
    ['a power cut', 'async'],
    ['a kill', 'async'],
  ])('%s (log.flush.mode=%s) is what was answered', async (end, mode) => {
    const cluster = await withTopics({ 'log.flush.mode': mode });
    expect(lowWatermarks(await deletion(cluster, 'node', item('orders', 0, 5), item('orders', 1, -1)))).toEqual([5, 6]);
    const host = cluster.world.process('node');
    if (end === 'a clean stop') {
      let isStopped = false;
      void cluster.nodes
        .get('node')
        ?.stop()
        .then(() => {
          isStopped = true;
        });
      await cluster.world.runUntil(() => isStopped, 60_000, 'the broker stopped');
    }
    if (end === 'a power cut') host.powerCut();
    else host.kill();
    cluster.start('node', { nodeId: 9, isController: false });
    await cluster.ready('node');
    expect(await extent(cluster)).toEqual([5, 6]);
    expect(lowWatermarks(await deletion(cluster, 'c1', item('orders', 0, 0), item('orders', 1, 0)))).toEqual([5, 6]);
    const produced = await onWire(cluster, (wire) => wire.produce('orders', batchOf(1), { partition: 1 }));
    expect(produced).toMatchObject({ errorCode: 0, baseOffset: 6, logStartOffset: 6 });
  });
});
