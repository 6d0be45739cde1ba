// What the active controller looks for by itself (C-5.9, C-10.2), and what a bug costs it (C-0.3).
import { beforeEach, describe, expect, it } from 'vitest';
import { MOVES_PER_BATCH } from '../../../src/controller/decide/broker-state.ts';
import { Scans } from '../../../src/controller/scans.ts';
import { RpcError } from '../../../src/env/network.ts';
import { AdminServiceDefinition as Admin, ConfigOperation } from '../../../src/gen/kvorum/v1/admin.ts';
import type { MetadataRecord } from '../../../src/gen/kvorum/v1/metadata.ts';
import { ConfigScope } from '../../../src/gen/kvorum/v1/metadata.ts';
import type { MetadataImage } from '../../../src/metadata/image.ts';
import { partitionOf } from '../../../src/metadata/image.ts';
import { metadataRecord } from '../../../src/metadata/record.ts';
import { after, clusterOf, partitionRecord, record, topicRecord, uuid } from '../metadata/fixture.ts';
import { brokersOf, SESSION_MS } from './brokers-bench.ts';
import type { Harness } from './harness.ts';
import { startHarness } from './harness.ts';

const BALANCE_MS = 300_000;
const LEADERLESS_MS = 1000;
let h: Harness;
let brokers: ReturnType<typeof brokersOf>;

async function start(properties = ''): Promise<void> {
  h = startHarness(properties);
  brokers = brokersOf(h);
  h.elect();
  h.commit();
  await brokers.join(1);
  await brokers.join(2);
}

beforeEach(() => start());

/** Time passes in which these brokers send their heartbeats. */
function pass(ms: number, ...alive: number[]): void {
  for (let left = ms; left > 0; left -= SESSION_MS / 2) {
    h.clock.advance(Math.min(left, SESSION_MS / 2));
    h.commit();
    for (const id of alive) void brokers.beat(id).catch(() => undefined);
    h.commit();
  }
}

