import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createLogShared } from '../../../src/log/log-shared.ts';
import type { LogConfig } from '../../../src/log/log-state.ts';
import { PartitionLog } from '../../../src/log/partition-log.ts';
import { BatchHeader, setBaseOffset, setPartitionLeaderEpoch } from '../../../src/record/batch.ts';
import { splitBatches } from '../../../src/record/scan.ts';
import { CountingDisk } from './counting-disk.ts';
import { batch, CONFIG, deps, NODE_VALUES, tempFolder } from './fixture.ts';

const CLEAN = { cleanShutdown: true, recoveryPoint: 0 };

async function opened(tailBytes: number, config: Partial<LogConfig> = {}) {
  const counting = new CountingDisk();
  const shared = createLogShared({ ...NODE_VALUES, 'log.tail.cache.bytes': tailBytes });
  const all = { ...deps(), disk: counting.disk, shared };
  const log = await PartitionLog.open(all, await tempFolder(), { ...CONFIG, ...config }, CLEAN);
  return { log, counting };
}

function offsetsOf(bytes: Buffer): number[] {
  return [...splitBatches(bytes)].map((header) => header.baseOffset);
}

/** As a leader sent it, with this offset. */
function placed(baseOffset: number, spec: Parameters<typeof batch>[0] = {}): Buffer {
  const bytes = batch(spec);
  setBaseOffset(bytes, baseOffset);
  setPartitionLeaderEpoch(bytes, 0);
  return bytes;
}

type Step =
  | { readonly kind: 'append'; readonly count: number; readonly bytes: number }
  | { readonly kind: 'truncate'; readonly back: number }
  | { readonly kind: 'flush' }
  | {
      readonly kind: 'read';
      readonly at: number;
      readonly maxBytes: number;
      readonly end: number;
      readonly one: boolean;
    };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      count: fc.integer({ min: 1, max: 4 }),
      bytes: fc.integer({ min: 0, max: 600 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('truncate' as const), back: fc.nat(12) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('flush' as const) }) },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('read' as const),
      at: fc.oneof(fc.nat(999), fc.integer({ min: 800, max: 999 })),
      maxBytes: fc.nat(1500),
      end: fc.oneof(fc.nat(999), fc.constant(999)),
      one: fc.boolean(),
    }),
  },
);

describe('the tail', () => {
  test('a read with the tail cache gives what a read of the file gives', async () => {
    let fromTail = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 20, maxLength: 60 }),
        fc.constantFrom(2048, 8192, 1 << 20),
        async (steps, tailBytes) => {
          const config = { segmentBytes: 3000, indexIntervalBytes: 300 };
          const withTail = await opened(tailBytes, config);
          const plain = await opened(0, config);
          for (const one of steps) {
            const end = plain.log.logEndOffset;
            if (one.kind === 'append') {
              for (const { log } of [withTail, plain]) log.append(batch({ count: one.count, bytes: one.bytes }), 0);
            } else if (one.kind === 'read') {
              const offset = Math.floor((one.at / 1000) * end);
              const upTo = Math.ceil((one.end / 1000) * (end + 1));
              const before = withTail.counting.preads;
              const [found, expected] = await Promise.all(
                [withTail, plain].map(({ log }) => log.read(offset, one.maxBytes, upTo, one.one)),
              );
              if (withTail.counting.preads === before && expected?.length !== 0) fromTail += 1;
              expect(found?.equals(expected ?? Buffer.alloc(0))).toBe(true);
            } else if (one.kind === 'flush') {
              await withTail.log.flush();
            } else {
              for (const { log } of [withTail, plain]) await log.truncateTo(Math.max(0, end - one.back));
            }
          }
          await withTail.log.discard();
          await plain.log.discard();
        },
      ),
      { numRuns: 30 },
    );
    expect(fromTail).toBeGreaterThan(50);
  });

  test('is read without a pread, before anything else has its turn', async () => {
    const { log, counting } = await opened(1 << 20);
    for (let i = 0; i < 50; i++) log.append(batch({ count: 3, bytes: 100 }), 0);
    const seen: unknown[] = [];
    const reading = log.read(148, 1000, 150, true).then((bytes) => seen.push(offsetsOf(bytes)));
    setImmediate(() => seen.push('another'));
    await reading;
    expect(seen).toEqual([[147]]);
    expect(counting.preads).toBe(0);
    await log.close();
    await expect(log.read(148, 1000, 150, true)).rejects.toMatchObject({ code: 'CLOSED' });
  });

  test('is not evicted by readers who catch up, nor starved: only so many preads run at once', async () => {
    const { log, counting } = await opened(64 * 1024);
    const size = batch({ bytes: 1000 }).length;
    for (let i = 0; i < 500; i++) log.append(batch({ bytes: 1000 }), 0);
    const catchingUp = Array.from({ length: 60 }, (_, i) => log.read(i * 5, size * 2, 500, true));
    for (let i = 0; i < 20; i++) expect(offsetsOf(await log.read(499 - i, size, 500, true))).toEqual([499 - i]);
    // Those at the tail had no need of the disk.
    expect(counting.preads).toBeLessThanOrEqual(2);
    for (const [i, bytes] of (await Promise.all(catchingUp)).entries()) {
      expect(offsetsOf(bytes)).toEqual([i * 5, i * 5 + 1]);
    }
    expect(counting.mostRunning).toBe(2);
    const before = counting.preads;
    expect(offsetsOf(await log.read(499, size, 500, true))).toEqual([499]);
    expect(counting.preads).toBe(before);
    await log.close();
  });
});

