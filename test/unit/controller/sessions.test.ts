// Sessions: the connection that a broker holds, and what its end means.
import { beforeEach, describe, expect, it } from 'vitest';
import { holdSession } from '../../../src/controller/held-sessions.ts';
import { uuid } from '../metadata/fixture.ts';
import { brokersOf, GRACE_MS, HEARTBEAT_MS, SESSION_MS } from './brokers-bench.ts';
import type { Harness } from './harness.ts';
import { outcome, startHarness } from './harness.ts';

let h: Harness;
let brokers: ReturnType<typeof brokersOf>;

function start(properties = ''): void {
  h = startHarness(properties);
  brokers = brokersOf(h);
  h.elect();
  h.commit();
}

beforeEach(() => start());

const fenced = () => h.lines.filter(({ event }) => event === 'broker-fenced').map(({ fields }) => fields);

describe('a held connection', () => {
  it('C-3.4: that breaks fences the broker after the grace, and says why', async () => {
    await brokers.join(1);
    const { cut } = await h.hold(1, brokers.epochOf(1));
    await cut();
    h.clock.advance(GRACE_MS - 1);
    h.commit();
    expect(brokers.isFenced(1)).toBe(false);
    h.clock.advance(1);
    h.commit();
    expect(brokers.isFenced(1)).toBe(true);
    expect(h.publisher.image.brokers.get(1)?.state.cause).toBe('connection lost');
    expect(fenced()).toMatchObject([{ brokerId: 1, cause: 'connection lost' }]);
  });

  const signs: [string, () => Promise<unknown>][] = [
    ['a new connection', () => h.hold(1, brokers.epochOf(1))],
    ['a heartbeat', () => brokers.beat(1)],
    ['a repeated registration', () => brokers.register(1)],
  ];
  it.each(signs)('that breaks is forgotten for %s', async (_, sign) => {
    await brokers.join(1);
    const { cut } = await h.hold(1, brokers.epochOf(1));
    await cut();
    h.clock.advance(GRACE_MS - 1);
    await sign();
    h.clock.advance(SESSION_MS / 2);
    h.commit();
    expect(brokers.isFenced(1)).toBe(false);
  });

  it('C-1.4: ends as one to a controller that is not active, if the claim ends before the broker reads on', async () => {
    await brokers.join(1);
    const claim = h.controller.present();
    const request = { brokerId: 1, brokerEpoch: brokers.epochOf(1) };
    const held = holdSession(h.controller, request, { signal: new AbortController().signal });
    await held.next();
    h.depose();
    expect(claim?.isOver).toBe(true);
    await expect(held.next()).rejects.toMatchObject({ status: 'FAILED_PRECONDITION' });
  });

  it('that was replaced by a newer one matters no more', async () => {
    await brokers.join(1);
    const first = await h.hold(1, brokers.epochOf(1));
    await h.hold(1, brokers.epochOf(1));
    await first.cut();
    h.clock.advance(SESSION_MS - 1);
    h.commit();
    expect(brokers.isFenced(1)).toBe(false);
  });

  it('of a broker that is silent means nothing: its session does', async () => {
    await brokers.join(1);
    await h.hold(1, brokers.epochOf(1));
    h.clock.advance(SESSION_MS);
    h.commit();
    expect(h.publisher.image.brokers.get(1)?.state.cause).toBe('session expired');
  });

  it('C-3.3: of a broker that has said goodbye is not lost', async () => {
    await brokers.join(1);
    const { cut } = await h.hold(1, brokers.epochOf(1));
    expect(await brokers.carryOut(brokers.beat(1, { wantShutdown: true }))).toMatchObject({ shouldShutdown: true });
    await cut();
    h.clock.advance(SESSION_MS);
    h.commit();
    expect(h.publisher.image.brokers.get(1)?.state.cause).toBe('shut down');
    expect(h.logged).toContain('broker-left');
    expect(h.logged).not.toContain('broker-fenced');
  });

  it('C-2.2: that is lost does not keep the id for a process with other log dirs', async () => {
    await brokers.join(1);
    const { cut } = await h.hold(1, brokers.epochOf(1));
    const other = { incarnationId: uuid(5), logDirs: [uuid(6)] };
    await expect(brokers.register(1, other)).rejects.toMatchObject({ status: 'ALREADY_EXISTS' });
    await cut();
    h.clock.advance(GRACE_MS);
    const before = brokers.epochOf(1);
    expect((await brokers.carryOut(brokers.register(1, other))).brokerEpoch).toBeGreaterThan(before);
  });

  it('ends with the claim, and is refused by whoever is not active', async () => {
    await brokers.join(1);
    const { ended } = await h.hold(1, brokers.epochOf(1));
    expect(await outcome(ended)).toBe('pending');
    h.depose();
    expect(await ended).toMatchObject({ status: 'FAILED_PRECONDITION', message: expect.stringContaining('node 102') });
    await expect(h.hold(1, brokers.epochOf(1))).rejects.toMatchObject({ status: 'FAILED_PRECONDITION' });
    h.clock.advance(2 * GRACE_MS);
    h.elect();
    h.clock.advance(SESSION_MS - 1); // C-1.2
    h.commit();
    expect(brokers.isFenced(1)).toBe(false);
  });

  it('does not keep a controller from stopping', async () => {
    await brokers.join(1);
    const { ended } = await h.hold(1, brokers.epochOf(1));
    await h.controller.stop();
    expect(await ended).toMatchObject({ status: 'FAILED_PRECONDITION' });
    expect(h.clock.timerCount).toBe(0);
  });

  it('C-2.5: is for the registered incarnation', async () => {
    await brokers.join(1);
    await expect(h.hold(1, brokers.epochOf(1) + 1)).rejects.toMatchObject({ status: 'ABORTED' });
    await expect(h.hold(2, 0)).rejects.toMatchObject({ status: 'ABORTED' });
  });

  it('with a grace of 0 means nothing when it breaks', async () => {
    start('broker.connection.grace.ms=0\n');
    await brokers.join(1);
    const { cut } = await h.hold(1, brokers.epochOf(1));
    await cut();
    h.clock.advance(SESSION_MS - 1);
    h.commit();
    expect(brokers.isFenced(1)).toBe(false);
    h.clock.advance(1);
    h.commit();
    expect(brokers.isFenced(1)).toBe(true);
  });
});

