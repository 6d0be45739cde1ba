// Snapshots of whole nodes: taken, kept, trimmed to, fetched, and what a bad disk does to them.
import { describe, expect, test } from 'vitest';
import type { Disk } from '../../../src/env/disk.ts';
import type { Member } from './trio.ts';
import { Trio } from './trio.ts';

const RECORD = 'x'.repeat(50);

function record(n: number): string {
  return `${n}:${RECORD}`;
}

/** A trio whose nodes take a snapshot after every ten records or so, if `maxBytes` does not say otherwise. */
function snapshotting(seed = 11, maxBytes = 500): Trio {
  const trio = new Trio(seed);
  for (const member of trio.members) member.options = { snapshots: { maxBytes, maxIntervalMs: 0 } };
  return trio;
}

async function electedOf(trio: Trio): Promise<Member> {
  trio.startAll();
  const leader = await trio.elected();
  await trio.world.runFor(1000);
  return leader;
}

/** Commits records `from` .. `to` - 1, each as a batch of its own. */
async function write(trio: Trio, from: number, to: number, members = trio.members): Promise<string[]> {
  const all = Array.from({ length: to }, (_, n) => record(n));
  for (let n = from; n < to; n++) {
    (await trio.elected()).append(record(n));
    await trio.committed(all.slice(0, n + 1), members);
  }
  return all;
}

/** Runs simulated code of a member to its end. */
async function run<T>(trio: Trio, body: () => Promise<T>): Promise<T> {
  const promise = body();
  let isDone = false;
  const done = (): void => {
    isDone = true;
  };
  promise.then(done, done);
  await trio.world.runUntil(() => isDone, 10_000, 'done');
  return promise;
}

describe('every node snapshots its own log', () => {
  test('the two newest are kept, the log begins at the end of the older one (R-10.3), other files are gone', async () => {
    const trio = snapshotting();
    await electedOf(trio);
    await write(trio, 0, 60);
    await trio.world.runFor(1000);
    for (const member of trio.members) {
      const { logStartOffset, logEndOffset, latestSnapshot } = member.quorum?.describe() ?? {};
      const snapshots = member.quorum?.snapshots ?? [];
      expect(snapshots).toHaveLength(2);
      expect(logStartOffset).toBe(snapshots[0]?.id.endOffset);
      expect(latestSnapshot).toEqual(snapshots[1]?.id);
      expect(logStartOffset).toBeGreaterThan(30);
      expect(logEndOffset).toBe(62);
      const names = snapshots.map(({ id }) => `${String(id.endOffset).padStart(20, '0')}-0000000001.checkpoint`);
      expect(await run(trio, () => member.files())).toEqual(names);
      expect(snapshots[1]?.voters.map(({ id }) => id)).toEqual([1, 2, 3]);
    }
  });

  test('a restart begins at the newest snapshot and applies the rest of the log', async () => {
    const trio = snapshotting();
    await electedOf(trio);
    const all = await write(trio, 0, 37);
    await trio.world.runFor(1000);
    for (const member of trio.members) member.process.powerCut();
    trio.startAll();
    await trio.elected();
    await trio.committed(all);
    for (const { loaded, applied } of trio.members) {
      expect(loaded.endOffset).toBeGreaterThan(20);
      expect(applied[0]?.baseOffset).toBe(loaded.endOffset);
    }
    await write(trio, 37, 40);
  });

  test('by time, only with something new; on request; never twice the same', async () => {
    const trio = new Trio();
    for (const member of trio.members) member.options = { snapshots: { maxBytes: 1 << 30, maxIntervalMs: 5000 } };
    const leader = await electedOf(trio);
    leader.append('a');
    await trio.world.runFor(10_000);
    const first = leader.quorum?.snapshots.map(({ id }) => id);
    expect(first).toHaveLength(1);
    await trio.world.runFor(30_000);
    expect(leader.quorum?.snapshots.map(({ id }) => id)).toEqual(first);
    expect(await run(trio, async () => leader.quorum?.takeSnapshot())).toBeUndefined();
    leader.append('b');
    await trio.world.runFor(10);
    const id = await run(trio, async () => leader.quorum?.takeSnapshot());
    expect(id).toEqual({ endOffset: leader.endOffset, epoch: 1 });
    expect(leader.quorum?.snapshots.at(-1)?.id).toEqual(id);
  });

  test('after so many records, however small they are', async () => {
    const trio = new Trio();
    const leader = await electedOf(trio);
    for (let n = 0; n < 31; n++) leader.append(...Array.from({ length: 1000 }, () => 'x'));
    await trio.world.runUntil(() => leader.quorum?.snapshots.length === 1, 10_000, 'a snapshot');
    expect(leader.quorum?.snapshots[0]?.id.endOffset).toBeGreaterThan(29_000);
  });

  test('a reader keeps the file that it reads; afterwards it goes', async () => {
    const trio = snapshotting();
    const leader = await electedOf(trio);
    const all = await write(trio, 0, 25);
    await trio.world.runFor(100);
    const reader = await run(trio, async () => leader.quorum?.openSnapshot());
    if (reader === undefined) throw new Error('no snapshot');
    await write(trio, 25, 60);
    await trio.world.runFor(1000);
    expect(leader.quorum?.snapshots.map(({ id }) => id)).not.toContainEqual(reader.snapshot.id);
    expect(await run(trio, () => leader.files())).toHaveLength(3);
    const records: string[] = [];
    await run(trio, async () => {
      for await (const chunk of reader.chunks()) for (const it of chunk) records.push(Buffer.from(it).toString());
      await reader.close();
    });
    expect(records).toEqual(all.slice(0, records.length)); // all that was committed below its end
    expect(records.length).toBeGreaterThan(5);
    expect(await run(trio, () => leader.files())).toHaveLength(2);
    expect(await run(trio, async () => leader.quorum?.openSnapshot(reader.snapshot.id))).toBeUndefined();
  });
});

