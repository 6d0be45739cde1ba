// Brokers with more partitions than one batch moves: fencing, controlled shutdown, registration, failed log dirs, unregistration.
import { beforeEach, describe, expect, it } from 'vitest';
import { MOVES_PER_BATCH } from '../../../src/controller/decide/broker-state.ts';
import { AdminServiceDefinition as Admin } from '../../../src/gen/kvorum/v1/admin.ts';
import { decodeRecords } from '../../../src/metadata/record.ts';
import { uuid } from '../metadata/fixture.ts';
import { brokersOf, GRACE_MS, SESSION_MS } from './brokers-bench.ts';
import type { Harness } from './harness.ts';
import { outcome, startHarness } from './harness.ts';

const MANY = 2 * MOVES_PER_BATCH + 100;
let h: Harness;
let brokers: ReturnType<typeof brokersOf>;

beforeEach(async () => {
  h = startHarness();
  brokers = brokersOf(h);
  h.elect();
  h.commit();
  await brokers.join(1);
  await brokers.join(2);
});

/** Records of each batch since, by their kinds. */
function batchesSince(start: number): string[][] {
  return h.quorum.log
    .slice(start)
    .map(({ records, baseOffset }) => decodeRecords(records, baseOffset).map(({ kind }) => kind?.$case ?? ''));
}

const sizes = (batches: string[][]) =>
  batches.map((kinds) => kinds.filter((kind) => kind === 'partitionChange').length);

async function turns(count = 20): Promise<void> {
  for (let i = 0; i < count; i++) {
    h.clock.advance(0);
    await outcome(Promise.resolve());
  }
}

describe('fencing', () => {
  it('C-3.4: a small broker goes in one batch', async () => {
    await brokers.createOn('a', 3, [1, 2]);
    const start = h.quorum.log.length;
    h.clock.advance(SESSION_MS - 1);
    void brokers.beat(2).catch(() => undefined);
    h.clock.advance(1);
    expect(batchesSince(start)).toEqual([['partitionChange', 'partitionChange', 'partitionChange', 'brokerChange']]);
  });

  it('C-3.4: a big one in batches within the limit, the record of the broker in the last', async () => {
    await brokers.createOn('a', MANY, [1, 2]);
    const { cut } = await h.hold(1, brokers.epochOf(1));
    await cut();
    const start = h.quorum.log.length;
    h.clock.advance(GRACE_MS);
    await turns();
    const batches = batchesSince(start);
    expect(sizes(batches)).toEqual([MOVES_PER_BATCH, MOVES_PER_BATCH, 100]);
    expect(batches.map((kinds) => kinds.at(-1))).toEqual(['partitionChange', 'partitionChange', 'brokerChange']);
    h.commit();
    expect(brokers.holds(1)).toMatchObject({ isr: 0, leads: 0 });
    expect(brokers.holds(2)).toMatchObject({ leads: MANY });
    expect(h.lines.find(({ event }) => event === 'broker-fenced')?.fields).toMatchObject({
      cause: 'connection lost',
      partitionsLeft: MANY,
      leadersMoved: MANY,
    });
  });

  it('lets others in between its batches, and nobody brings the broker back', async () => {
    await brokers.createOn('a', MANY, [1, 2]);
    h.clock.advance(SESSION_MS - 1);
    await brokers.beat(2);
    h.clock.advance(1); // broker 1 has begun to go
    const created = brokers.create('b', { partitions: 4, replicationFactor: 1 });
    const topicId = await created;
    const { partitions } = h.publisher.image.topics.get(topicId) ?? {};
    expect(partitions?.map(({ replicas }) => replicas).toArray()).toEqual([[2], [2], [2], [2]]);
    expect(brokers.isFenced(1)).toBe(true);
  });

  it('C-3.5: a heartbeat that comes meanwhile is answered when it is done, and may bring it back then', async () => {
    await brokers.createOn('a', MANY, [1, 2], { 'min.insync.replicas': '1' });
    h.clock.advance(SESSION_MS - 1);
    await brokers.beat(2);
    h.clock.advance(1);
    const beat = brokers.beat(1);
    expect(await outcome(beat)).toBe('pending');
    expect((await brokers.carryOut(beat)).fenced).toBe(false);
    expect(h.logged.filter((event) => event === 'broker-fenced' || event === 'broker-unfenced').slice(-2)).toEqual([
      'broker-fenced',
      'broker-unfenced',
    ]);
    expect(brokers.holds(1)).toEqual({ isr: 0, elr: 0, leads: 0 });
  });

  it('B28, DS-11: two that expire together are decided one after the other, each on what the other left', async () => {
    const topicId = await brokers.createOn('a', MANY, [1, 2], { 'min.insync.replicas': '2' });
    h.clock.advance(SESSION_MS);
    await turns();
    h.commit();
    expect([brokers.isFenced(1), brokers.isFenced(2)]).toEqual([true, true]);
    const states = h.publisher.image.topics.get(topicId)?.partitions.toArray() ?? [];
    expect(states).toHaveLength(MANY);
    for (const { isr, elr, leader } of states) {
      expect([isr, leader, elr.toSorted((a, b) => a - b)]).toEqual([[], -1, [1, 2]]);
    }
  });

  it('begun by a claim that ends in the middle is finished by the next one, after its session', async () => {
    await brokers.createOn('a', MANY, [1, 2]);
    h.clock.advance(SESSION_MS - 1);
    await brokers.beat(2);
    h.clock.stall(1);
    const start = h.quorum.log.length;
    while (h.quorum.log.length === start) h.clock.runNext();
    h.commit();
    h.depose();
    expect([brokers.holds(1).isr, brokers.isFenced(1)]).toEqual([MANY - MOVES_PER_BATCH, false]);
    h.elect();
    h.clock.advance(SESSION_MS - 1);
    h.commit();
    expect(brokers.isFenced(1)).toBe(false); // C-1.2
    void brokers.beat(2).catch(() => undefined);
    h.clock.advance(1);
    h.commit();
    expect([brokers.holds(1).isr, brokers.isFenced(1), brokers.isFenced(2)]).toEqual([0, true, false]);
  });

  it('waits while too much is not committed', async () => {
    await brokers.createOn('a', MANY, [1, 2]);
    h.clock.advance(SESSION_MS - 1);
    await brokers.beat(2);
    h.quorum.isCongested = true;
    h.clock.advance(1);
    const before = h.quorum.log.length;
    h.clock.advance(100);
    expect(h.quorum.log.length).toBe(before);
    h.quorum.isCongested = false;
    h.clock.advance(100);
    await turns();
    h.commit();
    expect(brokers.isFenced(1)).toBe(true);
  });
});

