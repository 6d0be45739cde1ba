// The loss ledger on whole nodes (S-D8): an unclean election, what the replicas say of it as they come back, and what is read of it.
import { describe, expect, test } from 'vitest';
import type { LossDescription } from '../../../src/gen/kvorum/v1/admin.ts';
import { ElectionType } from '../../../src/gen/kvorum/v1/admin.ts';
import { LossKind } from '../../../src/gen/kvorum/v1/metadata.ts';
import { EMPTY_IMAGE } from '../../../src/metadata/image.ts';
import { lossesOf } from '../../../src/metadata/losses.ts';
import { batchOf, Wire } from '../broker/bench.ts';
import { Admin, call, creation, failureOf, newTopic, said } from './admin-calls.ts';
import { SimCluster } from './sim-cluster.ts';

const BROKERS = new Map([
  ['b4', 4],
  ['b5', 5],
  ['b6', 6],
]);

function start(cluster: SimCluster, ...hosts: string[]): void {
  for (const host of hosts) cluster.start(host, { nodeId: BROKERS.get(host) ?? 0, isController: false });
}

function kill(cluster: SimCluster, ...hosts: string[]): void {
  for (const host of hosts) {
    cluster.world.process(host).kill();
    cluster.nodes.delete(host);
  }
}

/** Topic t with its partition on brokers 4, 5 and 6, any of which acknowledges alone. */
async function replicated(): Promise<SimCluster> {
  const cluster = new SimCluster();
  await cluster.startControllers();
  start(cluster, ...BROKERS.keys());
  await cluster.ready(...BROKERS.keys());
  const assignments = [{ partition: 0, replicas: [4, 5, 6] }];
  const topic = newTopic('t', {
    assignments,
    partitions: -1,
    replicationFactor: -1,
    configs: { 'min.insync.replicas': '1' },
  });
  const { topics } = await call(cluster, 'b4', Admin.createTopics, creation([topic]));
  expect(said(topics)).toEqual([undefined]);
  return cluster;
}

function stateAt(cluster: SimCluster, host: string) {
  const image = cluster.nodes.get(host)?.publisher.image;
  const topicId = image?.topicIds.get('t') ?? '';
  return image?.topics.get(topicId)?.partitions.get(0);
}

function isOpen(cluster: SimCluster, host: string): boolean {
  const image = cluster.nodes.get(host)?.publisher.image ?? EMPTY_IMAGE;
  return lossesOf(image, image.topicIds.get('t') ?? '', 0).some(({ awaited }) => awaited.length > 0);
}

async function until(cluster: SimCluster, what: string, isSo: () => boolean): Promise<void> {
  await cluster.world.runUntil(isSo, 120_000, what);
}

async function losses(cluster: SimCluster, host: string, onlyOpen = false): Promise<LossDescription[]> {
  return (await call(cluster, host, Admin.describeLosses, { topics: ['t'], onlyOpen })).losses;
}

describe('after an unclean election', () => {
  test('S-D8: an entry waits for every replica, and is exact when all are back', async () => {
    const cluster = await replicated();
    const produce = (count: number) =>
      cluster.ask('b4', async ({ env }) => {
        const wire = await Wire.open(env, 'b4');
        expect(await wire.produce('t', batchOf(count))).toMatchObject({ errorCode: 0 });
      });
    await produce(10);
    await until(cluster, 'all in the ISR', () => stateAt(cluster, 'b4')?.isr.length === 3);
    kill(cluster, 'b5', 'b6');
    await until(cluster, 'broker 4 alone in the ISR', () => stateAt(cluster, 'b4')?.isr.join() === '4');
    await produce(7);
    kill(cluster, 'b4');
    start(cluster, 'b5', 'b6');
    await cluster.ready('b5', 'b6');
    expect(await losses(cluster, 'b5')).toEqual([]);

    const request = { type: ElectionType.UNCLEAN, partitions: [{ topic: 't', partition: 0 }] };
    const elect = { ...request, validateOnly: false, forwarded: false };
    await until(cluster, 'nobody leads', () => stateAt(cluster, 'b5')?.leader === -1);
    const { partitions } = await call(cluster, 'b5', Admin.electLeaders, elect);
    expect(said(partitions)).toEqual([undefined]);
    const leader = partitions[0]?.leader ?? -1;
    await until(cluster, 'the leader has recovered', () => stateAt(cluster, 'b5')?.recovering === false);
    await until(cluster, 'both are in the ISR', () => stateAt(cluster, 'b5')?.isr.length === 2);
    const [open, ...more] = await losses(cluster, 'c1', true);
    expect(more).toEqual([]);
    expect(open).toMatchObject({ leader, awaited: [4], firstOffset: 0, endOffset: 0, unregistered: [] });
    expect(open?.cause).toContain('administrator');
    expect(open?.oldElr.concat(open.oldIsr)).toEqual([4]);

    start(cluster, 'b4');
    await cluster.ready('b4');
    await until(cluster, 'all in the ISR', () => stateAt(cluster, 'b4')?.isr.length === 3);
    await until(cluster, 'nobody is awaited', () => !isOpen(cluster, 'b4'));
    const [closed] = await losses(cluster, 'b4');
    expect(closed).toMatchObject({ awaited: [], firstOffset: 10, endOffset: 17, offset: open?.offset });
    const byBroker = new Map(closed?.replicas.map((replica) => [replica.brokerId, replica]));
    expect(byBroker.get(leader)).toMatchObject({ kind: LossKind.LED, fromOffset: 10, toOffset: 10 });
    expect(byBroker.get(11 - leader)).toMatchObject({ kind: LossKind.CUT, fromOffset: 10, toOffset: 10 });
    expect(byBroker.get(4)).toMatchObject({ kind: LossKind.CUT, fromOffset: 10, toOffset: 17 });
    expect(await losses(cluster, 'c2', true)).toEqual([]);
  });
});

test('DescribeLosses names what it cannot answer', async () => {
  const cluster = await replicated();
  const unknown = await failureOf(
    call(cluster, 'b5', Admin.describeLosses, { topics: ['t', 'nope'], onlyOpen: false }),
  );
  expect(unknown).toMatchObject({ status: 'INVALID_ARGUMENT', message: "there is no topic 'nope'" });
  const many = { topics: Array.from({ length: 10_001 }, () => 't'), onlyOpen: false };
  expect(await failureOf(call(cluster, 'b5', Admin.describeLosses, many))).toMatchObject({
    status: 'INVALID_ARGUMENT',
    message: 'the call names 10001 topics, of 10000 possible',
  });
});
