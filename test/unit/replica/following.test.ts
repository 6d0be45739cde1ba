// A follower against its leader, on real logs: DS-15, the examples of KIP-101 and KIP-279, and what it believes of an answer (D-3).
import { describe, expect, test } from 'vitest';
import { setPartitionLeaderEpoch } from '../../../src/record/batch.ts';
import { batchOf } from '../broker/bench.ts';
import { answer, T, withFollowers } from './follower-bench.ts';

/** As a leader has it: at that offset, of that epoch. */
function stamped(baseOffset: number, leaderEpoch: number, records = batchOf()): Buffer {
  records.writeBigInt64BE(BigInt(baseOffset), 0);
  setPartitionLeaderEpoch(records, leaderEpoch);
  return records;
}

describe('DS-15', () => {
  test('KIP-101: a follower with a low high watermark keeps what its leader has, and loses nothing as the next leader (B45, D-3.4)', async () => {
    await withFollowers(async (bench) => {
      const [a, b] = [bench.replica(1), bench.replica(2)];
      await bench.elect(1, 0);
      await a.append(2);
      await b.round();
      expect(b.offsets).toEqual([0, 2, 0]);
      await bench.elect(1, 1);
      await b.round();
      expect(b.log.logEndOffset).toBe(2);
      await bench.elect(2, 2);
      await a.catchUp();
      expect(await a.bytes()).toEqual(await b.bytes());
      expect(await a.batches()).toEqual([
        [0, 0],
        [1, 0],
      ]);
      expect(bench.told('truncated-below-high-watermark')).toEqual([]);
    });
  });

  test('KIP-101: a log that another leader has continued differently is cut to where they part, and no further', async () => {
    await withFollowers(async (bench) => {
      const [a, b] = [bench.replica(1), bench.replica(2)];
      await bench.elect(1, 0);
      await a.append(1);
      await b.catchUp();
      await a.append(2, 'b');
      await bench.elect(2, 1, [2]);
      await b.append(1, 'c');
      await bench.elect(2, 2);
      await a.catchUp();
      expect(await a.bytes()).toEqual(await b.bytes());
      expect(await a.batches()).toEqual([
        [0, 0],
        [1, 1],
      ]);
      expect(a.epochs).toEqual([
        [0, 0],
        [1, 1],
      ]);
      expect(bench.told('log-truncated').map(({ fields }) => [fields?.['from'], fields?.['to']])).toEqual([[3, 1]]);
      expect(a.reported).toEqual([]);
    });
  });

  test('KIP-279: two fast failovers with unequal tails (B46)', async () => {
    await withFollowers(async (bench) => {
      const [a, b] = [bench.replica(1), bench.replica(2)];
      await bench.elect(1, 0);
      await a.append(10);
      await b.catchUp();
      await a.append(10, 'b');
      await bench.elect(2, 1, [2]);
      await b.append(5, 'c');
      await bench.elect(1, 2);
      await a.append(5, 'd');
      await b.catchUp();
      expect(await b.bytes()).toEqual(await a.bytes());
      expect(b.epochs).toEqual([
        [0, 0],
        [2, 20],
      ]);
    });
  });

  test('KIP-279: where neither knows the last epoch of the other, one round narrows it after the other', async () => {
    await withFollowers(async (bench) => {
      const [a, b, c] = [bench.replica(1), bench.replica(2), bench.replica(3)];
      await bench.elect(1, 0);
      await a.append(5);
      await b.catchUp();
      await a.append(5, 'b');
      await c.catchUp();
      await bench.elect(3, 2, [3]);
      await c.append(5, 'c');
      await bench.elect(2, 1, [2]);
      await b.append(15, 'd');
      await bench.elect(2, 3);
      await b.append(1, 'e');
      expect([c.epochs, b.epochs]).toEqual([
        [
          [0, 0],
          [2, 10],
        ],
        [
          [0, 0],
          [1, 5],
          [3, 20],
        ],
      ]);
      await c.catchUp();
      expect(bench.told('log-truncated').map(({ fields }) => [fields?.['from'], fields?.['to']])).toEqual([
        [15, 10],
        [10, 5],
      ]);
      expect(await c.bytes()).toEqual(await b.bytes());
      expect(c.epochs).toEqual(b.epochs);
    });
  });

  test('an epoch in which nothing was written is cut from the cache, though nothing is from the log (B56, KAFKA-10706)', async () => {
    await withFollowers(async (bench) => {
      const [a, b] = [bench.replica(1), bench.replica(2)];
      await bench.elect(1, 0);
      await a.append(2);
      await b.catchUp();
      await bench.elect(2, 1, [2]);
      expect(b.epochs).toEqual([
        [0, 0],
        [1, 2],
      ]);
      await a.append(2, 'b');
      await bench.elect(1, 2);
      await b.catchUp();
      expect([b.epochs, await b.bytes()]).toEqual([[[0, 0]], await a.bytes()]);
    });
  });
});