describe('a controlled shutdown', () => {
  it('C-3.3: moves a part with each heartbeat, and lets go when all have seen the last', async () => {
    await brokers.createOn('a', MANY, [1, 2]);
    const wantShutdown = true;
    const left: number[] = [];
    for (let i = 0; i < 3; i++) {
      const { shouldShutdown } = await brokers.carryOut(brokers.beat(1, { wantShutdown }));
      expect(shouldShutdown).toBe(false);
      left.push(brokers.holds(1).leads);
    }
    expect(left).toEqual([MANY - MOVES_PER_BATCH, MANY - 2 * MOVES_PER_BATCH, 0]);
    expect(brokers.isFenced(1)).toBe(false);
    // Broker 2 has not seen the end of it.
    await brokers.carryOut(brokers.beat(2, { metadataEndOffset: h.publisher.image.endOffset - 1 }));
    expect(await brokers.carryOut(brokers.beat(1, { wantShutdown }))).toMatchObject({ shouldShutdown: false });
    await brokers.carryOut(brokers.beat(2));
    expect(await brokers.carryOut(brokers.beat(1, { wantShutdown }))).toEqual({ fenced: true, shouldShutdown: true });
    expect(h.lines.find(({ event }) => event === 'broker-left')?.fields).toMatchObject({
      partitionsLeft: MANY,
      leadersMoved: MANY,
    });
  });

  it('C-3.3: is carried on by the next claim', async () => {
    await brokers.createOn('a', MANY, [1, 2]);
    const wantShutdown = true;
    await brokers.carryOut(brokers.beat(1, { wantShutdown }));
    h.depose();
    h.elect();
    for (let i = 0; i < 2; i++) await brokers.carryOut(brokers.beat(1, { wantShutdown }));
    expect(brokers.holds(1).leads).toBe(0);
    await brokers.carryOut(brokers.beat(2));
    expect(await brokers.carryOut(brokers.beat(1, { wantShutdown }))).toMatchObject({ shouldShutdown: true });
  });

  it('of a broker that is in many ISRs and leads nothing takes batches too', async () => {
    await brokers.createOn('a', MANY, [2, 1]);
    const start = h.quorum.log.length;
    expect(await brokers.carryOut(brokers.beat(1, { wantShutdown: true }))).toMatchObject({ shouldShutdown: true });
    expect(sizes(batchesSince(start))).toEqual([MOVES_PER_BATCH, MOVES_PER_BATCH, 100]);
    expect(h.publisher.image.brokers.get(1)?.state.cause).toBe('shut down');
    expect(h.logged).not.toContain('broker-fenced');
  });
});