describe('the file', () => {
  test.each([100, 3000, 50_000])('an offset is found with one pread, in batches of %i bytes', async (bytes) => {
    const { log, counting } = await opened(0, { segmentBytes: 1 << 30 });
    const count = Math.ceil(1_500_000 / bytes);
    for (let i = 0; i < count; i++) log.append(batch({ count: 2, bytes: bytes / 2 }), 0);
    for (let i = 0; i < count; i += Math.ceil(count / 97)) {
      const before = counting.preads;
      expect(offsetsOf(await log.read(i * 2 + 1, bytes + 200, count * 2, true))[0]).toBe(i * 2);
      expect(counting.preads - before).toBeLessThanOrEqual(2);
    }
    await log.close();
  });

  test('D-10.4 offsets that go back are damage, which no CRC tells', async () => {
    const { log } = await opened(0);
    for (let i = 0; i < 3; i++) log.append(batch({ bytes: 10 }), 0);
    await log.flush();
    const file = await deps().disk.open(`${log.directory}/00000000000000000000.log`, 'write');
    const rotten = Buffer.alloc(8);
    rotten.writeBigInt64BE(-5n);
    file.write([rotten], batch({ bytes: 10 }).length);
    await file.close();
    await expect(log.read(0, 1000, 3, true)).rejects.toMatchObject({ code: 'CORRUPT' });
    await log.discard();
  });

  test('a length that is rotten takes no memory', async () => {
    const { log } = await opened(0);
    for (let i = 0; i < 3; i++) log.append(batch({ bytes: 10 }), 0);
    await log.flush();
    const file = await deps().disk.open(`${log.directory}/00000000000000000000.log`, 'write');
    const rotten = Buffer.alloc(4);
    rotten.writeInt32BE(0x7fff_ff00);
    file.write([rotten], batch({ bytes: 10 }).length + 8);
    await file.close();
    // Where the last read ended the next one goes on, without a look at what lies before.
    await log.read(0, batch({ bytes: 10 }).length, 1, true);
    const asked: number[] = [];
    const allocate = (size: number): Buffer => {
      asked.push(size);
      return Buffer.alloc(Math.min(size, 10_000));
    };
    await expect(log.read(1, 10, 3, true, allocate)).rejects.toMatchObject({ code: 'CORRUPT' });
    expect(Math.max(...asked)).toBeLessThan(1000);
    await log.discard();
  });

  test('who reads on in small steps needs few preads', async () => {
    const { log, counting } = await opened(0);
    for (let i = 0; i < 400; i++) log.append(batch({ bytes: 1000 }), 0);
    let offset = 0;
    while (offset < 400) {
      const found = [...splitBatches(await log.read(offset, 3000, 400, true))];
      expect(found[0]?.baseOffset).toBe(offset);
      offset = found.at(-1)?.nextOffset ?? Number.NaN;
    }
    expect(counting.preads).toBeLessThan(10);
    await log.close();
  });
});

