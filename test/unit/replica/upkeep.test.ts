// Retention in rounds, and flushes that nobody waits for, on a simulated disk.
import { describe, expect, test } from 'vitest';
import { ConfigScope } from '../../../src/gen/kvorum/v1/metadata.ts';
import { appendToPartition } from '../../../src/replica/append.ts';
import type { Partition } from '../../../src/replica/partition.ts';
import { batchOf } from '../broker/bench.ts';
import { uuid } from '../metadata/fixture.ts';
import type { Replicas } from './bench.ts';
import { config, topic, withReplicas } from './bench.ts';

const T = uuid(50);
const INTERVAL_MS = 1000;
const KEYS = { 'log.retention.check.interval.ms': String(INTERVAL_MS), 'log.segment.bytes': '700' };
const ofTopic = (key: string, value: string) => config(ConfigScope.TOPIC, 't', key, value);

/** A partition with `count` batches of two records, one after the other in a segment each few, of the wall clock's time. */
async function filled({ commit, partition, env }: Replicas, count: number) {
  commit(...topic('t', T));
  const filledOne = await partition(T);
  await append(filledOne, count, env.clock.wallTime());
  return filledOne;
}

async function append(partition: Partition, count: number, timestamp: number): Promise<void> {
  await partition.log.warm();
  for (let i = 0; i < count; i++) appendToPartition(partition, batchOf(2, 100, { timestamp }), 1);
  await partition.acknowledged(partition.log.logEndOffset, -1);
}

function pause({ env }: Replicas, ms: number): Promise<void> {
  return new Promise((resolve) => {
    env.clock.schedule(ms, resolve);
  });
}

function told({ world }: Replicas) {
  return world.log.lines().filter(({ event }) => event === 'segments-deleted');
}

describe('a round of retention', () => {
  test('deletes by size and tells what and why; the log start follows', async () => {
    await withReplicas(
      async (replicas) => {
        const partition = await filled(replicas, 9);
        await pause(replicas, 2 * INTERVAL_MS);
        expect(told(replicas)).toEqual([]);
        replicas.commit(ofTopic('retention.bytes', '700'));
        await pause(replicas, 1.5 * INTERVAL_MS);
        const { logStartOffset } = partition.log;
        expect(logStartOffset).toBeGreaterThan(0);
        expect(told(replicas).map(({ fields }) => fields)).toEqual([
          expect.objectContaining({
            directory: '/data/t-0',
            cause: 'retention.bytes',
            startOffset: 0,
            endOffset: logStartOffset,
            logStartOffset,
          }),
        ]);
        await pause(replicas, 2 * INTERVAL_MS);
        expect(told(replicas)).toHaveLength(1);
      },
      { keys: KEYS },
    );
  });

  test('deletes by age: retention.ms that is shortened is in force at the next round', async () => {
    await withReplicas(
      async (replicas) => {
        const partition = await filled(replicas, 5);
        await pause(replicas, 5 * INTERVAL_MS);
        expect(partition.log.logStartOffset).toBe(0);
        replicas.commit(ofTopic('retention.ms', '2000'));
        await pause(replicas, 1.5 * INTERVAL_MS);
        expect([partition.log.logStartOffset, partition.log.logEndOffset]).toEqual([10, 10]);
        expect(told(replicas)[0]?.fields).toMatchObject({ cause: 'retention.ms' });
        await append(partition, 1, replicas.env.clock.wallTime());
        await pause(replicas, 1.5 * INTERVAL_MS);
        expect([partition.log.logStartOffset, partition.log.logEndOffset]).toEqual([10, 12]);
      },
      { keys: KEYS },
    );
  });

  test('removed files go after file.delete.delay.ms', async () => {
    await withReplicas(
      async (replicas) => {
        await filled(replicas, 9);
        const deleted = async () =>
          (await replicas.env.disk.list('/data/t-0')).filter(({ name }) => name.endsWith('.deleted')).length;
        replicas.commit(ofTopic('retention.bytes', '700'), ofTopic('file.delete.delay.ms', '5000'));
        await pause(replicas, 1.5 * INTERVAL_MS);
        expect(await deleted()).toBeGreaterThan(0);
        await pause(replicas, 5000);
        expect(await deleted()).toBe(0);
      },
      { keys: KEYS },
    );
  });

  test('what the disk fails takes offline, and the rounds go on without it', async () => {
    await withReplicas(
      async (replicas) => {
        const partition = await filled(replicas, 9);
        replicas.world.process('host').disk.failNext('directory', '/data/t-0');
        replicas.commit(ofTopic('retention.bytes', '700'));
        await pause(replicas, 1.5 * INTERVAL_MS);
        expect(partition.failure).toBeDefined();
        await pause(replicas, 2 * INTERVAL_MS);
        expect(told(replicas)).toEqual([]);
      },
      { keys: KEYS },
    );
  });

  test('D-9.1 the start is kept over a clean stop, and a log with nothing to delete stays cold', async () => {
    const world = await withReplicas(
      async (replicas) => {
        await filled(replicas, 9);
        replicas.commit(ofTopic('retention.bytes', '700'));
        await pause(replicas, 1.5 * INTERVAL_MS);
      },
      { keys: KEYS },
    );
    await withReplicas(
      async (replicas) => {
        const partition = await replicas.partition(T);
        expect(partition.log.logStartOffset).toBeGreaterThan(0);
        await pause(replicas, 3 * INTERVAL_MS);
        expect(partition.log.isWarm).toBe(false);
        expect(await replicas.env.disk.list('/data/t-0')).toEqual(
          expect.not.arrayContaining([expect.objectContaining({ name: expect.stringMatching(/deleted$/) })]),
        );
      },
      { keys: KEYS, world, before: [...topic('t', T, { leader: -1 }), ofTopic('retention.bytes', '700')] },
    );
  });
});