describe('a registration', () => {
  const restarted = (fields = {}) => ({ incarnationId: uuid(300), bootCounter: 2, ...fields });

  it('C-2.4, B38: after a crash the broker is out of every ISR and ELR before it, whatever that takes', async () => {
    const configs = { 'min.insync.replicas': '2' };
    await brokers.createOn('a', MANY, [1, 2], configs);
    await brokers.createOn('b', 10, [2, 1], configs);
    h.clock.advance(SESSION_MS - 1);
    await brokers.beat(2);
    h.clock.advance(1);
    await turns();
    h.commit();
    expect(brokers.holds(1)).toEqual({ isr: 0, elr: MANY + 10, leads: 0 });
    const start = h.quorum.log.length;
    await brokers.carryOut(brokers.register(1, restarted()));
    expect(brokers.holds(1)).toEqual({ isr: 0, elr: 0, leads: 0 });
    const batches = batchesSince(start);
    expect(batches.at(-1)?.at(-1)).toBe('registerBroker');
    expect(sizes(batches)).toEqual([MOVES_PER_BATCH, MOVES_PER_BATCH, 110, 0]);
  });

  it('C-2.4: after a clean stop it stays in the ELR', async () => {
    await brokers.createOn('a', MANY, [1, 2], { 'min.insync.replicas': '2' });
    const previousBrokerEpoch = brokers.epochOf(1);
    await brokers.carryOut(brokers.register(1, restarted({ previousBrokerEpoch })));
    expect(brokers.holds(1)).toEqual({ isr: 0, elr: MANY, leads: 0 });
    expect(h.lines.findLast(({ event }) => event === 'broker-registered')?.fields).toMatchObject({
      brokerId: 1,
      bootCounter: 2,
      how: 'registered',
    });
  });

  it('C-2.2b: of the next start ends what the one before still had, in batches, and its epoch is the last record', async () => {
    await brokers.createOn('a', MANY, [1, 2]);
    const start = h.quorum.log.length;
    const registering = brokers.register(1, restarted());
    await turns(1);
    expect(await outcome(registering)).toBe('pending');
    const { brokerEpoch } = await brokers.carryOut(registering);
    expect(brokerEpoch).toBe(h.quorum.endOffset - 1);
    expect(sizes(batchesSince(start))).toEqual([MOVES_PER_BATCH, MOVES_PER_BATCH, 100, 0]);
    expect(brokers.holds(1)).toEqual({ isr: 0, elr: 0, leads: 0 });
  });

  it('C-1.4: that a claim does not live to finish is not known to the broker', async () => {
    await brokers.createOn('a', MANY, [1, 2]);
    const registering = brokers.register(1, restarted());
    h.clock.advance(0);
    h.depose();
    await expect(registering).rejects.toMatchObject({ status: 'UNAVAILABLE', detail: { mayTakeEffect: true } });
  });
});