describe('offsets with gaps, as compaction leaves them', () => {
  const GAPS = [0, 1, 7, 8, 20, 33];

  test.each([0, 1 << 20])(
    'a read in a gap gives what follows, in this segment or the next (tail of %i)',
    async (tail) => {
      const { log } = await opened(tail, { segmentBytes: 300, indexIntervalBytes: 50 });
      for (const offset of GAPS) log.appendAsFollower(placed(offset, { bytes: 50 }));
      expect(log.logEndOffset).toBe(34);
      for (let offset = 0; offset < 34; offset++) {
        const expected = GAPS.find((base) => base >= offset);
        expect(offsetsOf(await log.read(offset, 1, 34, true))).toEqual([expected]);
        expect(offsetsOf(await log.read(offset, 1, expected ?? 0, true))).toEqual([]);
      }
      await log.close();
    },
  );

  test('a log that is cut in a gap ends where a restart finds its end', async () => {
    for (let offset = 0; offset <= 34; offset++) {
      const { log } = await opened(1 << 20, { segmentBytes: 300, indexIntervalBytes: 50 });
      for (const base of GAPS) log.appendAsFollower(placed(base, { bytes: 50 }));
      await log.truncateTo(offset);
      const left = GAPS.filter((base) => base < offset);
      const { logEndOffset } = log;
      expect(logEndOffset).toBeLessThanOrEqual(offset);
      expect(logEndOffset).toBeGreaterThanOrEqual((left.at(-1) ?? -1) + 1);
      await log.close();
      const recovery = { cleanShutdown: false, recoveryPoint: logEndOffset };
      const again = await PartitionLog.open(deps(), log.directory, CONFIG, recovery);
      expect(again.logEndOffset).toBe(logEndOffset);
      again.appendAsFollower(placed(offset, { bytes: 50 }));
      expect(offsetsOf(await again.read(logEndOffset, 1, offset + 1, true))).toEqual([offset]);
      await again.close();
    }
  });
});

describe('a follower', () => {
  test('writes what goes into one segment at once', async () => {
    const { log, counting } = await opened(1 << 20, { segmentBytes: 1000, flushMode: 'async' });
    const one = batch({ bytes: 100 }).length;
    const fetched = Buffer.concat(Array.from({ length: 10 }, (_, i) => placed(i, { bytes: 100 })));
    const before = counting.writes;
    log.appendAsFollower(fetched);
    expect(counting.writes - before).toBe(Math.ceil(10 / Math.floor(1000 / one)));
    expect(log.logEndOffset).toBe(10);
    const read: Buffer[] = [];
    for (let offset = 0; offset < 10; ) {
      const bytes = await log.read(offset, 5000, 10, true);
      read.push(bytes);
      offset += offsetsOf(bytes).length;
    }
    expect(Buffer.concat(read).equals(fetched)).toBe(true);
    await log.close();
  });

  test('D-3.7 takes nothing that goes back in offsets or epochs', async () => {
    const { log } = await opened(0);
    log.appendAsFollower(placed(5));
    const twice = Buffer.concat([placed(8, { count: 3 }), placed(10)]);
    expect(() => log.appendAsFollower(twice)).toThrow(/batch at 10, log ends at 11/);
    expect(() => log.appendAsFollower(placed(5))).toThrow(/batch at 5, log ends at 6/);
    expect(log.logEndOffset).toBe(6);
    log.append(batch(), 3);
    expect(() => log.appendAsFollower(placed(7))).toThrow(/epoch/);
    expect(new BatchHeader(await log.read(6, 1, 7, true)).partitionLeaderEpoch).toBe(3);
    await log.close();
  });
});

describe('segment.ms', () => {
  const names = async (log: PartitionLog): Promise<string[]> => {
    const files = await deps().disk.list(log.directory);
    return files.map(({ name }) => name).filter((name) => name.endsWith('.log'));
  };

  test('a batch that is too young for the segment begins another, after a restart too', async () => {
    const { log } = await opened(0, { segmentMs: 1000 });
    log.append(batch({ timestamp: 5000 }), 0);
    log.append(batch({ timestamp: 6000 }), 0);
    expect(await names(log)).toHaveLength(1);
    await log.close();
    const again = await PartitionLog.open(deps(), log.directory, { ...CONFIG, segmentMs: 1000 }, CLEAN);
    again.append(batch({ timestamp: 6000 }), 0);
    expect(await names(again)).toHaveLength(1);
    again.append(batch({ timestamp: 6001 }), 0);
    again.append(batch({ timestamp: 7001 }), 0);
    expect(await names(again)).toHaveLength(2);
    again.appendAsFollower(Buffer.concat([placed(5, { timestamp: 7001 }), placed(6, { timestamp: 7002 })]));
    expect(await names(again)).toEqual([
      '00000000000000000000.log',
      '00000000000000000003.log',
      '00000000000000000006.log',
    ]);
    await again.close();
  });
});