describe('log.flush.mode=async', () => {
  const async = (keys: Record<string, string>) => ({ keys: { 'log.flush.mode': 'async', ...keys } });

  test('without limits nothing is flushed for its own sake', async () => {
    await withReplicas(async (replicas) => {
      const partition = await filled(replicas, 9);
      await pause(replicas, 100_000);
      expect(partition.log.flushedEndOffset).toBe(0);
    }, async({}));
  });

  test('flush.messages: so many records at most are not durable', async () => {
    await withReplicas(
      async (replicas) => {
        const partition = await filled(replicas, 4);
        await pause(replicas, 1000);
        expect(partition.log.flushedEndOffset).toBe(0);
        await append(partition, 1, 1000);
        await pause(replicas, 1000);
        expect(partition.log.flushedEndOffset).toBe(10);
      },
      async({ 'log.flush.interval.messages': '10' }),
    );
  });

  test('flush.messages: what comes while a flush is under way is flushed after it', async () => {
    await withReplicas(
      async (replicas) => {
        const partition = await filled(replicas, 1);
        await pause(replicas, 1000);
        for (let i = 0; i < 2; i++) {
          appendToPartition(partition, batchOf(2, 100, { timestamp: 1000 }), 1);
          // No sync is that quick.
          await pause(replicas, 0.05);
        }
        await pause(replicas, 1000);
        expect(partition.log.flushedEndOffset).toBe(6);
      },
      async({ 'log.flush.interval.messages': '2', 'log.flush.interval.ms': '2000' }),
    );
  });

  test('flush.ms: for so long at most, counted from the first of them', async () => {
    await withReplicas(
      async (replicas) => {
        const partition = await filled(replicas, 1);
        await pause(replicas, 1500);
        await append(partition, 1, 1000);
        await pause(replicas, 400);
        expect(partition.log.flushedEndOffset).toBe(0);
        await pause(replicas, 200);
        expect(partition.log.flushedEndOffset).toBe(4);
        await append(partition, 1, 1000);
        await pause(replicas, 1900);
        expect(partition.log.flushedEndOffset).toBe(4);
        await pause(replicas, 200);
        expect(partition.log.flushedEndOffset).toBe(6);
      },
      async({ 'log.flush.interval.ms': '2000' }),
    );
  });

  test('a flush that fails takes the partition offline', async () => {
    await withReplicas(
      async (replicas) => {
        replicas.commit(...topic('t', T));
        const partition = await replicas.partition(T);
        await partition.log.warm();
        replicas.world.process('host').disk.failNext('sync', '/data/t-0');
        appendToPartition(partition, batchOf(), 1);
        await pause(replicas, 1000);
        expect(partition.failure).toBeDefined();
      },
      async({ 'log.flush.interval.messages': '1' }),
    );
  });
});
