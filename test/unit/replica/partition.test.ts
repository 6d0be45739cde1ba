// One partition over a real log on a simulated disk: who is told what, and when.
import { describe, expect, test } from 'vitest';
import type { PartitionState } from '../../../src/metadata/image.ts';
import type { Appended, AppendRefused } from '../../../src/replica/append.ts';
import { appendToPartition } from '../../../src/replica/append.ts';
import type { Partition } from '../../../src/replica/partition.ts';
import { findEpochEnd, findOffset, readPartition } from '../../../src/replica/read.ts';
import { batchOf } from '../broker/bench.ts';
import { CALM, record, uuid } from '../metadata/fixture.ts';
import type { Replicas } from './bench.ts';
import { allBrokers, SELF, topic, withReplicas } from './bench.ts';

const T = uuid(50);

function appended(result: Appended | AppendRefused): Appended {
  if (result.kind === 'refused') throw new Error(`${result.error}: ${result.message}`);
  return result;
}

function state(fields: Partial<PartitionState>): PartitionState {
  const base = {
    ...CALM,
    replicas: [SELF],
    isr: [SELF],
    leader: SELF,
    leaderEpoch: 0,
    partitionEpoch: 0,
    directories: [],
  };
  return { ...base, ...fields };
}

function read(partition: Partition, fields: Partial<Parameters<typeof readPartition>[1]> = {}) {
  const all = {
    fetchOffset: 0,
    currentLeaderEpoch: -1,
    lastFetchedEpoch: -1,
    maxBytes: 1 << 20,
    atLeastOne: true,
  };
  return readPartition(partition, { ...all, ...fields });
}

async function withPartition(
  body: (partition: Partition, replicas: Replicas) => Promise<void>,
  flushMode: 'sync' | 'async' = 'sync',
): Promise<void> {
  await withReplicas(
    async (replicas) => {
      replicas.commit(...topic('t', T));
      await body(await replicas.partition(T), replicas);
    },
    { keys: { 'log.flush.mode': flushMode } },
  );
}

