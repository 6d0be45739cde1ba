// Controllers of six real processes are killed, paused, stopped and cut down to one, under a stream of topic creations through
// every node. Times are printed, never judged: `make bench ARGS=failover` measures them.
// KVORUM_FAILOVER_ROUNDS=n makes n rounds of each kind instead of 2.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { AdminServiceDefinition as Admin } from '../../src/gen/kvorum/v1/admin.ts';
import { ControllersUnderFire } from './failover.ts';
import { kvorum } from './kvorum.ts';
import { cleanUp } from './processes.ts';
import { TopicCreations, violations } from './topic-creations.ts';

const ROUNDS = Number(process.env['KVORUM_FAILOVER_ROUNDS'] ?? 2);

/** Creations that are told why they cannot be: what becomes of them nobody knows. */
const NOT_OF_THE_STREAM = 'told-why-';

/** Said by who looked for a leader in vain, by a leader that is alone, and when that ends. */
const NO_MAJORITY = /1 of 3 controllers answers|2 of 3 voters are gone|no majority|no longer the active controller/;

describe('six processes under a stream of topic creations', () => {
  let cluster: ControllersUnderFire;
  let stream: TopicCreations;

  beforeAll(async () => {
    cluster = await ControllersUnderFire.start();
    stream = new TopicCreations(cluster.ways);
    await stream.untilAnswered();
  });

  afterAll(async () => {
    cluster.close();
    await cleanUp();
  });

  it('an active controller that is killed is replaced, each time', async () => {
    for (let round = 1; round <= ROUNDS; round++) {
      const before = await cluster.allFollow();
      await cluster.signal(before.leaderId, 'SIGKILL');
      say(`controller ${before.leaderId} killed`, await stream.untilAnswered());
      const after = await cluster.leadership(cluster.othersThan(before.leaderId));
      expect(after?.epoch).toBeGreaterThan(before.epoch);
      cluster.begin(before.leaderId);
    }
  });

  it('one that stands still is replaced, and comes back as a follower', async () => {
    for (let round = 1; round <= ROUNDS; round++) {
      const before = await cluster.allFollow();
      await cluster.signal(before.leaderId, 'SIGSTOP');
      say(`controller ${before.leaderId} paused`, await stream.untilAnswered());
      await cluster.signal(before.leaderId, 'SIGCONT');
      const after = await cluster.allFollow();
      expect(after.leaderId).not.toBe(before.leaderId);
      expect(after.epoch).toBeGreaterThan(before.epoch);
    }
  });

  it('one that is stopped hands over: its successor leads the next epoch', async () => {
    for (let round = 1; round <= ROUNDS; round++) {
      const before = await cluster.allFollow();
      const stopped = cluster.signal(before.leaderId, 'SIGTERM');
      say(`controller ${before.leaderId} stopped`, await stream.untilAnswered());
      await stopped;
      const after = await cluster.leadership(cluster.othersThan(before.leaderId));
      expect(after?.epoch).toBe(before.epoch + 1);
      cluster.begin(before.leaderId);
    }
  });

  it('R-4.6, R-5.4: a follower that stands still again and again changes nothing', async () => {
    const before = await cluster.allFollow();
    const [flapping] = cluster.othersThan(before.leaderId) as [number, number];
    // Short and long against the fetch timeout of 2 s.
    for (const pausedMs of [300, 2500, 50, 700, 3500].flatMap((ms) => Array.from({ length: ROUNDS / 2 }, () => ms))) {
      await cluster.signal(flapping, 'SIGSTOP');
      await sleep(pausedMs);
      await cluster.signal(flapping, 'SIGCONT');
      await stream.untilAnswered();
      expect(await cluster.leadership()).toEqual(before);
    }
    expect(await cluster.allFollow()).toEqual(before);
  });

  const LEFT = ['follower', 'leader'].flatMap((left) => ['SIGKILL', 'SIGSTOP'].map((signal) => ({ left, signal })));

  it.each(LEFT)('with only the $left left after $signal nobody waits for ever, and all are told why', async (fate) => {
    const { leaderId } = await cluster.allFollow();
    const others = cluster.othersThan(leaderId);
    const victims = fate.left === 'leader' ? others : [leaderId, others[0] as number];
    const [left] = cluster.controllerIds.filter((id) => !victims.includes(id)) as [number];
    const { signal } = fate;
    await Promise.all(victims.map((id) => cluster.signal(id, signal as 'SIGKILL')));
    await tellsWhy(`the ${fate.left} is left after ${signal}`, cluster.addressOf(left));
    await tellsWhy(`the ${fate.left} is left after ${signal}, asked through a broker`, cluster.servers[0] as string);
    for (const id of victims) {
      if (signal === 'SIGKILL') cluster.begin(id);
      else await cluster.signal(id, 'SIGCONT');
    }
    say('both are back', await stream.untilAnswered());
  });

  it('every answered creation is there once on every broker, and nothing else but what nobody knows', async () => {
    const asked = await stream.stop();
    for (const server of cluster.servers) {
      const listed = (await cluster.listed(server)).filter(({ name }) => !name.startsWith(NOT_OF_THE_STREAM));
      expect(violations(asked, listed)).toEqual([]);
    }
    const counts = stream.counts();
    process.stdout.write(`${JSON.stringify(counts)}, longest call ${Math.round(stream.longestCallMs)} ms\n`);
    for (const [reason, count] of stream.reasons()) process.stdout.write(`${count} x ${reason}\n`);
    expect(counts.done).toBeGreaterThan(200);
  });

  /** A creation that cannot be committed fails with the reason, on the wire and on the command line. */
  async function tellsWhy(what: string, address: string): Promise<void> {
    const name = `${NOT_OF_THE_STREAM}${what.replaceAll(/[^a-z]+/g, '-')}`;
    const topics = [{ name, partitions: 1, replicationFactor: -1, configs: {}, assignments: [] }];
    const begunAt = performance.now();
    const call = cluster.call(
      address,
      Admin.methods.createTopics,
      { topics, validateOnly: false, forwarded: false },
      20_000,
    );
    const error = (await call.then(
      () => new Error('it succeeded'),
      (reason: unknown) => reason,
    )) as Error;
    say(what, performance.now() - begunAt);
    expect(error.message).toMatch(NO_MAJORITY);
    const { code, stderr } = await kvorum(['topic', 'create', `${name}-again`, '--server', address]);
    expect([code, stderr]).toEqual([1, expect.stringMatching(NO_MAJORITY)]);
  }
});

function say(what: string, elapsedMs: number): void {
  process.stdout.write(`${what}: answered after ${Math.round(elapsedMs)} ms\n`);
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms));
}