describe('C-3.5, B34: a controller that stood still', () => {
  it('reads first whether those whose connections broke are back', async () => {
    await brokers.join(1);
    await brokers.join(2);
    const one = await h.hold(1, brokers.epochOf(1));
    const two = await h.hold(2, brokers.epochOf(2));
    await one.cut();
    await two.cut();
    h.clock.stall(GRACE_MS * 2);
    h.clock.advance(0); // the timer runs before anything is read
    await h.hold(1, brokers.epochOf(1));
    h.clock.advance(GRACE_MS);
    h.commit();
    expect([brokers.isFenced(1), brokers.isFenced(2)]).toEqual([false, true]);
  });

  it('listens once and then decides, however late its timers always are', async () => {
    await brokers.join(1);
    const { cut } = await h.hold(1, brokers.epochOf(1));
    await cut();
    for (let i = 0; i < 3; i++) {
      h.clock.stall(GRACE_MS * 2);
      h.clock.advance(0);
    }
    h.commit();
    expect(brokers.isFenced(1)).toBe(true);
  });

  it('counts the life sign of a heartbeat that it has no room for', async () => {
    await brokers.join(1);
    h.clock.advance(SESSION_MS - 1);
    h.quorum.isCongested = true;
    void brokers.beat(1).catch(() => undefined);
    h.clock.advance(HEARTBEAT_MS);
    h.commit();
    expect(brokers.isFenced(1)).toBe(false);
  });
});
