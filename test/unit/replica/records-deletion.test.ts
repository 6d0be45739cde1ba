// DeleteRecords on one partition over a real log on a simulated disk.
import { describe, expect, test } from 'vitest';
import { sleep } from '../../../src/env/clock.ts';
import { ConfigScope } from '../../../src/gen/kvorum/v1/metadata.ts';
import { appendToPartition } from '../../../src/replica/append.ts';
import type { Partition } from '../../../src/replica/partition.ts';
import { findOffset, readPartition } from '../../../src/replica/read.ts';
import { deleteRecords } from '../../../src/replica/records-deletion.ts';
import { batchOf } from '../broker/bench.ts';
import { record, registration, uuid } from '../metadata/fixture.ts';
import type { Replicas } from './bench.ts';
import { config, topic, withReplicas } from './bench.ts';
import { leading } from './leader-bench.ts';

const T = uuid(50);

/** A partition that this broker leads, with `count` batches of two records in small segments, all committed. */
async function withRecords(
  count: number,
  body: (partition: Partition, replicas: Replicas) => Promise<void>,
  keys: Record<string, string> = {},
): Promise<void> {
  await withReplicas(
    async (replicas) => {
      replicas.commit(...topic('t', T));
      const partition = await replicas.partition(T);
      await partition.log.warm();
      for (let i = 0; i < count; i++) appendToPartition(partition, batchOf(2, 100, { timestamp: 1000 * (i + 1) }), 1);
      await partition.acknowledged(2 * count, -1);
      await body(partition, replicas);
    },
    { keys: { 'log.segment.bytes': '700', ...keys } },
  );
}

function read(partition: Partition, fetchOffset: number) {
  const all = { currentLeaderEpoch: -1, lastFetchedEpoch: -1, maxBytes: 1 << 20, atLeastOne: true };
  return readPartition(partition, { ...all, fetchOffset });
}