describe('catching up by snapshot (R-10.4, R-10.5)', () => {
  test('a node that stood still too long, and one on a new disk, which votes no more', async () => {
    const trio = snapshotting();
    const leader = await electedOf(trio);
    await write(trio, 0, 5);
    const [late, wiped] = trio.members.filter((member) => member !== leader) as [Member, Member];
    late.process.powerCut();
    await write(
      trio,
      5,
      60,
      trio.members.filter((member) => member !== late),
    );
    late.start();
    const all = Array.from({ length: 60 }, (_, n) => record(n));
    await trio.committed(all);
    expect(late.events).toContainEqual(expect.stringMatching(/^load [45]/));
    wiped.process.powerCut();
    wiped.wipe();
    wiped.start();
    await trio.committed(all);
    await write(trio, 60, 75);
    expect(wiped.quorum?.describe()).toMatchObject({ isVoter: false, logEndOffset: 77 });
    expect(late.quorum?.describe()).toMatchObject({ isVoter: true, logEndOffset: 77 });
  });
});

describe('a bad disk', () => {
  async function written(): Promise<{ trio: Trio; leader: Member; victim: Member }> {
    const trio = snapshotting();
    const leader = await electedOf(trio);
    await write(trio, 0, 40);
    await trio.world.runFor(1000);
    return { trio, leader, victim: trio.members.find((member) => member !== leader) as Member };
  }

  test('a file of the catalogue that is missing, cut or damaged anywhere: CORRUPT, with the file and what to do (R-10.7)', async () => {
    const { trio, victim } = await written();
    const files = (await run(trio, () => victim.files())).map((name) => `/data/snapshots/${name}`);
    const [older, newest] = files as [string, string];
    const content = victim.process.disk.contentOf(newest);
    victim.process.kill();
    const { disk } = victim.process;
    async function refusal(): Promise<string> {
      victim.start();
      await trio.world.runUntil(() => victim.refused !== undefined || victim.quorum !== undefined, 5000);
      victim.process.kill();
      expect(victim.refused).toMatchObject({ code: 'CORRUPT' });
      return victim.refused?.message ?? '';
    }
    for (let at = 0; at < content.length; at += 7) {
      disk.corrupt(newest, at, 1 << (at % 8));
      const message = await refusal();
      expect(message).toContain(newest);
      expect(message).toContain('format it again');
      disk.corrupt(newest, at, 1 << (at % 8));
    }
    const change = async (body: (disk: Disk) => Promise<void>): Promise<void> => {
      victim.process.start((env) => body(env.disk));
      await trio.world.runFor(100);
      victim.process.kill();
    };
    await change(async (its) => {
      const file = await its.open(newest, 'write');
      await file.truncate(content.length - 1);
    });
    expect(await refusal()).toMatch(/bytes instead of|cut short/);
    await change((its) => its.remove(older));
    expect(await refusal()).toContain(`${older} cannot be used: it is missing`);
  });

  test('what a crash left behind is removed at the start', async () => {
    const { trio, victim } = await written();
    const files = await run(trio, () => victim.files());
    const left = [
      '00000000000000000099-0000000001.checkpoint',
      '00000000000000000099-0000000001.checkpoint.taken.part',
    ];
    await run(trio, async () => {
      for (const name of left) await victim.env?.disk.open(`/data/snapshots/${name}`, 'create');
      await victim.env?.disk.open('/data/snapshots/notes.txt', 'create');
    });
    victim.process.kill();
    victim.start();
    await trio.world.runUntil(() => victim.quorum !== undefined, 5000);
    expect(await run(trio, () => victim.files())).toEqual([...files, 'notes.txt']);
  });

  test('full while a snapshot is written: said, the part goes, the node goes on and tries again later', async () => {
    const { trio, leader } = await written();
    const before = leader.quorum?.snapshots;
    const { disk } = leader.process;
    disk.failNext('write', '.taken.part', 1, 'NO_SPACE');
    const all = await write(trio, 40, 60);
    expect(leader.quorum?.snapshots).toEqual(before);
    expect(await run(trio, () => leader.files())).toHaveLength(2);
    expect(leader.fatal).toEqual([]);
    expect(trio.world.log.lines().some((line) => JSON.stringify(line).includes('free space on the disk'))).toBe(true);
    await trio.world.runFor(61_000);
    leader.append(record(60));
    await trio.committed([...all, record(60)]);
    await trio.world.runFor(1000);
    expect(leader.quorum?.snapshots).not.toEqual(before);
  });

  test('full while the log is written: the leader says farewell, then the node stops with what to do (R-14.4)', async () => {
    const { trio, leader } = await written();
    leader.process.disk.failNext('store', '/data/metadata', 1, 'NO_SPACE');
    const failedMs = trio.world.nowMs;
    leader.append('lost?');
    await trio.world.runUntil(() => trio.members.some((it) => it !== leader && it.claimed !== undefined), 5000);
    // Sooner than anybody would have missed it.
    expect(trio.world.nowMs - failedMs).toBeLessThan(250);
    await trio.world.runUntil(() => leader.fatal.length > 0, 5000);
    expect(leader.fatal).toEqual([expect.stringMatching(/disk is full; free space on the disk of \/data and start/)]);
    expect(leader.append('more')).toBeUndefined();
  });

  test('rot in the file that a leader serves: nobody loads it, the leader hands over and stops (R-10.7)', async () => {
    const { trio, leader, victim } = await written();
    const newest = (await run(trio, () => leader.files())).at(-1) ?? '';
    leader.process.disk.corrupt(`/data/snapshots/${newest}`, 200);
    victim.process.powerCut();
    victim.wipe();
    victim.start();
    const { records } = leader;
    await trio.world.runUntil(() => leader.fatal.length > 0, 10_000, 'noticed');
    expect(leader.fatal).toEqual([expect.stringMatching(new RegExp(`${newest} cannot be used`))]);
    expect(victim.loaded.endOffset).toBe(0);
    leader.process.kill();
    leader.start();
    await trio.world.runUntil(() => leader.refused !== undefined, 5000);
    expect(leader.refused?.message).toContain(newest);
    expect(records).toHaveLength(40);
  });

  test.each([
    ['the first piece cannot be written', 'directory', '.received.part', 'IO'],
    ['a piece in the middle finds the disk full', 'write', '.received.part', 'NO_SPACE'],
    ['the file cannot be synced', 'sync', '.received.part', 'IO'],
    ['the file cannot be read back', 'read', '.received.part', 'IO'],
  ] as const)('while a snapshot is fetched: %s; it is fetched again later', async (_name, kind, part, code) => {
    const { trio, leader, victim } = await written();
    victim.process.powerCut();
    victim.wipe();
    victim.start();
    await trio.world.runUntil(() => victim.quorum !== undefined, 5000);
    victim.process.disk.failNext(kind, part, 1, code);
    await trio.committed(leader.records);
    expect(victim.fatal).toEqual([]);
    expect(trio.world.log.format()).toMatch(/snapshot-not-received.*injected/);
    expect(victim.events.filter((event) => event.startsWith('load'))).toHaveLength(1);
    expect(await run(trio, () => victim.files())).toHaveLength(1);
  });
});

