import { beforeEach, describe, expect, it } from 'vitest';
import type { NewTopic } from '../../../src/gen/kvorum/v1/admin.ts';
import { AdminServiceDefinition as Admin } from '../../../src/gen/kvorum/v1/admin.ts';
import type { BrokerHeartbeatRequest, RegisterBrokerRequest } from '../../../src/gen/kvorum/v1/controller.ts';
import { ControllerServiceDefinition as Control } from '../../../src/gen/kvorum/v1/controller.ts';
import { partitionOf, topicByName } from '../../../src/metadata/image.ts';
import { LATEST_METADATA_LEVEL } from '../../../src/metadata/record.ts';
import { uuid } from '../metadata/fixture.ts';
import type { Harness } from './harness.ts';
import { CLUSTER_ID, outcome, startHarness } from './harness.ts';

const SESSION_MS = 9000;
let h: Harness;
beforeEach(() => {
  h = startHarness();
});

function register(brokerId: number, fields: Partial<RegisterBrokerRequest> = {}, remainingMs?: number) {
  const request = {
    clusterId: CLUSTER_ID,
    brokerId,
    incarnationId: uuid(200 + brokerId),
    logDirs: [uuid(1000 + brokerId)],
    endpoints: [{ listener: 'PLAINTEXT', host: 'h', port: 1 }],
    rack: '',
    bootCounter: 1,
    previousBrokerEpoch: -1,
    minMetadataLevel: 1,
    maxMetadataLevel: 3,
    ...fields,
  };
  return h.call(Control, Control.methods.registerBroker, request, remainingMs);
}

function beat(brokerId: number, brokerEpoch: number, fields: Partial<BrokerHeartbeatRequest> = {}) {
  const request = {
    brokerId,
    brokerEpoch,
    metadataEndOffset: brokerEpoch + 1,
    wantFence: false,
    wantShutdown: false,
    offlineLogDirs: [],
    ...fields,
  };
  return h.call(Control, Control.methods.brokerHeartbeat, request);
}

function create(name: string, fields: Partial<NewTopic> = {}, remainingMs?: number) {
  const topics = [{ name, partitions: 1, replicationFactor: -1, configs: {}, assignments: [], ...fields }];
  const request = { topics, validateOnly: false, forwarded: false };
  return h.call(Admin, Admin.methods.createTopics, request, remainingMs);
}

const list = () => h.call(Admin, Admin.methods.listTopics, {});

/** Registers and unfences; commits both. */
async function join(brokerId: number, fields: Partial<RegisterBrokerRequest> = {}): Promise<number> {
  const registered = register(brokerId, fields);
  h.commit();
  const { brokerEpoch } = await registered;
  const unfenced = beat(brokerId, brokerEpoch);
  h.commit();
  await unfenced;
  return brokerEpoch;
}