describe('D-9.1 DeleteRecords', () => {
  test('moves the start: fetches below it are out of range, ListOffsets finds it, and appends go on', async () => {
    await withRecords(5, async (partition) => {
      expect(await deleteRecords(partition, 4, 1000)).toEqual({ error: 'NONE', lowWatermark: 4 });
      expect(await read(partition, 3)).toMatchObject({ error: 'OFFSET_OUT_OF_RANGE', logStartOffset: 4 });
      expect(await read(partition, 4)).toMatchObject({ error: 'NONE', logStartOffset: 4, highWatermark: 10 });
      expect(await findOffset(partition, -2, -1)).toMatchObject({ offset: 4 });
      expect(await findOffset(partition, 0, -1)).toMatchObject({ offset: 4, timestamp: 3000 });
      expect(appendToPartition(partition, batchOf(), 1)).toMatchObject({ baseOffset: 10, logStartOffset: 4 });
    });
  });

  test('behaviour 58: -1 is the high watermark; nothing is left, and the next record follows', async () => {
    await withRecords(3, async (partition) => {
      expect(await deleteRecords(partition, -1, 1000)).toEqual({ error: 'NONE', lowWatermark: 6 });
      expect((await read(partition, 6)).records).toHaveLength(0);
      expect(await findOffset(partition, -1, -1)).toMatchObject({ offset: 6 });
      expect(await deleteRecords(partition, -1, 1000)).toEqual({ error: 'NONE', lowWatermark: 6 });
    });
  });

  test('in the middle of a batch: who asks for what is left gets the whole batch', async () => {
    await withRecords(3, async (partition) => {
      expect(await deleteRecords(partition, 3, 1000)).toEqual({ error: 'NONE', lowWatermark: 3 });
      expect((await read(partition, 3)).records.readBigInt64BE(0)).toBe(2n);
      expect(await read(partition, 2)).toMatchObject({ error: 'OFFSET_OUT_OF_RANGE' });
      expect(await findOffset(partition, 0, -1)).toMatchObject({ offset: 3 });
    });
  });

  test('never goes back', async () => {
    await withRecords(3, async (partition) => {
      await deleteRecords(partition, 4, 1000);
      expect(await deleteRecords(partition, 2, 1000)).toEqual({ error: 'NONE', lowWatermark: 4 });
    });
  });

  test('above the high watermark, or below zero: out of range, whatever 64-bit number it is', async () => {
    await withRecords(2, async (partition) => {
      for (const offset of [5, -2, 2n ** 62n, -(2n ** 62n)]) {
        expect(await deleteRecords(partition, offset, 1000)).toEqual({
          error: 'OFFSET_OUT_OF_RANGE',
          lowWatermark: -1,
        });
      }
      expect(partition.log.logStartOffset).toBe(0);
    });
  });

  test('of a log that nobody wrote to since the start is kept over the next stop', async () => {
    const keys = { 'log.segment.bytes': '700' };
    const led = topic('t', T);
    const world = await withReplicas(
      async ({ commit, partition: find }) => {
        commit(...led);
        const partition = await find(T);
        await partition.log.warm();
        for (let i = 0; i < 5; i++) appendToPartition(partition, batchOf(2, 100), 1);
        await partition.acknowledged(10, -1);
      },
      { keys },
    );
    await withReplicas(
      async ({ partition: find }) => {
        expect(await deleteRecords(await find(T), 5, 1000)).toEqual({ error: 'NONE', lowWatermark: 5 });
      },
      { keys, world, before: led },
    );
    await withReplicas(
      async ({ partition: find }) => {
        const partition = await find(T);
        expect([partition.log.logStartOffset, partition.log.logEndOffset]).toEqual([5, 10]);
        expect(await deleteRecords(partition, -1, 1000)).toEqual({ error: 'NONE', lowWatermark: 10 });
        await partition.log.warm();
        expect(appendToPartition(partition, batchOf(), 1)).toMatchObject({ baseOffset: 10 });
      },
      { keys, world, before: led },
    );
  });

  test('async: what is deleted up to was made durable first, so that the log reaches there after a power cut', async () => {
    await withRecords(
      2,
      async (partition) => {
        appendToPartition(partition, batchOf(), 1);
        expect(partition.log.flushedEndOffset).toBeLessThan(5);
        expect(await deleteRecords(partition, -1, 1000)).toEqual({ error: 'NONE', lowWatermark: 5 });
        expect(partition.log.flushedEndOffset).toBe(5);
      },
      { 'log.flush.mode': 'async' },
    );
  });

  test('is refused where the topic is only compacted', async () => {
    await withRecords(2, async (partition, { commit, partition: find }) => {
      const policy = (value: string) => commit(config(ConfigScope.TOPIC, 't', 'cleanup.policy', value));
      policy('compact');
      await find(T);
      expect(await deleteRecords(partition, 1, 1000)).toEqual({ error: 'POLICY_VIOLATION', lowWatermark: -1 });
      policy('compact,delete');
      await find(T);
      expect(await deleteRecords(partition, 1, 1000)).toEqual({ error: 'NONE', lowWatermark: 1 });
    });
  });

  test('is for the leader', async () => {
    await withRecords(2, async (partition, { commit, partition: find }) => {
      const partitionChange = { topicId: T, partition: 0, leader: -1, isr: undefined, cause: 'test' };
      commit(record({ $case: 'partitionChange', partitionChange }));
      await find(T);
      expect(await deleteRecords(partition, 1, 1000)).toEqual({ error: 'NOT_LEADER_OR_FOLLOWER', lowWatermark: -1 });
    });
  });

  test('of a topic that is deleted meanwhile says that this broker does not lead it', async () => {
    await withRecords(2, async (partition, { commit }) => {
      const deleting = deleteRecords(partition, 1, 1000);
      commit(record({ $case: 'removeTopic', removeTopic: { topicId: T } }));
      expect(['NONE', 'NOT_LEADER_OR_FOLLOWER']).toContain((await deleting).error);
      expect(await deleteRecords(partition, 2, 1000)).toMatchObject({ error: 'NOT_LEADER_OR_FOLLOWER' });
    });
  });

  test('a disk that fails takes the partition offline', async () => {
    await withRecords(2, async (partition, { world }) => {
      // The note of where the log starts.
      world.process('host').disk.failNext('store', '/data/checkpoints');
      expect(await deleteRecords(partition, 1, 1000)).toEqual({ error: 'KAFKA_STORAGE_ERROR', lowWatermark: -1 });
      expect(partition.failure).toBeDefined();
      expect(await deleteRecords(partition, 1, 1000)).toEqual({ error: 'KAFKA_STORAGE_ERROR', lowWatermark: -1 });
    });
  });
});

describe('D-9.1 DeleteRecords of a topic with several replicas', () => {
  test('is answered when every live replica has moved its start too', async () => {
    await leading(async ({ partition, append, fetch, replicas }) => {
      append(5);
      for (const id of [2, 3]) fetch(id, 5);
      const done = deleteRecords(partition, 4, 10_000);
      const first = await Promise.race([done, sleep(replicas.env.clock, 1000)]);
      expect([first, partition.log.logStartOffset]).toEqual([undefined, 4]);
      fetch(2, 5, { logStartOffset: 4 });
      fetch(3, 5, { logStartOffset: 5 });
      expect(await done).toEqual({ error: 'NONE', lowWatermark: 4 });
    });
  });

  test('waits for no broker that is fenced, and not for ever', async () => {
    await leading(async ({ partition, append, fetch, state, replicas }) => {
      append(5);
      for (const id of [2, 3]) fetch(id, 5);
      const done = deleteRecords(partition, 4, 10_000);
      await sleep(replicas.env.clock, 1000);
      fetch(2, 5, { logStartOffset: 4 });
      replicas.commit(registration(3, { fenced: true, incarnationId: uuid(700), logDirs: [uuid(71)] }));
      expect(await done).toEqual({ error: 'NONE', lowWatermark: 4 });
      expect(await deleteRecords(partition, 5, 2000)).toEqual({ error: 'REQUEST_TIMED_OUT', lowWatermark: -1 });
      const last = deleteRecords(partition, 5, 10_000);
      await state({ leader: 2, leaderEpoch: 1, partitionEpoch: 1 });
      expect(await last).toEqual({ error: 'NOT_LEADER_OR_FOLLOWER', lowWatermark: -1 });
    });
  });
});
