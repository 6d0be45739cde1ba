// A follower's fetch at its leader: what it is answered, in which order it is checked, and that nothing but a valid one counts (D-2).
import { describe, expect, test } from 'vitest';
import { readForFollower } from '../../../src/replica/follower-fetch.ts';
import type { Partition } from '../../../src/replica/partition.ts';
import { SELF } from './bench.ts';
import type { FetchFields, Led } from './leader-bench.ts';
import { leading, turns } from './leader-bench.ts';

function positionOf(partition: Partition, brokerId: number): number | undefined {
  return partition.leader?.followers.get(brokerId)?.logEndOffset;
}

/** Epochs 0 (offsets 0 to 4), 2 (5 to 7) and 4 (8 and 9); leads in epoch 5, from 10 on. */
async function withEpochs({ append, state }: Led): Promise<void> {
  append(5);
  await state({ leaderEpoch: 2, partitionEpoch: 1 });
  append(3);
  await state({ leaderEpoch: 4, partitionEpoch: 2 });
  append(2);
  await state({ leaderEpoch: 5, partitionEpoch: 3 });
}

describe('D-2.2: a fetch', () => {
  test.each<[string, number, number, FetchFields, object]>([
    ['of an earlier leader epoch', 2, 10, { currentLeaderEpoch: 4 }, { error: 'FENCED_LEADER_EPOCH' }],
    ['of a later leader epoch', 2, 10, { currentLeaderEpoch: 6 }, { error: 'UNKNOWN_LEADER_EPOCH' }],
    ['without a leader epoch', 2, 10, { currentLeaderEpoch: -1 }, { error: 'FENCED_LEADER_EPOCH' }],
    ['of no replica', 9, 10, { brokerEpoch: 50 }, { error: 'UNKNOWN_LEADER_EPOCH' }],
    [
      'of no replica and an earlier epoch',
      9,
      10,
      { brokerEpoch: 50, currentLeaderEpoch: 1 },
      { error: 'FENCED_LEADER_EPOCH' },
    ],
    ['of an earlier incarnation', 2, 10, { brokerEpoch: 0 }, { error: 'NOT_LEADER_OR_FOLLOWER' }],
    ['without a broker epoch', 2, 10, { brokerEpoch: -1 }, { error: 'NOT_LEADER_OR_FOLLOWER' }],
    ['that diverges: a longer log', 2, 11, { lastFetchedEpoch: 5 }, { diverging: { epoch: 5, endOffset: 10 } }],
    [
      'that diverges: an epoch went on elsewhere',
      2,
      9,
      { lastFetchedEpoch: 2 },
      { diverging: { epoch: 2, endOffset: 8 } },
    ],
    [
      'that diverges: an epoch that is not here',
      2,
      9,
      { lastFetchedEpoch: 3 },
      { diverging: { epoch: 2, endOffset: 8 } },
    ],
    ['of an epoch above all', 2, 9, { lastFetchedEpoch: 6 }, { error: 'OFFSET_OUT_OF_RANGE' }],
    ['beyond the end', 2, 11, { lastFetchedEpoch: -1 }, { error: 'OFFSET_OUT_OF_RANGE' }],
  ])('%s is refused, and changes nothing (D-2.3, B51)', async (_, brokerId, offset, fields, expected) => {
    await leading(async (led) => {
      const { partition, fetch } = led;
      await withEpochs(led);
      for (const id of [2, 3])
        expect(fetch(id, id === 2 ? 7 : 10, { lastFetchedEpoch: id === 2 ? 2 : 4 })).toBeUndefined();
      expect(partition.highWatermark).toBe(7);
      expect(fetch(brokerId, offset, fields)).toMatchObject(expected);
      expect([positionOf(partition, 2), partition.highWatermark]).toEqual([7, 7]);
    });
  });

  test('below the log start is out of range even if it diverges too (KAFKA-12996)', async () => {
    await leading(async (led) => {
      const { partition, fetch } = led;
      await withEpochs(led);
      for (const id of [2, 3]) fetch(id, 10, { lastFetchedEpoch: 4 });
      await partition.log.advanceLogStart(6);
      expect(fetch(2, 5, { lastFetchedEpoch: 0 })).toMatchObject({ error: 'OFFSET_OUT_OF_RANGE', logStartOffset: 6 });
      expect(fetch(2, 6, { lastFetchedEpoch: 2 })).toBeUndefined();
    });
  });

  test('of what was told once is told once in the log, for each reason and follower', async () => {
    await leading(async ({ fetch, replicas }) => {
      for (let i = 0; i < 3; i++) {
        for (const id of [2, 3]) fetch(id, 0, { brokerEpoch: 0 });
        fetch(9, 0, { brokerEpoch: 7 });
        fetch(2, 0, { currentLeaderEpoch: 3 });
      }
      const lines = replicas.world.log.lines().filter(({ event }) => event === 'follower-refused');
      expect(lines.map(({ fields }) => fields['brokerId'])).toEqual([2, 3, 9]);
    });
  });
});