describe('what counts as an answer', () => {
  test('D-3.1: one to another offset or another epoch is not acted on (B50, KAFKA-18991)', async () => {
    await withFollowers(async (bench) => {
      const [a, b] = [bench.replica(1), bench.replica(2)];
      await bench.elect(1, 0);
      await a.append(2);
      await b.round();
      await a.append(2);
      const early = await b.fetch();
      await b.round();
      const before = b.following;
      const cut = answer({ divergingEpoch: { epoch: 0, endOffset: 1 } });
      await b.following?.take(early.asked, cut);
      await b.following?.take(early.asked, answer({ errorCode: 1 }));
      await b.following?.take(early.asked, early.answer);
      expect(b.offsets).toEqual([0, 4, 0]);
      expect((await b.position()).fetchOffset).toBe(4);
      const asked = await b.position();
      await bench.elect(1, 1);
      await b.position();
      await before?.take(asked, cut);
      await b.following?.take(asked, cut);
      expect([b.log.logEndOffset, bench.told('log-truncated')]).toEqual([4, []]);
    });
  });

  test('D-3.2: where the logs part is acted on first and alone: no record, no high watermark, no log start (B49, KAFKA-14704)', async () => {
    await withFollowers(async (bench) => {
      const [a, b] = [bench.replica(1), bench.replica(2)];
      await bench.elect(1, 0);
      await a.append(6);
      await b.round();
      const asked = await b.position();
      const records = stamped(6, 0);
      const fields = { divergingEpoch: { epoch: 0, endOffset: 3 }, highWatermark: 6, logStartOffset: 2, records };
      await b.following?.take(asked, answer(fields));
      await b.position();
      expect(b.offsets).toEqual([0, 3, 0]);
    });
  });

  test('D-3.7: records as they are, the high watermark up to the end of the log, the log start up to the high watermark', async () => {
    await withFollowers(async (bench) => {
      const b = bench.replica(2);
      await bench.elect(1, 3);
      const records = Buffer.concat([stamped(0, 1), stamped(1, 1, batchOf(4)), stamped(9, 3)]);
      await b.following?.take(await b.position(), answer({ records, highWatermark: 100, logStartOffset: 5 }));
      await bench.until(() => b.log.logStartOffset === 5);
      expect([b.offsets, b.epochs]).toEqual([
        [5, 10, 10],
        [
          [1, 5],
          [3, 9],
        ],
      ]);
      expect(await b.position()).toEqual({
        fetchOffset: 10,
        lastFetchedEpoch: 3,
        currentLeaderEpoch: 3,
        logStartOffset: 5,
      });
      await b.following?.take(await b.position(), answer({ highWatermark: 7, logStartOffset: 9 }));
      await bench.until(() => b.log.logStartOffset === 7);
      expect(b.offsets).toEqual([7, 10, 7]);
    });
  });

  test('behaviour 32: a batch that is cut at the end is left out', async () => {
    await withFollowers(async (bench) => {
      const b = bench.replica(2);
      await bench.elect(1, 0);
      const records = Buffer.concat([stamped(0, 0), stamped(1, 0).subarray(0, 40)]);
      await b.following?.take(await b.position(), answer({ records }));
      expect((await b.position()).fetchOffset).toBe(1);
    });
  });

  const bad = {
    'a batch that does not match its CRC': () => {
      const records = stamped(2, 1);
      records[records.length - 1] = 0x62;
      return answer({ records });
    },
    'a batch that lies below the end of the log': () => answer({ records: stamped(1, 1) }),
    'a batch with an offset that no index can hold': () => answer({ records: stamped(2 ** 33, 1) }),
    'a batch with offsets beyond all numbers': () =>
      answer({ records: stamped(Number.MAX_SAFE_INTEGER - 1, 1, batchOf(9)) }),
    'a batch of an epoch that is not yet': () => answer({ records: stamped(2, 2) }),
    'a batch of an epoch that is over': () => answer({ records: stamped(2, 0) }),
    'two batches at one offset': () => answer({ records: Buffer.concat([stamped(2, 1), stamped(2, 1)]) }),
    'a good batch and a bad one': () => answer({ records: Buffer.concat([stamped(2, 1), stamped(9, 0)]) }),
    'no batch': () => answer({ records: Buffer.alloc(200, 7) }),
    'half a batch': () => answer({ records: stamped(2, 1).subarray(0, 30) }),
    'an old format': () => {
      const records = stamped(2, 1);
      records[16] = 1;
      return answer({ records });
    },
    'logs that part in an epoch that was not asked for': () => answer({ divergingEpoch: { epoch: 2, endOffset: 1 } }),
    'logs that part behind the end': () => answer({ divergingEpoch: { epoch: 1, endOffset: 2 } }),
    'logs that part before all epochs': () => answer({ divergingEpoch: { epoch: -1, endOffset: 0 } }),
  };
  test.each(Object.entries(bad))('%s: refused, told once, and asked again later', async (_, made) => {
    await withFollowers(async (bench) => {
      const [a, b] = [bench.replica(1), bench.replica(2)];
      await bench.elect(1, 1);
      await a.append(2);
      await b.catchUp();
      const before = await b.bytes();
      for (let i = 0; i < 3; i++) {
        const asked = await b.position();
        const at = bench.env.clock.now();
        await b.following?.take(asked, made());
        expect(b.following?.position).toBeUndefined();
        await b.position();
        expect(bench.env.clock.now() - at).toBeGreaterThanOrEqual(80);
      }
      expect([b.offsets, await b.bytes()]).toEqual([[0, 2, 0], before]);
      expect(bench.told('fetch-refused').map(({ level }) => level)).toEqual(['warn']);
      await a.append(1);
      await b.catchUp();
      expect(b.log.logEndOffset).toBe(3);
    });
  });
});

