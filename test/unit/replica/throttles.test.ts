// Throttles of replication (KIP-73): who is out of sync moves so many bytes per second, and who is in sync is never held back.
import { describe, expect, test } from 'vitest';
import { parseValue } from '../../../src/config/key.ts';
import { TOPIC_KEYS } from '../../../src/config/topic-keys.ts';
import { sleep } from '../../../src/env/clock.ts';
import { ReplicationQuota, ReplicationThrottles } from '../../../src/replica/throttles.ts';
import { World } from '../../../src/sim/world/world.ts';
import type { FollowerBench } from './follower-bench.ts';
import { withFollowers } from './follower-bench.ts';

describe('a quota', () => {
  test('is made up for by pauses, and saves what a second had left', async () => {
    await new World({ seed: 1 }).run('host', 60_000, async ({ clock }) => {
      const quota = new ReplicationQuota(clock, 1000);
      expect(quota.pauseMs).toBe(0);
      quota.record(500);
      expect(quota.pauseMs).toBeCloseTo(500);
      await sleep(clock, 500);
      expect(quota.pauseMs).toBe(0);
      await sleep(clock, 9000);
      quota.record(1500);
      expect(quota.pauseMs).toBeCloseTo(500);
      quota.record(29_500);
      for (let passed = 0; passed < 30; passed++) {
        expect(quota.pauseMs, `after ${passed} s`).toBeCloseTo(1000, -1);
        await sleep(clock, 1000);
      }
      expect(quota.pauseMs).toBe(0);
      quota.record(1e9);
      quota.bytesPerSecond = 2000;
      expect(quota.pauseMs).toBe(0);
    });
  });
});

test('a list names all replicas, or some by partition and broker', async () => {
  await new World({ seed: 1 }).run('host', 1000, async ({ clock }) => {
    const rates = { 'leader.replication.throttled.rate': 1, 'follower.replication.throttled.rate': 1 };
    const throttles = new ReplicationThrottles(clock, 4, rates);
    const lists = ['', '*', '0:4', '1:4, 0:5', '0:5,10:4', '0:4,1:4'];
    expect(lists.filter((list) => throttles.names(list, 0))).toEqual(['*', '0:4', '0:4,1:4']);
    expect(lists.filter((list) => throttles.names(list, 1))).toEqual(['*', '1:4, 0:5', '0:4,1:4']);
  });
});

test('a list of another form is refused with what it takes', () => {
  const { key } = TOPIC_KEYS['leader.replication.throttled.replicas'];
  for (const good of ['', '*', '0:1', '0:1,12:1001', ' 0:1 , 1:2 ']) {
    expect(parseValue('k', key, good), good).toMatchObject({ ok: true });
  }
  for (const bad of ['**', '0', '0:', ':1', '0:1;1:1', '-1:4', '0:1,', 'all']) {
    expect(parseValue('k', key, bad), bad).toMatchObject({
      ok: false,
      error: expect.stringContaining('<partition>:<broker>'),
    });
  }
});

describe('a follower', () => {
  /** Milliseconds that broker 2 takes to fetch three times one batch, of about 200 bytes, at 1,000 bytes per second. */
  async function timeOf(bench: FollowerBench, isCommitted: boolean): Promise<number> {
    const [a, b] = [bench.replica(1), bench.replica(2)];
    b.throttles.follower.bytesPerSecond = 1000;
    await bench.elect(1, 0, [1, 2, 3], isCommitted ? [1] : [1, 2, 3]);
    await a.append(1);
    await b.round();
    const startedMs = bench.env.clock.now();
    for (let i = 0; i < 3; i++) {
      await a.append(9);
      const { asked, answer } = await b.fetch();
      // More is committed than one answer brings.
      await b.following?.take(asked, isCommitted ? { ...answer, highWatermark: 1000 } : answer);
      await b.position();
    }
    return bench.env.clock.now() - startedMs;
  }

  test('that is out of sync pauses, if its topic names it', async () => {
    await withFollowers(async (bench) => expect(await timeOf(bench, true)).toBeGreaterThan(2000), { throttled: '0:2' });
    await withFollowers(async (bench) => expect(await timeOf(bench, true)).toBeLessThan(500), { throttled: '0:1,0:3' });
    await withFollowers(async (bench) => expect(await timeOf(bench, true)).toBeLessThan(500));
  });

  test('that pauses goes on when the rate is another', async () => {
    await withFollowers(
      async (bench) => {
        const [a, b] = [bench.replica(1), bench.replica(2)];
        b.throttles.follower.bytesPerSecond = 1;
        await bench.elect(1, 0, [1, 2, 3], [1]);
        await a.append(1);
        await b.round();
        await a.append(9);
        const { asked, answer } = await b.fetch();
        await b.following?.take(asked, { ...answer, highWatermark: 1000 });
        await sleep(bench.env.clock, 30_000);
        expect(b.following?.position, 'about 200 s are owed').toBeUndefined();
        b.throttles.follower.bytesPerSecond = 1_000_000;
        await sleep(bench.env.clock, 1000);
        expect(b.following?.position).toBeDefined();
      },
      { throttled: '*' },
    );
  });

  test('that is in sync never pauses', async () => {
    await withFollowers(async (bench) => expect(await timeOf(bench, false)).toBeLessThan(500), { throttled: '*' });
  });
});