describe('log dirs that fail', () => {
  const dirs = [uuid(51), uuid(52)];

  it('take their replicas out of ISRs, then are not registered any more', async () => {
    await brokers.join(3, { logDirs: dirs });
    const topicId = await brokers.createOn('a', 2, [3, 2]);
    await brokers.assign(3, [
      { topicId, partition: 0, directoryId: dirs[0] ?? '' },
      { topicId, partition: 1, directoryId: dirs[1] ?? '' },
    ]);
    const start = h.quorum.log.length;
    await brokers.carryOut(brokers.beat(3, { offlineLogDirs: [uuid(51), uuid(99)] }));
    expect(batchesSince(start)).toEqual([['partitionChange', 'brokerChange']]);
    expect(h.publisher.image.brokers.get(3)).toMatchObject({ logDirs: [uuid(52)], fenced: false });
    const states = h.publisher.image.topics.get(topicId)?.partitions.toArray();
    expect(states).toMatchObject([
      { leader: 2, isr: [2] },
      { leader: 3, isr: [3, 2] },
    ]);
    // Said again, it changes nothing.
    const batches = h.quorum.log.length;
    await brokers.carryOut(brokers.beat(3, { offlineLogDirs: [uuid(51)] }));
    expect(h.quorum.log.length).toBe(batches);
    expect(h.logged).toContain('broker-log-dirs-failed');
  });

  it('of a broker whose session ends meanwhile: who waits is answered, and it is fenced when it is silent after that', async () => {
    await brokers.createOn('a', MANY, [1, 2]);
    await brokers.join(3, { logDirs: dirs });
    const topicId = await brokers.createOn('b', MANY, [3, 2]);
    const inFirst = Array.from({ length: MANY }, (_, partition) => ({ topicId, partition, directoryId: uuid(51) }));
    await brokers.assign(3, inFirst);
    h.quorum.isCongested = true;
    const beat = brokers.beat(3, { offlineLogDirs: [uuid(51)] });
    h.clock.advance(SESSION_MS - 1);
    for (const id of [1, 2]) void brokers.beat(id);
    h.clock.advance(1);
    h.quorum.isCongested = false;
    for (let i = 0; i < 10; i++) h.clock.advance(20);
    expect(await brokers.carryOut(beat)).toMatchObject({ shouldShutdown: false });
    expect(h.publisher.image.brokers.get(3)).toMatchObject({ logDirs: [uuid(52)] });
    expect(brokers.holds(3)).toMatchObject({ isr: 0, leads: 0 });
    h.clock.advance(SESSION_MS);
    await turns();
    h.commit();
    expect(brokers.isFenced(3)).toBe(true);
  });

  it('all of them: the broker is fenced, and stays so', async () => {
    await brokers.createOn('a', 1, [1, 2]);
    for (let i = 0; i < 2; i++) {
      expect(await brokers.carryOut(brokers.beat(1, { offlineLogDirs: [uuid(1001)] }))).toMatchObject({ fenced: true });
    }
    expect(brokers.holds(2).leads).toBe(1);
  });
});

describe('unregistration', () => {
  const unregister = (brokerId: number) =>
    h.call(Admin, Admin.methods.unregisterBroker, { brokerId, forwarded: false });

  it('C-2.6: forgets a broker that is gone, after it is out of every ELR; its replicas stay assigned', async () => {
    const topicId = await brokers.createOn('a', MANY, [1, 2], { 'min.insync.replicas': '2' });
    expect((await brokers.carryOut(unregister(1))).error?.message).toContain('stop it first');
    await brokers.carryOut(brokers.beat(1, { wantFence: true }));
    expect((await brokers.carryOut(unregister(1))).error?.message).toContain('heard of just now');
    h.clock.advance(SESSION_MS - 1);
    await brokers.beat(2);
    h.clock.advance(1);
    const start = h.quorum.log.length;
    expect((await brokers.carryOut(unregister(1))).error).toBeUndefined();
    expect(h.publisher.image.brokers.has(1)).toBe(false);
    expect(brokers.holds(1)).toEqual({ isr: 0, elr: 0, leads: 0 });
    expect(sizes(batchesSince(start))).toEqual([MOVES_PER_BATCH, MOVES_PER_BATCH, 100, 0]);
    expect(h.publisher.image.topics.get(topicId)?.partitions.get(0)?.replicas).toEqual([1, 2]);
    expect(h.logged).toContain('broker-unregistered');
    expect((await brokers.carryOut(unregister(1))).error?.name).toBe('BROKER_ID_NOT_REGISTERED');
    await brokers.join(1); // as a new broker
    expect(brokers.isFenced(1)).toBe(false);
  });

  it('C-2.6: is refused where the last complete replica would be forgotten', async () => {
    await brokers.createOn('a', 3, [1]);
    await brokers.createOn('b', 1, [2]);
    h.clock.advance(SESSION_MS - 1);
    await brokers.beat(2);
    h.clock.advance(SESSION_MS);
    h.commit();
    const { error } = await brokers.carryOut(unregister(1));
    expect(error?.message).toContain('the last replica of 3 partitions (a-0 is one)');
    expect(h.publisher.image.brokers.has(1)).toBe(true);
  });

  it('C-2.6: is refused of a voter', async () => {
    await brokers.join(101);
    await brokers.carryOut(brokers.beat(101, { wantShutdown: true }));
    expect((await brokers.carryOut(unregister(101))).error?.message).toContain('voter');
  });
});