describe('what is lost is in the ledger first', () => {
  test('D-3.5: a cut below the high watermark is reported, and made when that is committed (S-D8)', async () => {
    await withFollowers(async (bench) => {
      const b = bench.replica(2);
      await bench.elect(1, 1);
      const records = Buffer.concat([stamped(0, 0), stamped(1, 0), stamped(2, 0), stamped(3, 0)]);
      await b.following?.take(await b.position(), answer({ records, highWatermark: 3 }));
      b.ledger = { take: () => {} };
      await b.following?.take(await b.position(), answer({ divergingEpoch: { epoch: 0, endOffset: 2 } }));
      await bench.until(() => b.reported.length === 1);
      expect(b.reported).toEqual([
        { topicId: T, partition: 0, leaderEpoch: 1, kind: 'cut', fromOffset: 2, toOffset: 4, highWatermark: 3 },
      ]);
      expect(b.offsets).toEqual([0, 4, 3]);
      b.ledger.take(true);
      expect((await b.position()).fetchOffset).toBe(2);
      expect(b.offsets).toEqual([0, 2, 2]);
      expect(
        bench
          .told('truncated-below-high-watermark')
          .map(({ level, fields }) => [level, fields?.['from'], fields?.['to']]),
      ).toEqual([['warn', 4, 2]]);
    });
  });

  test('who stops to follow meanwhile cuts nothing (D-0.3)', async () => {
    await withFollowers(async (bench) => {
      const b = bench.replica(2);
      await bench.elect(1, 1);
      const records = Buffer.concat([stamped(0, 0), stamped(1, 0)]);
      await b.following?.take(await b.position(), answer({ records, highWatermark: 2 }));
      b.ledger = { take: () => {} };
      await b.following?.take(await b.position(), answer({ divergingEpoch: { epoch: 0, endOffset: 1 } }));
      await bench.until(() => b.reported.length === 1);
      await bench.elect(2, 2);
      expect(b.offsets).toEqual([0, 2, 2]);
    });
  });

  test('an entry that waits for this replica hears what it cuts, or that it cuts nothing, once', async () => {
    await withFollowers(async (bench) => {
      const [a, b] = [bench.replica(1), bench.replica(2)];
      await bench.elect(1, 0);
      await a.append(2);
      await b.catchUp();
      await a.append(3, 'b');
      await bench.elect(2, 1, [2]);
      await b.append(1, 'c');
      a.awaited = [1, 5];
      await bench.elect(2, 2);
      await a.round();
      expect(a.reported).toMatchObject([{ kind: 'cut', leaderEpoch: 2, fromOffset: 2, toOffset: 5 }]);
      a.awaited = [5];
      await a.catchUp();
      expect([a.reported.length, await a.bytes()]).toEqual([1, await b.bytes()]);
      b.awaited = [3];
      await bench.elect(1, 3);
      await b.catchUp();
      await b.catchUp();
      expect(b.reported).toMatchObject([{ kind: 'cut', leaderEpoch: 3, fromOffset: 3, toOffset: 3 }]);
    });
  });

  test('D-3.8: a log that ends below where the leader’s starts is dropped, and the hole reported', async () => {
    await withFollowers(async (bench) => {
      const [a, b] = [bench.replica(1), bench.replica(2)];
      await bench.elect(1, 0);
      await a.append(2);
      await b.catchUp();
      await a.append(6, 'b');
      await a.log.advanceLogStart(5);
      await b.catchUp();
      expect(b.reported).toMatchObject([{ kind: 'hole', fromOffset: 2, toOffset: 5 }]);
      expect(bench.told('log-dropped')).toHaveLength(1);
      expect([b.offsets.slice(0, 2), await b.batches()]).toEqual([[5, 8], await a.batches()]);
    });
  });

  test('a leader that does not answer holds up no other role', async () => {
    await withFollowers(async (bench) => {
      const b = bench.replica(2);
      await bench.elect(1, 0);
      bench.isSilent = true;
      await b.following?.take(await b.position(), answer({ errorCode: 1 }));
      const at = bench.env.clock.now();
      await bench.elect(2, 1);
      expect([b.partition.leader?.state.leaderEpoch, bench.env.clock.now() - at < 1000]).toEqual([1, true]);
    });
  });

  test('D-3.8: a log that is longer than the leader’s, in an epoch that this one does not know, is cut to its end', async () => {
    await withFollowers(async (bench) => {
      const [a, b] = [bench.replica(1), bench.replica(2)];
      await bench.elect(2, 0, [2]);
      await b.append(5);
      await bench.elect(1, 1);
      await b.catchUp();
      expect(b.offsets).toEqual([0, 0, 0]);
      await a.append(1);
      await b.catchUp();
      expect(await b.bytes()).toEqual(await a.bytes());
    });
  });

  test('a leader whose log ends below the start of this one gets all of it again', async () => {
    await withFollowers(async (bench) => {
      const [a, b] = [bench.replica(1), bench.replica(2)];
      await bench.elect(1, 0);
      await a.append(3);
      await b.catchUp();
      await bench.elect(2, 1, [2], [2]);
      await b.append(5, 'b');
      await bench.until(() => b.partition.highWatermark === 8);
      await b.log.advanceLogStart(6);
      await bench.elect(1, 2);
      await a.append(9, 'c');
      await b.catchUp();
      expect(b.reported).toMatchObject([{ kind: 'cut', fromOffset: 6, toOffset: 8 }]);
      expect([b.log.logStartOffset, await b.bytes()]).toEqual([0, await a.bytes()]);
    });
  });
});