describe('acknowledgement', () => {
  test('sync: acks=1 and acks=-1 wait for the flush, acks=0 for nothing', async () => {
    await withPartition(async (partition) => {
      const [none, leader, all] = ([0, 1, -1] as const).map((acks) =>
        appended(appendToPartition(partition, batchOf(), acks)),
      );
      expect(none?.acknowledged).toBeUndefined();
      expect(partition.highWatermark).toBe(0);
      expect(await leader?.acknowledged).toBeUndefined();
      expect(await all?.acknowledged).toBeUndefined();
      expect([partition.log.flushedEndOffset, partition.highWatermark]).toEqual([3, 3]);
    });
  });

  test('async: it is acknowledged once it is in the log', async () => {
    await withPartition(async (partition) => {
      for (const acks of [1, -1] as const) {
        expect(appended(appendToPartition(partition, batchOf(), acks)).acknowledged).toBeUndefined();
      }
      expect([partition.highWatermark, partition.log.flushedEndOffset]).toEqual([2, 0]);
    }, 'async');
  });

  test('a failed fsync tells all who wait KAFKA_STORAGE_ERROR, and takes the partition offline', async () => {
    await withPartition(async (partition, { world }) => {
      world.process('host').disk.failNext('sync', '/data/t-0');
      const waiting = ([1, -1, -1] as const).map(
        (acks) => appended(appendToPartition(partition, batchOf(), acks)).acknowledged,
      );
      for (const answer of waiting) expect(await answer).toBe('KAFKA_STORAGE_ERROR');
      expect(partition.highWatermark).toBe(0);
      expect(appendToPartition(partition, batchOf(), 1)).toMatchObject({ error: 'KAFKA_STORAGE_ERROR' });
      expect((await read(partition)).error).toBe('KAFKA_STORAGE_ERROR');
      expect((await findOffset(partition, -1, -1)).error).toBe('KAFKA_STORAGE_ERROR');
      // Later states change nothing, whatever they say.
      await partition.applyState(state({ partitionEpoch: 1 }));
      await partition.applyState(state({ partitionEpoch: 2, leaderEpoch: 1 }));
      expect(partition.leader).toBeUndefined();
    });
  });

  test('an epoch that cannot be made durable is not led; the next state of the epoch is no surprise (D-0.3)', async () => {
    await withPartition(async (partition, { world }) => {
      world.process('host').disk.failNext('store', '/data/checkpoints');
      await partition.applyState(state({ partitionEpoch: 1, leaderEpoch: 1 }));
      expect(partition.failure?.code).toBe('IO');
      await partition.applyState(state({ partitionEpoch: 2, leaderEpoch: 1 }));
      expect(partition.leader).toBeUndefined();
    });
  });

  test('the end of a leadership tells all who wait NOT_LEADER_OR_FOLLOWER (D-0.4, D-7.3)', async () => {
    for (const next of [
      state({ partitionEpoch: 1, leaderEpoch: 1, leader: -1 }),
      state({ partitionEpoch: 1, leaderEpoch: 1, leader: 2 }),
      state({ partitionEpoch: 1, leaderEpoch: 1, leader: SELF }),
    ]) {
      await withPartition(async (partition) => {
        const { acknowledged } = appended(appendToPartition(partition, batchOf(), -1));
        await partition.applyState(next);
        expect(await acknowledged).toBe('NOT_LEADER_OR_FOLLOWER');
        expect(partition.leader !== undefined).toBe(next.leader === SELF);
      });
    }
  });

  test('a state that only changes the partition epoch leaves who waits (D-0.2)', async () => {
    await withPartition(async (partition) => {
      const { acknowledged } = appended(appendToPartition(partition, batchOf(), -1));
      await partition.applyState(state({ partitionEpoch: 1 }));
      await partition.applyState(state({ partitionEpoch: 1, leaderEpoch: 5, leader: -1 })); // not newer
      expect(await acknowledged).toBeUndefined();
    });
  });

  test('acks=-1 with too few in sync is refused before anything is written (D-7.1)', async () => {
    await withReplicas(
      async ({ commit, partition: find }) => {
        commit(...topic('t', T, { replicas: [SELF, 2], isr: [SELF], directories: [uuid(1), uuid(2)] }));
        const partition = await find(T);
        expect(appendToPartition(partition, batchOf(), -1)).toMatchObject({ error: 'NOT_ENOUGH_REPLICAS' });
        expect(partition.log.logEndOffset).toBe(0);
        const one = appended(appendToPartition(partition, batchOf(), 1));
        expect(await one.acknowledged).toBeUndefined();
        // D-6.1: written, but not committed while the ISR is too small; D-6.6: no end is told that goes back later.
        expect(partition.highWatermark).toBe(0);
        expect((await read(partition)).records).toHaveLength(0);
        await partition.applyState(state({ replicas: [SELF, 2], partitionEpoch: 1, leaderEpoch: 1, isr: [SELF] }));
        expect((await findOffset(partition, -1, -1)).error).toBe('OFFSET_NOT_AVAILABLE');
        await partition.applyState(state({ replicas: [SELF, 2], partitionEpoch: 2, leaderEpoch: 1, isr: [SELF, 2] }));
        partition.leader?.fetched({ brokerId: 2, brokerEpoch: 7, logEndOffset: 1, logStartOffset: 0 });
        partition.advance();
        expect(await findOffset(partition, -1, -1)).toMatchObject({ error: 'NONE', offset: 1 });
      },
      { before: [allBrokers('min.insync.replicas', '2')] },
    );
  });

  test('a repeat behind later waiters is answered at its own offset (D-7.5)', async () => {
    await withPartition(async (partition) => {
      const send = (baseSequence: number) =>
        appended(appendToPartition(partition, batchOf(1, 10, { producerId: 9, producerEpoch: 0, baseSequence }), -1));
      const sent = [0, 1, 2, 1, 0].map(send);
      expect(sent.map(({ baseOffset }) => baseOffset)).toEqual([0, 1, 2, 1, 0]);
      for (const { acknowledged } of sent) expect(await acknowledged).toBeUndefined();
      expect(partition.log.logEndOffset).toBe(3);
      expect(send(1)).toMatchObject({ baseOffset: 1, acknowledged: undefined });
    });
  });
});

describe('reading', () => {
  test('a watcher is called when the high watermark moves and when the leadership ends, until it stops', async () => {
    await withPartition(async (partition) => {
      let calls = 0;
      const stop = partition.watch(() => calls++);
      await appended(appendToPartition(partition, batchOf(), -1)).acknowledged;
      expect(calls).toBe(1);
      await partition.applyState(state({ partitionEpoch: 1, leaderEpoch: 1, leader: 2 }));
      expect(calls).toBe(2);
      stop();
      await partition.applyState(state({ partitionEpoch: 2, leaderEpoch: 2 }));
      expect(calls).toBe(2);
    });
  });

  test('a read under way while the replica is retired and its log closed is no failure of the disk', async () => {
    await withPartition(async (partition, { commit, manager, world }) => {
      await appended(appendToPartition(partition, batchOf(), -1)).acknowledged;
      world.process('host').disk.settings.readLatencyUs = [50_000, 50_000];
      const reading = read(partition);
      commit(record({ $case: 'removeTopic', removeTopic: { topicId: T } }));
      expect(['NONE', 'NOT_LEADER_OR_FOLLOWER']).toContain((await reading).error);
      await manager.close();
      for (const answer of [
        await read(partition),
        await findOffset(partition, -1, -1),
        findEpochEnd(partition, 0, -1),
      ]) {
        expect(answer.error).toBe('NOT_LEADER_OR_FOLLOWER');
      }
      expect(partition.failure).toBeUndefined();
      expect(world.log.lines().filter(({ event }) => event === 'partition-offline')).toEqual([]);
    });
  });
});