describe('what a follower reads', () => {
  const MANY = { maxBytes: 1 << 20, atLeastOne: true, logStartOffset: 0, lastFetchedEpoch: -1 };

  test('goes up to the log end, flushed or not; of another epoch it reads nothing (D-2.5, D-2.6)', async () => {
    await leading(
      async ({ partition, append, fetch, state, epochOf }) => {
        append(3);
        expect(partition.log.flushedEndOffset).toBe(0);
        expect(fetch(2, 1, { lastFetchedEpoch: 0 })).toBeUndefined();
        const replica = { brokerId: 2, brokerEpoch: epochOf(2) };
        const wanted = { ...MANY, fetchOffset: 1, currentLeaderEpoch: 0, lastFetchedEpoch: 0 };
        const read = await readForFollower(partition, replica, wanted);
        expect(read).toMatchObject({ error: 'NONE', highWatermark: 0, logStartOffset: 0 });
        expect(read.records.readBigInt64BE(0)).toBe(1n);
        await state({ leaderEpoch: 1, partitionEpoch: 1 });
        expect(await readForFollower(partition, replica, wanted)).toMatchObject({ error: 'FENCED_LEADER_EPOCH' });
        await state({ leaderEpoch: 2, leader: 2, partitionEpoch: 2 });
        expect(await readForFollower(partition, replica, { ...wanted, currentLeaderEpoch: 2 })).toMatchObject({
          error: 'NOT_LEADER_OR_FOLLOWER',
        });
      },
      { keys: { 'log.flush.mode': 'sync' } },
    );
  });

  test('wakes it: every append, committed or not, the high watermark, and the log start', async () => {
    await leading(async ({ partition, append, fetch }) => {
      let [records, moves] = [0, 0];
      partition.watchRecords(() => records++);
      partition.watch(() => moves++);
      append(2);
      expect([records, moves]).toEqual([2, 0]);
      for (const id of [2, 3]) fetch(id, 2);
      expect([records, moves]).toEqual([3, 1]);
      partition.logStartMoved();
      expect([records, moves]).toEqual([4, 2]);
    });
  });
});

describe('a leader that lacks records', () => {
  test('elected uncleanly says so, and that it has recovered once that is in the ledger (C-5.8, D-11.1)', async () => {
    await leading(
      async ({ partition, append, asked, fetch, losses, state }) => {
        append(4);
        await state({ leaderEpoch: 1, partitionEpoch: 1, isr: [SELF], recovering: true });
        const led = { kind: 'led', fromOffset: 4, toOffset: 4, highWatermark: 4, leaderEpoch: 1 };
        expect(losses.reported).toMatchObject([led]);
        fetch(2, 4, { lastFetchedEpoch: 0 });
        partition.reconsider();
        expect(asked).toHaveLength(0);
        losses.take?.();
        await turns();
        expect(asked.map(({ alteration }) => alteration)).toMatchObject([
          { recovering: false, isr: [{ brokerId: SELF }] },
        ]);
        await asked[0]?.commit();
        expect(asked.map(({ isr }) => isr)).toEqual([[SELF], [SELF, 2]]);
      },
      { isr: [SELF] },
    );
  });
});
