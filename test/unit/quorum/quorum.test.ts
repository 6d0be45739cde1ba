// Three quorum nodes over the simulated network and disks: elections, commits, stops, failures of disk and state machine.
import { describe, expect, test } from 'vitest';
import type { Env } from '../../../src/env/env.ts';
import type { Member } from './trio.ts';
import { ELECTION_MS, elected } from './trio.ts';

test('what the leader appends is applied by all, in order; a batch is a batch', async () => {
  const { trio, leader } = await elected();
  expect(leader.append('a')).toEqual({ baseOffset: 2, lastOffset: 2 });
  expect(leader.append('b', 'c')).toEqual({ baseOffset: 3, lastOffset: 4 });
  await trio.committed(['a', 'b', 'c']);
  for (const { applied } of trio.members) {
    expect(applied.at(-1)?.records).toHaveLength(2);
    expect(applied[0]?.records).toEqual([]);
  }
  expect(leader.quorum?.describe()).toMatchObject({ role: 'leader', leaderId: leader.id, logEndOffset: 5 });
});

test('nobody appends without a claim of the epoch', async () => {
  const { trio, leader } = await elected();
  for (const member of trio.members) {
    for (const epoch of [-1, 0, 99]) expect(member.quorum?.append(epoch, [Buffer.from('x')])).toBeUndefined();
    if (member !== leader) expect(member.quorum?.append(leader.claimed ?? 0, [Buffer.from('x')])).toBeUndefined();
  }
});

test('after the leader has died another takes over with all that was committed; the old one returns as a follower', async () => {
  const { trio, leader } = await elected();
  leader.append('a');
  await trio.committed(['a']);
  leader.process.powerCut();
  const next = await trio.elected();
  expect(next).not.toBe(leader);
  next.append('b');
  await trio.committed(
    ['a', 'b'],
    trio.members.filter((member) => member !== leader),
  );
  leader.start();
  await trio.committed(['a', 'b']);
});

test('a leader that stops says goodbye: the next one does not wait for the election timeout, and nothing is left open', async () => {
  const { trio, leader } = await elected();
  leader.append('a');
  await trio.committed(['a']);
  const asked = trio.world.nowMs;
  let stopped = false;
  void leader.quorum?.stop().then(() => {
    stopped = true;
  });
  await trio.world.runUntil(() => stopped && trio.leader !== undefined && trio.leader !== leader, 10_000, 'another');
  expect(trio.world.nowMs - asked).toBeLessThan(ELECTION_MS);
  expect(leader.events.at(-1)).toMatch(/^renounce/);
  // The same process can open it again at once.
  await leader.quorum?.stop();
  const env = leader.env as Env;
  let reopened = false;
  void env
    .openStore('/data/metadata')
    .then((store) => store.close())
    .then(() => {
      reopened = true;
    });
  await trio.world.runUntil(() => reopened, 1000, 'the folder is free');
});

describe('fatal', () => {
  test('a disk that does not take the log: said once, nothing answered any more, the folder can be closed (R-14.3)', async () => {
    const { trio, leader } = await elected();
    leader.process.disk.failNext('store', '/data/metadata', 100);
    leader.append('a');
    await trio.world.runUntil(() => leader.fatal.length > 0, 1000, 'fatal');
    expect(leader.append('b')).toBeUndefined();
    const next = await (async () => {
      await trio.world.runUntil(() => trio.members.some((it) => it !== leader && it.claimed !== undefined), 20_000);
      return trio.members.find((it) => it !== leader && it.claimed !== undefined);
    })();
    expect(next).toBeDefined();
    expect(leader.fatal).toEqual([expect.stringMatching(/metadata log in \/data cannot be written.*check the disk/)]);
    leader.process.disk.settings.errorChance.store = 0;
    let closed = false;
    void (async () => {
      await leader.quorum?.stop();
      const store = await (leader.env as Env).openStore('/data/metadata');
      await store.close();
      closed = true;
    })();
    await trio.world.runUntil(() => closed, 1000, 'the folder is free');
  });

  test('a state machine that fails stops the node, and only that (R-9.4)', async () => {
    const { trio, leader } = await elected();
    const victim = trio.members.find((member) => member !== leader) as Member;
    victim.sabotage = new Error('cannot apply');
    leader.append('a');
    await trio.world.runUntil(() => victim.fatal.length > 0, 5000, 'fatal');
    expect(victim.fatal).toEqual(['the metadata state machine failed']);
    expect(victim.records).toEqual([]);
    const rest = trio.members.filter((member) => member !== victim);
    await trio.committed(['a'], rest);
    leader.append('b');
    await trio.committed(['a', 'b'], rest);
  });
});

describe('a leader that cannot go on hands over first (R-9.4)', () => {
  test.each([
    ['its state machine fails', (leader: Member) => void (leader.sabotage = new Error('cannot apply'))],
    ['the node is told to stop for another reason', (leader: Member) => leader.quorum?.fail('no more', new Error('x'))],
  ])('%s', async (_name, begin) => {
    const { trio, leader } = await elected();
    const askedMs = trio.world.nowMs;
    begin(leader);
    leader.append('a');
    const others = trio.members.filter((member) => member !== leader);
    await trio.world.runUntil(() => others.some(({ claimed }) => claimed !== undefined), 5000, 'another leader');
    expect(trio.world.nowMs - askedMs).toBeLessThan(ELECTION_MS);
    await trio.world.runUntil(() => leader.fatal.length > 0, 1000, 'said');
    leader.quorum?.fail('again');
    // It takes no part any more: nobody hears of it, whatever is asked of it.
    expect(leader.append('b')).toBeUndefined();
    expect(await leader.quorum?.whenCommitted(1000)).toBe(false);
    await expect(leader.quorum?.changeVoters({ type: 'remove', replica: { id: 1, directoryId: '' } })).rejects.toThrow(
      'not running',
    );
    const { epoch } = leader.quorum?.describe() ?? {};
    await trio.world.runFor(3000);
    expect(leader.fatal).toHaveLength(1);
    expect(leader.quorum?.describe().epoch).toBe(epoch);
  });
});

test('a leader that is cut off renounces before another is heard of, and drops what it could not commit', async () => {
  const { trio, leader } = await elected();
  leader.append('a');
  await trio.committed(['a']);
  trio.world.network.isolate(`c${leader.id}`);
  expect(leader.append('lost')).toBeDefined();
  await trio.world.runUntil(() => leader.claimed === undefined, 30_000, 'renounced');
  const next = await trio.elected();
  next.append('b');
  trio.world.network.heal();
  await trio.committed(['a', 'b']);
});

test('a node whose log says where the voters listen starts though nobody is found', async () => {
  const { trio, leader } = await elected();
  leader.append('a');
  await trio.committed(['a']);
  for (const member of trio.members) {
    member.process.powerCut();
    member.options = { findVoters: () => new Promise(() => {}) };
    member.start();
  }
  const next = await trio.elected();
  next.append('b');
  await trio.committed(['a', 'b']);
});
