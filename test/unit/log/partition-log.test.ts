import { describe, expect, test } from 'vitest';
import { PartitionLog } from '../../../src/log/partition-log.ts';
import { BatchHeader } from '../../../src/record/batch.ts';
import { splitBatches } from '../../../src/record/scan.ts';
import { batch, CONFIG, deps, tempFolder } from './fixture.ts';

const CLEAN = { cleanShutdown: true, recoveryPoint: 0 };
/** Rolls after every third batch of 100 bytes. */
const SMALL = { ...CONFIG, segmentBytes: 600, indexIntervalBytes: 100 };

function offsetsOf(bytes: Buffer): number[] {
  return [...splitBatches(bytes)].map((header) => header.baseOffset);
}

async function readAll(log: PartitionLog, from = log.logStartOffset): Promise<Buffer> {
  const parts: Buffer[] = [];
  for (let offset = from; offset < log.logEndOffset; ) {
    const bytes = await log.read(offset, 500, log.logEndOffset, true);
    parts.push(bytes);
    offset = [...splitBatches(bytes)].at(-1)?.nextOffset ?? Number.NaN;
  }
  return Buffer.concat(parts);
}

describe('append and read', () => {
  test('D-7.2 offsets and leader epoch are set in place, contiguously', async () => {
    const log = await PartitionLog.open(deps(), await tempFolder(), CONFIG, CLEAN);
    expect(log.append(batch({ count: 3 }), 0)).toEqual({
      kind: 'appended',
      baseOffset: 0,
      lastOffset: 2,
      logAppendTime: -1,
    });
    expect(log.append(batch({ count: 2 }), 4)).toMatchObject({ baseOffset: 3, lastOffset: 4 });
    expect(log.logEndOffset).toBe(5);
    const headers = [...splitBatches(await log.read(0, 10_000, 5, true))];
    expect(headers.map((h) => [h.baseOffset, h.partitionLeaderEpoch, h.computeCrc() === h.crc])).toEqual([
      [0, 0, true],
      [3, 4, true],
    ]);
    expect(log.endOffsetFor(0)).toEqual({ epoch: 0, endOffset: 3 });
    await log.close();
  });

  test('LogAppendTime stamps the batch and renews its CRC', async () => {
    const world = { ...deps(), clock: { ...deps().clock, wallTime: () => 77_000 } };
    const log = await PartitionLog.open(
      world,
      await tempFolder(),
      { ...CONFIG, timestampType: 'LogAppendTime' },
      CLEAN,
    );
    const bytes = batch({ timestamp: 5 });
    expect(log.append(bytes, 0)).toMatchObject({ logAppendTime: 77_000 });
    const header = new BatchHeader(bytes);
    expect([header.maxTimestamp, header.timestampType, header.computeCrc()]).toEqual([
      77_000,
      'LogAppendTime',
      header.crc,
    ]);
    expect(await log.offsetForTimestamp(6, 1)).toEqual({ offset: 0, timestamp: 77_000, leaderEpoch: 0 });
    await log.close();
  });

  test('kafka-protocol.md 30, 31: limits, at least one batch, an offset in mid-batch', async () => {
    const log = await PartitionLog.open(deps(), await tempFolder(), CONFIG, CLEAN);
    for (let i = 0; i < 10; i++) log.append(batch({ count: 5, bytes: 100 }), 0);
    const size = batch({ count: 5, bytes: 100 }).length;
    expect(offsetsOf(await log.read(7, size * 2, 50, false))).toEqual([5, 10]);
    expect(offsetsOf(await log.read(7, size * 2 - 1, 50, false))).toEqual([5]);
    expect(offsetsOf(await log.read(7, size - 1, 50, false))).toEqual([]);
    expect(offsetsOf(await log.read(7, 0, 50, true))).toEqual([5]);
    expect(offsetsOf(await log.read(7, 1, 50, true))).toEqual([5]);
    // Below endOffset as a whole, or not at all.
    expect(offsetsOf(await log.read(40, 1e6, 49, true))).toEqual([40]);
    expect(offsetsOf(await log.read(45, 1e6, 49, true))).toEqual([]);
    expect(offsetsOf(await log.read(50, 1e6, 50, true))).toEqual([]);
    await log.close();
  });

  test('segments roll by size; a read ends with its segment and goes on in the next', async () => {
    const folder = await tempFolder();
    const log = await PartitionLog.open(deps(), folder, SMALL, CLEAN);
    for (let i = 0; i < 20; i++) log.append(batch({ bytes: 100 }), 0);
    expect(offsetsOf(await readAll(log))).toEqual(Array.from({ length: 20 }, (_, i) => i));
    await log.close();
    // One entry at the close: the maximal timestamp, at the first batch that has it, as Kafka writes it.
    const times = await deps().disk.readFile(`${folder}/00000000000000000018.timeindex`);
    expect(times.toString('hex')).toBe('00000000000003e800000000');
    const files = (await deps().disk.list(folder)).map((entry) => entry.name);
    expect(files.filter((name) => name.endsWith('.log'))).toEqual(
      [0, 3, 6, 9, 12, 15, 18].map((base) => `${String(base).padStart(20, '0')}.log`),
    );
    expect(files.filter((name) => name.endsWith('index'))).toHaveLength(14);
  });

  test('reads go on while appends and a removal happen', async () => {
    const log = await PartitionLog.open(deps(), await tempFolder(), SMALL, CLEAN);
    const reads: Promise<Buffer>[] = [];
    for (let i = 0; i < 50; i++) {
      log.append(batch({ bytes: 100 }), 0);
      reads.push(log.read(i, 1000, i + 1, true));
    }
    expect((await Promise.all(reads)).map((bytes) => offsetsOf(bytes))).toEqual(reads.map((_, i) => [i]));
    const last = log.read(0, 1000, 50, true).catch((error: unknown) => (error as { code: string }).code);
    await log.discard();
    expect(['CLOSED', 3]).toContain(
      await last.then((value) => (typeof value === 'string' ? value : offsetsOf(value).length)),
    );
    await expect(log.read(0, 1, 1, true)).rejects.toMatchObject({ code: 'CLOSED' });
    await expect(log.flush()).rejects.toMatchObject({ code: 'CLOSED' });
    expect(() => log.append(batch(), 0)).toThrow(/closed/);
  });

  test('T-1.2 a duplicate is answered with its offsets and not written', async () => {
    const log = await PartitionLog.open(deps(), await tempFolder(), CONFIG, CLEAN);
    const spec = { producerId: 5, producerEpoch: 0, baseSequence: 0, count: 2 };
    log.append(batch(), 0);
    log.append(batch(spec), 0);
    log.append(batch({ ...spec, baseSequence: 2 }), 0);
    expect(log.append(batch(spec), 0)).toEqual({ kind: 'duplicate', baseOffset: 1, lastOffset: 2, timestamp: 1000 });
    expect(log.append(batch({ ...spec, baseSequence: 9 }), 0)).toMatchObject({ kind: 'refused' });
    expect(log.logEndOffset).toBe(5);
    await log.close();
  });

  test('T-1.5 a follower takes what the leader has, and notes epochs and producers', async () => {
    const leader = await PartitionLog.open(deps(), await tempFolder(), CONFIG, CLEAN);
    const follower = await PartitionLog.open(deps(), await tempFolder(), SMALL, CLEAN);
    for (let i = 0; i < 9; i++) {
      leader.append(batch({ producerId: 5, producerEpoch: 0, baseSequence: 100 + i, bytes: 100 }), Math.floor(i / 4));
    }
    follower.appendAsFollower(await leader.read(0, 1e6, 9, true));
    expect(follower.logEndOffset).toBe(9);
    expect(follower.epochs.entries).toEqual(leader.epochs.entries);
    expect([...follower.producers.values()]).toEqual([...leader.producers.values()]);
    expect(await readAll(follower)).toEqual(await readAll(leader));
    await leader.close();
    await follower.close();
  });
});