describe('commands', () => {
  it('C-1.1: a new cluster begins with its metadata level, also after a failover that lost it', () => {
    h.elect();
    h.depose();
    h.elect();
    h.commit();
    h.depose();
    h.elect();
    h.commit();
    expect(h.publisher.image.level).toBe(LATEST_METADATA_LEVEL);
    expect(h.quorum.log.filter(({ records }) => records.length > 0)).toHaveLength(1);
  });

  it('C-0.2: answers only when committed, and shows nothing before', async () => {
    h.elect();
    await join(1);
    const created = create('a');
    expect(await outcome(created)).toBe('pending');
    expect((await list()).topics).toEqual([]);
    h.commit();
    const { topics, metadataEndOffset } = await created;
    expect(topics[0]).toMatchObject({ name: 'a', error: undefined });
    expect(metadataEndOffset).toBe(h.publisher.image.endOffset);
    expect((await list()).topics).toHaveLength(1);
  });

  it('C-0.1: commands build on uncommitted ones, and answers that saw those wait for them', async () => {
    h.elect();
    await join(1);
    const first = create('a');
    const second = create('a');
    const third = create('b');
    expect(await outcome(second)).toBe('pending');
    h.commit(1);
    expect((await second).topics[0]?.error?.name).toBe('TOPIC_ALREADY_EXISTS');
    expect((await first).topics[0]?.error).toBeUndefined();
    expect(await outcome(third)).toBe('pending');
    h.commit();
    await third;
  });

  it('C-0.2: a refusal that rests on uncommitted state waits for it too', async () => {
    h.elect();
    h.commit();
    const first = register(1);
    const stale = beat(1, 0);
    expect(await outcome(stale)).toBe('pending');
    h.commit();
    await first;
    await expect(stale).rejects.toMatchObject({ status: 'ABORTED' });
  });

  it('B32, C-0.3: what is not committed is gone with the claim, and all who wait hear that', async () => {
    h.elect();
    const epoch = await join(1);
    const created = create('a');
    const ids = h.call(Control, Control.methods.allocateProducerIds, { brokerId: 1, brokerEpoch: epoch });
    h.depose();
    await expect(created).rejects.toMatchObject({ status: 'UNAVAILABLE' });
    await expect(ids).rejects.toMatchObject({ status: 'UNAVAILABLE' });
    expect((await list()).topics).toEqual([]);
    h.elect();
    const again = create('a');
    h.commit();
    expect((await again).topics[0]?.error).toBeUndefined();
    const block = h.call(Control, Control.methods.allocateProducerIds, { brokerId: 1, brokerEpoch: epoch });
    h.commit();
    expect(await block).toEqual({ firstProducerId: 0, count: 1000 });
    expect(h.clock.timerCount).toBe(3); // sessions, leaderless partitions, balance
  });

  it('C-1.4: a controller that is not active does nothing and names the one that is', async () => {
    await expect(register(1)).rejects.toMatchObject({
      status: 'FAILED_PRECONDITION',
      message: expect.stringContaining('no active controller is known') as string,
    });
    h.elect();
    h.depose();
    await expect(register(1)).rejects.toMatchObject({
      status: 'FAILED_PRECONDITION',
      message: expect.stringContaining('node 102') as string,
    });
  });

  it('an append that the quorum refuses leaves no trace', async () => {
    h.elect();
    await join(1);
    h.quorum.refuseAppends();
    await expect(create('a')).rejects.toMatchObject({ status: 'FAILED_PRECONDITION' });
    h.quorum.acceptAppends();
    const again = create('a');
    h.commit();
    expect((await again).topics[0]?.error).toBeUndefined();
  });

  it('a deadline ends the wait, not the command', async () => {
    h.elect();
    await join(1);
    const registered = register(2, {}, 500);
    h.clock.advance(499);
    expect(await outcome(registered)).toBe('pending');
    h.clock.advance(1);
    await expect(registered).rejects.toMatchObject({
      status: 'DEADLINE_EXCEEDED',
      message: expect.stringContaining('may still take effect') as string,
    });
    h.commit();
    expect(h.publisher.image.brokers.has(2)).toBe(true);
  });

  it('C-0.7: control batches of the quorum in between disturb nothing', async () => {
    h.elect();
    await join(1);
    const first = create('a');
    h.quorum.push([], 1);
    const second = create('b');
    h.commit();
    await first;
    await second;
    h.quorum.push([], 1);
    h.commit();
    expect((await list()).metadataEndOffset).toBe(h.quorum.endOffset);
    const third = create('a');
    expect((await third).topics[0]?.error?.name).toBe('TOPIC_ALREADY_EXISTS');
  });

  it('stops: fails what waits and leaves no timer', async () => {
    h.elect();
    h.commit();
    const waiting = register(1, {}, 60_000);
    const stopping = h.controller.stop();
    await expect(register(2)).rejects.toThrow('node 101 is not the active controller: it is stopping');
    h.clock.advance(300);
    await stopping;
    await expect(waiting).rejects.toMatchObject({ status: 'UNAVAILABLE' });
    expect(h.clock.timerCount).toBe(0);
    expect(h.quorum.resigned).toEqual([]);
  });

  it('stops: what is committed in time is answered', async () => {
    h.elect();
    await join(1);
    const waiting = create('a');
    const stopping = h.controller.stop();
    h.commit();
    expect((await waiting).topics[0]?.error).toBeUndefined();
    await stopping;
    expect(h.clock.timerCount).toBe(0);
  });
});