describe('the disk', () => {
  test('D-3.9: with log.flush.mode=sync the next fetch comes when the records are durable; with async at once', async () => {
    for (const flushMode of ['sync', 'async'] as const) {
      await withFollowers(
        async (bench) => {
          const b = bench.replica(2);
          await bench.elect(1, 0);
          await b.log.warm();
          const done = b.following?.take(await b.position(), answer({ records: stamped(0, 0), highWatermark: 1 }));
          const isDurable = flushMode === 'sync';
          await Promise.resolve();
          expect(b.following?.position === undefined).toBe(isDurable);
          expect(b.partition.highWatermark).toBe(isDurable ? 0 : 1);
          await done;
          expect((await b.position()).fetchOffset).toBe(1);
          expect([b.log.flushedEndOffset, b.partition.highWatermark]).toEqual([isDurable ? 1 : 0, 1]);
        },
        { flushMode },
      );
    }
  });

  test('D-0.3: nothing is written by a follower any more when the next role begins (B61, KAFKA-13266)', async () => {
    await withFollowers(
      async (bench) => {
        const b = bench.replica(2);
        bench.world.process('host').disk.settings.syncLatencyUs = [50_000, 50_000];
        await bench.elect(1, 0);
        await b.log.warm();
        const asked = await b.position();
        const before = b.following;
        void before?.take(asked, answer({ records: stamped(0, 0) }));
        await bench.elect(2, 1);
        await before?.take(asked, answer({ records: stamped(1, 0) }));
        expect([b.log.flushedEndOffset, b.log.logEndOffset, b.partition.leader?.epochStartOffset]).toEqual([1, 1, 1]);
      },
      { flushMode: 'sync' },
    );
  });

  test('a disk that fails takes the partition offline, and nothing is asked for any more', async () => {
    await withFollowers(
      async (bench) => {
        const b = bench.replica(2);
        await bench.elect(1, 0);
        await b.log.warm();
        bench.world.process('host').disk.failNext('sync', '/2/t-0');
        await b.following?.take(await b.position(), answer({ records: stamped(0, 0) }));
        expect([b.partition.failure?.code, b.following?.position]).toEqual(['IO', undefined]);
      },
      { flushMode: 'sync' },
    );
  });
});