describe('timestamps', () => {
  test('the first record with at least that timestamp, and the greatest one, below an end', async () => {
    const folder = await tempFolder();
    let log = await PartitionLog.open(deps(), folder, SMALL, CLEAN);
    const stamps: number[] = [];
    const times = [
      [5, 9],
      [3, 4],
      [9, 12],
      [12, 1],
      [30, 30],
      [7, 8],
      [2, 29],
      [31, 50],
      [50, 44],
      [-1, -1],
    ];
    for (const [i, timestamps] of times.entries()) {
      stamps.push(...timestamps);
      log.append(batch({ timestamps, bytes: 60, compression: i % 2 === 0 ? 'none' : 'gzip' }), i);
    }
    for (const reopened of [false, true]) {
      if (reopened) {
        await log.close();
        log = await PartitionLog.open(deps(), folder, SMALL, { cleanShutdown: true, recoveryPoint: 20 });
      }
      for (let timestamp = 0; timestamp <= 51; timestamp++) {
        const offset = stamps.findIndex((stamp) => stamp >= timestamp);
        const found = await log.offsetForTimestamp(timestamp, 20);
        expect(found?.offset ?? -1, `timestamp ${timestamp}`).toBe(offset);
        if (found) expect(found).toEqual({ offset, timestamp: stamps[offset], leaderEpoch: Math.floor(offset / 2) });
        if (offset > 0) expect(await log.offsetForTimestamp(timestamp, offset)).toBeUndefined();
      }
      for (let end = 2; end <= 20; end += 2) {
        const max = Math.max(...stamps.slice(0, end));
        expect(await log.offsetOfMaxTimestamp(end)).toMatchObject({ offset: stamps.indexOf(max), timestamp: max });
      }
      expect(await log.offsetOfMaxTimestamp(0)).toBeUndefined();
    }
    await log.close();
  });
});

describe('flush', () => {
  test('flushedEndOffset moves to the end as of the call, over rolls', async () => {
    const log = await PartitionLog.open(deps(), await tempFolder(), SMALL, CLEAN);
    log.append(batch(), 0);
    const first = log.flush();
    log.append(batch(), 0);
    const second = log.flush();
    expect(log.flush()).toBe(second);
    await first;
    expect(log.flushedEndOffset).toBeGreaterThanOrEqual(1);
    await second;
    expect(log.flushedEndOffset).toBe(2);
    for (let i = 0; i < 10; i++) log.append(batch({ bytes: 300 }), 0);
    await log.flush();
    expect(log.flushedEndOffset).toBe(12);
    await log.close();
  });

  test('D-1.4 an assigned epoch without records survives', async () => {
    const folder = await tempFolder();
    const log = await PartitionLog.open(deps(), folder, CONFIG, CLEAN);
    log.append(batch(), 1);
    await log.assignEpoch(6);
    await log.discard();
    const again = await PartitionLog.open(deps(), folder, CONFIG, { cleanShutdown: false, recoveryPoint: 0 });
    expect(again.epochs.entries).toEqual([
      { epoch: 1, startOffset: 0 },
      { epoch: 6, startOffset: 1 },
    ]);
    await again.close();
  });
});