describe('brokers', () => {
  it('C-2.1, C-3.2: registers fenced, is unfenced when its image shows the registration', async () => {
    h.elect();
    const registered = register(1);
    h.commit();
    const { brokerEpoch } = await registered;
    expect(brokerEpoch).toBe(h.quorum.endOffset - 1);
    const early = await beat(1, brokerEpoch, { metadataEndOffset: brokerEpoch });
    expect(early.fenced).toBe(true);
    const caughtUp = beat(1, brokerEpoch, { metadataEndOffset: brokerEpoch + 1 });
    h.commit();
    expect((await caughtUp).fenced).toBe(false);
    expect(h.logged).toContain('broker-unfenced');
  });

  it('C-2.2, C-2.3: a retry before the commit, a duplicate, and its turn when the session has lapsed', async () => {
    h.elect();
    const first = register(1);
    const retry = register(1);
    h.commit();
    expect(await retry).toEqual(await first);
    const other = { incarnationId: uuid(5), logDirs: [uuid(6)] };
    await expect(register(1, other)).rejects.toMatchObject({ status: 'ALREADY_EXISTS' });
    h.clock.advance(SESSION_MS);
    const late = register(1, other);
    h.commit();
    expect((await late).brokerEpoch).toBeGreaterThan((await first).brokerEpoch);
    await expect(beat(1, (await first).brokerEpoch)).rejects.toMatchObject({ status: 'ABORTED' });
  });

  it('fences a silent broker after its session, one batch each, and elects when it is back', async () => {
    h.elect();
    const one = await join(1);
    const two = await join(2);
    const created = create('a', { partitions: 2, replicationFactor: 1 });
    h.commit();
    const topicId = (await created).topics[0]?.topicId ?? '';
    h.clock.advance(SESSION_MS - 1);
    expect(h.quorum.endOffset).toBe(h.quorum.committed);
    const batches = h.quorum.log.length;
    h.clock.advance(1);
    expect(h.quorum.log.length - batches).toBe(2); // C-3.4
    h.commit();
    const { image } = h.publisher;
    expect([image.brokers.get(1)?.fenced, image.brokers.get(2)?.fenced]).toEqual([true, true]);
    expect([0, 1].map((p) => partitionOf(image, topicId, p))).toMatchObject([
      { leader: -1, isr: [], elr: [1], leaderEpoch: 1 },
      { leader: -1, isr: [], elr: [2], leaderEpoch: 1 },
    ]);
    const back = [beat(2, two), beat(1, one)];
    h.commit();
    await Promise.all(back);
    expect([0, 1].map((p) => partitionOf(h.publisher.image, topicId, p))).toMatchObject([
      { leader: 1, leaderEpoch: 2 },
      { leader: 2, leaderEpoch: 2 },
    ]);
  });

  it('heartbeats keep the session, committed or not (C-3.5)', async () => {
    h.elect();
    const epoch = await join(1);
    for (let i = 0; i < 10; i++) {
      h.clock.advance(SESSION_MS - 1);
      const answered = beat(1, epoch);
      expect((await answered).fenced).toBe(false);
    }
    void create('never-committed').catch(() => undefined);
    for (let i = 0; i < 3; i++) {
      h.clock.advance(SESSION_MS - 1);
      void beat(1, epoch).catch(() => undefined);
    }
    h.commit();
    expect(h.publisher.image.brokers.get(1)?.fenced).toBe(false);
  });

  it('a leader that has appended too much and cannot commit it takes no more', async () => {
    h.elect();
    const before = h.quorum.endOffset;
    h.quorum.isCongested = true;
    await expect(join(1)).rejects.toMatchObject({ status: 'RESOURCE_EXHAUSTED' });
    expect(h.quorum.endOffset).toBe(before);
    h.quorum.isCongested = false;
    await join(1);
    expect(h.quorum.endOffset).toBeGreaterThan(before);
  });

  it('C-3.5, B34: after standing still itself, the controller listens before it fences', async () => {
    h.elect();
    const one = await join(1);
    await join(2);
    h.clock.stall(60_000);
    h.clock.advance(0); // the scan runs before the heartbeats are read
    await beat(1, one);
    h.clock.advance(SESSION_MS - 1);
    h.commit();
    const { image } = h.publisher;
    expect([image.brokers.get(1)?.fenced, image.brokers.get(2)?.fenced]).toEqual([false, true]);
  });

  it('C-1.2, B33: a new claim gives every registered broker a full new session', async () => {
    h.elect();
    await join(1);
    const fenced = register(2);
    h.commit();
    await fenced;
    h.clock.advance(SESSION_MS - 1);
    h.depose();
    h.clock.advance(SESSION_MS * 5);
    h.elect();
    await expect(register(2, { incarnationId: uuid(5), logDirs: [uuid(6)] })).rejects.toMatchObject({
      status: 'ALREADY_EXISTS',
    });
    h.clock.advance(SESSION_MS - 1);
    h.commit();
    expect(h.publisher.image.brokers.get(1)?.fenced).toBe(false);
    h.clock.advance(1);
    h.commit();
    expect(h.publisher.image.brokers.get(1)?.fenced).toBe(true);
  });

  it('C-3.3: a controlled shutdown waits for the other brokers, also over a failover, then ends the session', async () => {
    h.elect();
    const one = await join(1);
    const two = await join(2);
    const created = create('a', { partitions: 2 });
    h.commit();
    await created;
    const shutdown = { wantShutdown: true };
    const asked = beat(1, one, shutdown);
    h.commit();
    expect(await asked).toEqual({ fenced: false, shouldShutdown: false });
    await beat(2, two, { metadataEndOffset: h.publisher.image.endOffset - 1 });
    expect((await beat(1, one, shutdown)).shouldShutdown).toBe(false);
    h.depose();
    h.elect();
    expect((await beat(1, one, shutdown)).shouldShutdown).toBe(false);
    await beat(2, two, { metadataEndOffset: h.publisher.image.endOffset });
    const done = beat(1, one, shutdown);
    h.commit();
    expect(await done).toEqual({ fenced: true, shouldShutdown: true });
    const next = register(1, { incarnationId: uuid(5), logDirs: [uuid(6)], previousBrokerEpoch: one });
    h.commit();
    expect((await next).brokerEpoch).toBeGreaterThan(one);
  });
});