/** Calls `look` whenever somebody goes through all topics of the present image; returns what ends that. */
function spoil(look: () => void): () => void {
  const { image } = h.publisher;
  const { topics } = image;
  const watched = new Proxy(topics, {
    get: (target, name) => {
      if (name === 'values') look();
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
  Object.assign(image, { topics: watched });
  return () => Object.assign(image, { topics });
}

/** As timers are: none runs sooner than this. */
const TIMER_MS = 1;

/** The scans for leaderless partitions alone, of this image. */
function scansOf(image: () => MetadataImage, written: MetadataRecord[] = []): Scans {
  const { clock } = h;
  return new Scans({
    clock: {
      now: () => clock.now(),
      wallTime: () => clock.wallTime(),
      schedule: (delayMs, callback) => clock.schedule(Math.max(TIMER_MS, delayMs), callback),
    },
    image,
    write: (records) => written.push(...records) > 0,
    isBusy: () => false,
    attempt: (_, run) => {
      run();
      return 0;
    },
    leaderlessMs: LEADERLESS_MS,
    balanceMs: undefined,
  });
}

describe('partitions without a leader', () => {
  /** Broker 1 leads alone, then dies while 2 is alive: only 2 could lead, uncleanly. */
  async function lost(configs: Record<string, string> = {}): Promise<string> {
    const topicId = await brokers.createOn('a', 1, [1, 2], { 'min.insync.replicas': '1', ...configs });
    await brokers.carryOut(brokers.beat(2, { wantFence: true }));
    await brokers.carryOut(brokers.beat(2));
    pass(SESSION_MS * 2, 2);
    return topicId;
  }

  it('C-10.2: one is elected uncleanly soon after that is allowed, and the log says why', async () => {
    const topicId = await lost();
    expect(partitionOf(h.publisher.image, topicId, 0)).toMatchObject({ leader: -1, isr: [], elr: [1] });
    const config = { key: 'unclean.leader.election.enable', operation: ConfigOperation.SET, value: 'true' };
    const resources = [{ resource: { scope: ConfigScope.TOPIC, name: 'a' }, alterations: [config] }];
    const request = { resources, validateOnly: false, forwarded: false };
    const altered = h.call(Admin, Admin.methods.alterConfigs, request);
    await brokers.carryOut(altered);
    h.clock.advance(0);
    h.commit();
    expect(partitionOf(h.publisher.image, topicId, 0)).toMatchObject({ leader: 2, isr: [2], recovering: true });
  });

  it('are looked for again at a higher metadata level, as that allows more', () => {
    let image = clusterOf(1, 2);
    image = after(image, topicRecord('a', uuid(1)), partitionRecord(uuid(1), 0, [1, 2], { isr: [1], leader: -1 }));
    const config = { scope: ConfigScope.TOPIC, entity: 'a', key: 'unclean.leader.election.enable', value: 'true' };
    const brokerChange = { brokerId: 1, brokerEpoch: image.brokers.get(1)?.brokerEpoch ?? -1, fenced: true, cause: '' };
    image = after(image, record({ $case: 'config', config }), record({ $case: 'brokerChange', brokerChange }));
    const written: MetadataRecord[] = [];
    const scans = scansOf(() => image, written);
    scans.start();
    h.clock.advance(LEADERLESS_MS * 2);
    expect(written).toEqual([]);
    image = after(image, record({ $case: 'metadataLevel', metadataLevel: { level: 2 } }));
    h.clock.advance(LEADERLESS_MS);
    expect(written.map(({ kind }) => kind?.$case)).toEqual(['uncleanElection', 'partitionChange']);
    scans.stop();
  });

  it('are looked for although what may make a leader possible comes again and again', () => {
    let looks = 0;
    const scans = scansOf(() => {
      looks++;
      return h.publisher.image;
    });
    for (let i = 0; i < 10; i++) {
      scans.soon();
      h.clock.advance(TIMER_MS / 2);
    }
    scans.stop();
    expect(looks).toBeGreaterThan(3);
  });

  it('C-3.6: those beyond the first batch of an unfencing follow at once', async () => {
    const many = 700;
    await brokers.createOn('a', many, [1]);
    pass(SESSION_MS * 2, 2);
    expect(brokers.holds(1).leads).toBe(0);
    const start = h.quorum.log.length;
    await brokers.carryOut(brokers.beat(1));
    h.clock.advance(0);
    h.commit();
    expect(brokers.holds(1).leads).toBe(many);
    const sizes = h.quorum.log.slice(start).map(({ records }) => records.length);
    expect(sizes).toEqual([1 + MOVES_PER_BATCH, many - MOVES_PER_BATCH]);
  });

  it('are looked for once while nothing changes', async () => {
    await lost();
    pass(LEADERLESS_MS * 3, 1, 2);
    let looks = 0;
    spoil(() => looks++);
    h.clock.advance(LEADERLESS_MS * 3);
    expect(looks).toBe(1);
  });
});

describe('preferred leaders', () => {
  async function imbalanced(partitions: number): Promise<void> {
    await brokers.createOn('a', partitions, [1, 2]);
    const topicId = h.publisher.image.topicIds.get('a') ?? '';
    await brokers.carryOut(brokers.beat(1, { wantFence: true }));
    await brokers.carryOut(brokers.beat(1));
    expect(brokers.holds(2).leads).toBe(partitions);
    // The leader takes it back into the ISR.
    for (let partition = 0; partition < partitions; partition++) {
      const { leaderEpoch = 0, partitionEpoch = 0 } = partitionOf(h.publisher.image, topicId, partition) ?? {};
      const isr = [1, 2].map((brokerId) => ({ brokerId, brokerEpoch: brokers.epochOf(brokerId) }));
      const item = { topicId, partition, leaderEpoch, partitionEpoch, isr, recovering: false };
      const [answer] = (await brokers.carryOut(brokers.alterPartition(2, [item]))).partitions;
      expect(answer?.error).toBeUndefined();
    }
  }

  it('C-5.9: lead again after the interval', async () => {
    await imbalanced(3);
    expect(brokers.holds(2).leads).toBe(3);
    pass(BALANCE_MS, 1, 2);
    expect(brokers.holds(1).leads).toBe(3);
  });

  it('do not where that is switched off', async () => {
    await start('auto.leader.rebalance.enable=false\n');
    await imbalanced(1);
    pass(BALANCE_MS * 2, 1, 2);
    expect(brokers.holds(1).leads).toBe(0);
  });
});

describe('C-0.3: a bug', () => {
  const context = { peer: '', remainingMs: 60_000 };
  const broken = (operation?: string) =>
    h.controller.execute(
      context,
      () => {
        throw new Error('a bug');
      },
      operation === undefined ? {} : { operation },
    );

  it('ends the claim and not the node: who waits does not know, whose it was gets a verdict', async () => {
    const waiting = brokers.register(3);
    await expect(broken()).rejects.toMatchObject({
      status: 'INTERNAL',
      message: expect.stringContaining('nothing was done') as string,
      detail: { mayTakeEffect: false },
    });
    await expect(waiting).rejects.toMatchObject({ status: 'UNAVAILABLE' });
    expect(h.quorum.resigned).toEqual([h.quorum.epoch]);
    expect(h.controller.isActive).toBe(false);
    expect(h.lines.findLast(({ event }) => event === 'controller-resigns')?.fields).toMatchObject({
      operation: 'the command',
      error: new Error('a bug'),
    });
    h.depose();
    h.elect();
    await brokers.carryOut(brokers.beat(1));
    expect(h.controller.isActive).toBe(true);
  });

  it('of the same operation does not cost one claim after the other', async () => {
    let claims = 0;
    for (let i = 0; i < 100; i++) {
      if (!h.controller.isActive) {
        claims++;
        h.depose();
        h.elect();
      }
      await expect(broken('Broken')).rejects.toMatchObject({ status: 'INTERNAL' });
      await brokers.carryOut(brokers.beat(1)).catch(() => undefined); // others go on
      h.clock.advance(100);
    }
    expect(claims).toBeLessThanOrEqual(4); // after 0, 1, 3, 7 s
    expect(claims).toBeGreaterThan(1);
  });

  it('C-0.4: that would write what cannot be replayed writes nothing', async () => {
    const before = h.quorum.endOffset;
    const change = { brokerId: 9, brokerEpoch: 1, fenced: true, cause: '' };
    const records = [metadataRecord({ $case: 'brokerChange', brokerChange: change })];
    const wrong = h.controller.execute(context, () => ({ records, respond: () => undefined }));
    await expect(wrong).rejects.toMatchObject({ status: 'INTERNAL' });
    expect(h.quorum.endOffset).toBe(before);
  });

  it('in the answer of what was committed says that it was', async () => {
    const records = [metadataRecord({ $case: 'noOp', noOp: {} })];
    const respond = (): never => {
      throw new Error('a bug');
    };
    const answer = h.controller.execute(context, () => ({ records, respond }));
    h.commit();
    await expect(answer).rejects.toMatchObject({ status: 'INTERNAL', detail: { mayTakeEffect: true } });
    expect(h.controller.isActive).toBe(false);
  });

  it('in what follows from a decision leaves no promise to nobody, which would end the node', async () => {
    const decided = (): never => {
      throw new Error('a bug');
    };
    const records = [metadataRecord({ $case: 'noOp', noOp: {} })];
    const unhandled: unknown[] = [];
    const note = (reason: unknown): void => void unhandled.push(reason);
    process.on('unhandledRejection', note);
    const answer = h.controller.execute(context, () => ({ records, respond: () => undefined }), { decided });
    await expect(answer).rejects.toMatchObject({ status: 'INTERNAL', detail: { mayTakeEffect: true } });
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
    process.off('unhandledRejection', note);
    expect(unhandled).toEqual([]);
    expect(h.controller.isActive).toBe(false);
  });

  it('that makes a command wait for ever ends like any other', async () => {
    await expect(h.controller.execute(context, () => ({ until: Promise.resolve() }))).rejects.toMatchObject({
      status: 'INTERNAL',
    });
    expect(h.controller.isActive).toBe(false);
  });

  it('is none of what a command refuses', async () => {
    const refused = h.controller.execute(context, () => {
      throw new RpcError('INVALID_ARGUMENT', 'no');
    });
    await expect(refused).rejects.toMatchObject({ status: 'INVALID_ARGUMENT' });
    expect(h.controller.isActive).toBe(true);
  });

  it('in what a timer does ends the claim too, and the next one waits before it is tried again', async () => {
    const mend = spoil(() => {
      throw new Error('a bug');
    });
    h.clock.advance(LEADERLESS_MS);
    expect(h.controller.isActive).toBe(false);
    expect(h.quorum.resigned).toHaveLength(1);
    mend();
    h.depose();
    h.elect();
    h.clock.advance(LEADERLESS_MS / 2);
    expect(h.controller.isActive).toBe(true);
  });
});

describe('metadata levels', () => {
  it('a broker that does not know the level in force is told what to do', async () => {
    await expect(
      brokers.carryOut(brokers.register(3, { minMetadataLevel: 0, maxMetadataLevel: 0 })),
    ).rejects.toMatchObject({
      status: 'INVALID_ARGUMENT',
      message: expect.stringMatching(/level 3.*level 1 only.*version/),
    });
    await expect(
      brokers.carryOut(brokers.register(3, { minMetadataLevel: 4, maxMetadataLevel: 5 })),
    ).rejects.toMatchObject({ message: expect.stringMatching(/levels 4 to 5 only.*kvorum cluster upgrade/) });
    expect(h.publisher.image.brokers.has(3)).toBe(false);
    await brokers.join(3, { minMetadataLevel: 1, maxMetadataLevel: 4, incarnationId: uuid(9) });
  });
});