describe('a power cut at every step', () => {
  /** `begin` brings the victim to the start of what is watched; `isOver` once nothing of it is left to do. */
  async function cutAtEveryStep(
    begin: (trio: Trio) => Promise<Member>,
    isOver: (victim: Member) => boolean,
  ): Promise<number> {
    let over = 0;
    for (let steps = 0; ; steps++) {
      const trio = snapshotting(11, 150);
      const victim = await begin(trio);
      let seen = 0;
      // Processes are numbered as they were made; the detail of what a disk does is whose disk it is.
      trio.world.trace = ({ kind, detail, target }) => {
        const isDisk = (kind === 'disk' || kind === 'store') && detail === victim.id;
        if (isDisk || target?.host === victim.process.name) seen++;
      };
      await trio.world.runUntil(() => seen >= steps, 10_000);
      if (isOver(victim)) over++;
      const all = trio.members.find((member) => member !== victim)?.records ?? [];
      // Twice, to see that what it does from there on is durable as well.
      for (const _ of [1, 2]) {
        victim.process.powerCut();
        victim.start();
        await trio.committed(all);
        expect(victim.refused).toBeUndefined();
        await trio.world.runFor(50);
        const listed = victim.quorum?.snapshots.map(({ id }) => id.endOffset) ?? [];
        const files = (await run(trio, () => victim.files())).map((name) => Number(name.slice(0, 20)));
        expect(files).toEqual(listed);
      }
      // What follows the last step belongs to it: the catalogue is written, files are removed.
      if (over > 12) return steps;
    }
  }

  test('of taking a snapshot, and of dropping one for it', async () => {
    let before = -1;
    const steps = await cutAtEveryStep(
      async (trio) => {
        const leader = await electedOf(trio);
        const victim = trio.members.find((member) => member !== leader) as Member;
        victim.options = {};
        victim.process.kill();
        victim.start();
        for (let n = 0; n < 3; n++) {
          await write(trio, n, n + 1);
          if (n < 2) await run(trio, async () => victim.quorum?.takeSnapshot());
        }
        before = victim.quorum?.snapshots[0]?.id.endOffset ?? -1;
        void victim.quorum?.takeSnapshot();
        return victim;
      },
      (victim) => victim.quorum?.snapshots[0]?.id.endOffset !== before,
    );
    expect(steps).toBeGreaterThan(5);
  });

  test('of fetching one', async () => {
    const steps = await cutAtEveryStep(
      async (trio) => {
        const leader = await electedOf(trio);
        const victim = trio.members.find((member) => member !== leader) as Member;
        await write(trio, 0, 1);
        victim.process.powerCut();
        const others = trio.members.filter((member) => member !== victim);
        await write(trio, 1, 9, others);
        victim.start();
        await trio.world.runUntil(() => victim.quorum !== undefined, 5000);
        return victim;
      },
      (victim) => victim.loaded.endOffset > 4,
    );
    expect(steps).toBeGreaterThan(10);
  });
});