describe('AdminService on a controller', () => {
  it('passes writes on once, and DescribeQuorum too', async () => {
    await create('a', {}, 400);
    await h.call(Admin, Admin.methods.deleteTopics, { topics: [], validateOnly: false, forwarded: false });
    await h.call(Admin, Admin.methods.describeQuorum, { forwarded: false });
    expect(h.forwarded).toMatchObject([
      { method: 'CreateTopics', request: { forwarded: true }, timeoutMs: 360 },
      { method: 'DeleteTopics', request: { forwarded: true }, timeoutMs: 30_000 },
      { method: 'DescribeQuorum', request: { forwarded: true } },
    ]);
    const calls = [
      h.call(Admin, Admin.methods.createTopics, { topics: [], validateOnly: false, forwarded: true }),
      h.call(Admin, Admin.methods.deleteTopics, { topics: [], validateOnly: false, forwarded: true }),
      h.call(Admin, Admin.methods.describeQuorum, { forwarded: true }),
    ];
    for (const call of calls) await expect(call).rejects.toMatchObject({ status: 'FAILED_PRECONDITION' });
    expect(h.forwarded).toHaveLength(3);
  });

  it('deletes topics, and describes what is committed', async () => {
    h.elect();
    await join(1);
    const created = create('a', { partitions: -1 });
    h.commit();
    await created;
    const described = await h.call(Admin, Admin.methods.describeTopics, { topics: [] });
    expect(described.topics[0]?.partitions).toHaveLength(2);
    const deleted = h.call(Admin, Admin.methods.deleteTopics, {
      topics: [{ name: 'a', topicId: '' }],
      validateOnly: false,
      forwarded: false,
    });
    expect((await list()).topics).toHaveLength(1);
    h.commit();
    expect((await deleted).topics[0]?.error).toBeUndefined();
    expect(topicByName(h.publisher.image, 'a')).toBeUndefined();
    expect(h.logged).toEqual(expect.arrayContaining(['topic-created', 'topic-deleted']));
  });

  it('describes cluster and quorum', async () => {
    h.elect();
    h.quorum.lastFetchMs = () => 40;
    h.clock.advance(100);
    const cluster = await h.call(Admin, Admin.methods.describeCluster, {});
    expect(cluster).toMatchObject({ clusterId: CLUSTER_ID, controllerId: 101 });
    expect(cluster.controllers.map(({ listener }) => listener)).toEqual(['101', '102']);
    const quorum = await h.call(Admin, Admin.methods.describeQuorum, { forwarded: false });
    expect(quorum).toMatchObject({ leaderId: 101, leaderEpoch: 1 });
    expect(quorum.voters.map((it) => [it.nodeId, it.lastFetchAgeMs, it.lastCaughtUpAgeMs])).toEqual([
      [101, 0, 0],
      [102, 60, -1],
    ]);
  });
});
