import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { EnvError } from '../../../src/env/error.ts';
import type { LogHooks } from '../../../src/log/log-hooks.ts';
import type { LogConfig, LogDeps } from '../../../src/log/log-state.ts';
import { PartitionLog } from '../../../src/log/partition-log.ts';
import { readProducerSnapshot } from '../../../src/log/producer-snapshot.ts';
import { splitBatches } from '../../../src/record/scan.ts';
import { batch, CONFIG, deps, tempFolder } from './fixture.ts';

const UNCLEAN = { cleanShutdown: false, recoveryPoint: 0 };
/** Two batches of 161 bytes in a segment; removed files stay until the log is closed. */
const SMALL: LogConfig = { ...CONFIG, segmentBytes: 400, indexIntervalBytes: 100, retentionMs: -1 };
const NOTHING_BEYOND = { highWatermark: Number.MAX_SAFE_INTEGER, nowMs: 1_000_000 };

/** `count` batches of one record each, with the offset's thousandfold as timestamp, in epochs of four; all flushed. */
async function filled(
  folder: string,
  count: number,
  { config = SMALL, world = deps(), hooks }: { config?: LogConfig; world?: LogDeps; hooks?: LogHooks } = {},
): Promise<PartitionLog> {
  const log = await PartitionLog.open(world, folder, config, UNCLEAN, hooks);
  await log.warm();
  for (let i = 0; i < count; i++) {
    const bytes = batch({ bytes: 90, timestamp: i * 1000, producerId: 5, producerEpoch: 0, baseSequence: i });
    expect(log.append(bytes, Math.floor(i / 4)).kind).toBe('appended');
  }
  await log.flush();
  return log;
}

async function names(folder: string, kind: string): Promise<string[]> {
  const found = (await readdir(folder)).filter((name) => name.endsWith(kind));
  return found.map((name) => String(Number.parseInt(name, 10))).sort((a, b) => Number(a) - Number(b));
}

async function offsetsFrom(log: PartitionLog, from = log.logStartOffset): Promise<number[]> {
  const offsets: number[] = [];
  while ((offsets.at(-1) ?? from - 1) < log.logEndOffset - 1) {
    const bytes = await log.read((offsets.at(-1) ?? from - 1) + 1, 1000, log.logEndOffset, true);
    offsets.push(...[...splitBatches(bytes)].map(({ baseOffset }) => baseOffset));
  }
  return offsets;
}

describe('D-9.1 the log start', () => {
  test('moves up, never down; reads, epochs and look-ups by time begin there', async () => {
    const folder = await tempFolder();
    const log = await filled(folder, 9);
    await log.advanceLogStart(5);
    expect([log.logStartOffset, log.logEndOffset]).toEqual([5, 9]);
    expect(log.epochs.entries).toEqual([
      { epoch: 1, startOffset: 5 },
      { epoch: 2, startOffset: 8 },
    ]);
    expect(await offsetsFrom(log)).toEqual([5, 6, 7, 8]);
    expect(await log.offsetForTimestamp(0, 9)).toMatchObject({ offset: 5 });
    await log.advanceLogStart(3);
    expect(log.logStartOffset).toBe(5);
    expect(await log.read(3, 1000, 9, true).catch(() => 'refused')).toBe('refused');
    await log.close();
  });

  test('segments that lie wholly below go with what belongs to them; the one that holds it stays', async () => {
    const folder = await tempFolder();
    const log = await filled(folder, 9);
    expect(await names(folder, '.log')).toEqual(['0', '2', '4', '6', '8']);
    expect(await names(folder, '.snapshot')).toEqual(['2', '4', '6', '8']);
    await log.advanceLogStart(5);
    for (const kind of ['.log', '.snapshot']) expect(await names(folder, kind)).toEqual(['4', '6', '8']);
    for (const kind of ['.index', '.timeindex']) expect(await names(folder, kind)).toEqual(['4', '6']);
    for (const kind of ['.log.deleted', '.index.deleted', '.timeindex.deleted']) {
      expect(await names(folder, kind)).toEqual(['0', '2']);
    }
    expect(await names(folder, '.snapshot.deleted')).toEqual(['2']);
    await log.close();
    expect((await readdir(folder)).filter((name) => name.endsWith('.deleted'))).toEqual([]);
  });

  test('T-3.1 who wrote below stays known after a crash, where rolls before left no snapshots', async () => {
    const folder = await tempFolder();
    await (await filled(folder, 5)).discard();
    for (const name of await names(folder, '.snapshot')) await rm(`${folder}/${name.padStart(20, '0')}.snapshot`);
    const log = await PartitionLog.open(deps(), folder, SMALL, UNCLEAN);
    expect(log.append(batch({ producerId: 6, producerEpoch: 0, baseSequence: 7 }), 1).kind).toBe('appended');
    await log.flush();
    await log.advanceLogStart(5);
    expect(await names(folder, '.log')).toEqual(['4']);
    await log.discard();
    const again = await PartitionLog.open(deps(), folder, SMALL, { ...UNCLEAN, logStartOffset: 5 });
    expect(again.producers.get(5)?.batches).toHaveLength(5);
    expect(again.producers.get(6)?.batches).toHaveLength(1);
    await again.close();
  });

  test('at the log’s end the active segment stays; appends go on', async () => {
    const log = await filled(await tempFolder(), 4);
    await log.advanceLogStart(4);
    expect([log.logStartOffset, log.logEndOffset]).toEqual([4, 4]);
    expect(log.append(batch({ producerId: 5, producerEpoch: 0, baseSequence: 3 }), 1).kind).toBe('duplicate');
    expect(log.append(batch({ producerId: 5, producerEpoch: 0, baseSequence: 9 }), 1).kind).toBe('refused');
    expect(log.append(batch({ producerId: 5, producerEpoch: 0, baseSequence: 4 }), 1)).toMatchObject({ baseOffset: 4 });
    expect(await offsetsFrom(log)).toEqual([4]);
    await log.close();
  });

  test('what moved and what went is told', async () => {
    const events: string[] = [];
    const log = await filled(await tempFolder(), 4, { world: deps(events) });
    const told = () => events.splice(0).filter((event) => /start|segments/.test(event));
    await log.advanceLogStart(1);
    expect(told()).toEqual(['log-start-advanced']);
    await log.advanceLogStart(1);
    expect(told()).toEqual([]);
    await log.advanceLogStart(3);
    expect(told()).toEqual(['log-start-advanced', 'segments-deleted']);
    await log.close();
  });

  test('D-9.2 what stays is durable and the start noted before any file goes', async () => {
    const folder = await tempFolder();
    const seen: unknown[] = [];
    const hooks: LogHooks = {
      beforeTruncation: () => Promise.resolve(),
      noteFirstDirty: () => Promise.resolve(),
      lowerLogStart: () => Promise.resolve(),
      noteLogStart: async (offset) => {
        seen.push([offset, log.flushedEndOffset, log.logStartOffset, await names(folder, '.log')]);
      },
    };
    const log: PartitionLog = await filled(folder, 4, { hooks });
    log.append(batch({ bytes: 90 }), 1);
    log.append(batch({ bytes: 90 }), 1);
    await log.advanceLogStart(6);
    expect(seen).toEqual([[6, 6, 0, ['0', '2', '4']]]);
    expect(await names(folder, '.log')).toEqual(['4']);
    await log.advanceLogStart(6);
    expect(seen).toHaveLength(1);
    await log.close();
  });

  test('a note that fails fences the log, and nothing goes', async () => {
    const folder = await tempFolder();
    const failed: string[] = [];
    const world: LogDeps = { ...deps(), logFailed: (_, error) => void failed.push(error.code) };
    const hooks: LogHooks = {
      beforeTruncation: () => Promise.resolve(),
      noteFirstDirty: () => Promise.resolve(),
      noteLogStart: () => Promise.reject(new EnvError('IO', 'no more')),
      lowerLogStart: () => Promise.resolve(),
    };
    const log = await filled(folder, 4, { world, hooks });
    await expect(log.advanceLogStart(2)).rejects.toThrow('no more');
    expect(log.logStartOffset).toBe(0);
    expect(await names(folder, '.log')).toEqual(['0', '2']);
    expect(failed).toEqual(['IO']);
    expect(() => log.append(batch(), 1)).toThrow('no more');
    await log.discard();
  });

  test('readers in the middle of a removed segment get its bytes or nothing, never a failure', async () => {
    const log = await filled(await tempFolder(), 9);
    const reads = [0, 1, 2, 3, 4, 5].map((offset) => log.read(offset, 1000, 9, true));
    const found = log.offsetForTimestamp(0, 9);
    await log.advanceLogStart(4);
    for (const [offset, bytes] of (await Promise.all(reads)).entries()) {
      const first = [...splitBatches(bytes)].map(({ baseOffset }) => baseOffset)[0];
      expect([offset, offset < 4 ? undefined : offset]).toContain(first);
    }
    expect([0, 4]).toContain((await found)?.offset);
    await log.close();
  });
});

describe('after a stop', () => {
  test.each([
    ['clean', true],
    ['unclean', false],
  ])('%s: the log starts where it was noted, with the producers of what is gone', async (_, cleanShutdown) => {
    const folder = await tempFolder();
    const log = await filled(folder, 9);
    await log.advanceLogStart(5);
    await log.close();
    const again = await PartitionLog.open(deps(), folder, SMALL, {
      cleanShutdown,
      recoveryPoint: 9,
      logStartOffset: 5,
    });
    await again.warm();
    expect([again.logStartOffset, again.logEndOffset]).toEqual([5, 9]);
    expect(await offsetsFrom(again)).toEqual([5, 6, 7, 8]);
    expect(again.producers.get(5)?.batches.at(-1)?.lastSequence).toBe(8);
    await again.close();
  });

  test('D-9.2 of what lay below the noted start a part may be there: it goes, whatever it looks like', async () => {
    const folder = await tempFolder();
    const log = await filled(folder, 9);
    await log.close();
    // Segments 2 and 0 were to go; the removal of 2 survived, that of 0 and of an index did not.
    for (const kind of ['log', 'timeindex']) await rm(`${folder}/${'2'.padStart(20, '0')}.${kind}`);
    await writeFile(`${folder}/${'0'.padStart(20, '0')}.log`, 'rotten');
    await writeFile(`${folder}/${'1'.padStart(20, '0')}.log.deleted`, 'anything');
    const again = await PartitionLog.open(deps(), folder, SMALL, { ...UNCLEAN, logStartOffset: 4 });
    expect([again.logStartOffset, again.logEndOffset]).toEqual([4, 9]);
    expect(await names(folder, '.log')).toEqual(['4', '6', '8']);
    expect((await readdir(folder)).filter((name) => /^0*[012]\./.test(name))).toEqual([]);
    expect(await offsetsFrom(again)).toEqual([4, 5, 6, 7, 8]);
    await again.close();
  });

  test('snapshots that belong to no segment do not pile up', async () => {
    const folder = await tempFolder();
    await (await filled(folder, 3)).close();
    expect(await names(folder, '.snapshot')).toEqual(['2', '3']);
    const log = await PartitionLog.open(deps(), folder, SMALL, { cleanShutdown: true, recoveryPoint: 3 });
    await log.warm();
    for (let i = 3; i < 6; i++) log.append(batch({ bytes: 90 }), 1);
    await log.close();
    expect(await names(folder, '.snapshot')).toEqual(['2', '4', '6']);
    const bytes = await readFile(`${folder}/${'6'.padStart(20, '0')}.snapshot`);
    expect(readProducerSnapshot(bytes)).toMatchObject({ offset: 6, producers: [{ producerId: 5 }] });
  });
});

describe('retention on a log', () => {
  test('retention.ms by the greatest timestamps; what went is told', async () => {
    const folder = await tempFolder();
    const log = await filled(folder, 9, { config: { ...SMALL, retentionMs: 10_000 } });
    expect(log.exceeds({ ...NOTHING_BEYOND, nowMs: 11_000 })).toBe(false);
    expect(await log.retain({ ...NOTHING_BEYOND, nowMs: 11_000 })).toEqual([]);
    const limits = { ...NOTHING_BEYOND, nowMs: 13_500 };
    expect(log.exceeds(limits)).toBe(true);
    const [removed] = await log.retain(limits);
    expect(removed).toEqual({ cause: 'retention.ms', count: 2, bytes: removed?.bytes, startOffset: 0, endOffset: 4 });
    expect(removed?.bytes).toBeGreaterThan(4 * 150);
    expect(log.logStartOffset).toBe(4);
    expect(log.exceeds(limits)).toBe(false);
    await log.close();
  });

  test('a log that has expired as a whole goes on in a new, empty segment', async () => {
    const folder = await tempFolder();
    const log = await filled(folder, 5, { config: { ...SMALL, retentionMs: 10_000 } });
    expect(await log.retain(NOTHING_BEYOND)).toMatchObject([{ cause: 'retention.ms', count: 3, endOffset: 5 }]);
    expect([log.logStartOffset, log.logEndOffset]).toEqual([5, 5]);
    expect(await names(folder, '.log')).toEqual(['5']);
    expect(log.exceeds(NOTHING_BEYOND)).toBe(false);
    expect(log.append(batch({ producerId: 5, producerEpoch: 0, baseSequence: 5 }), 1)).toMatchObject({ baseOffset: 5 });
    await log.close();
    const again = await PartitionLog.open(deps(), folder, SMALL, { ...UNCLEAN, recoveryPoint: 6, logStartOffset: 5 });
    expect(await offsetsFrom(again)).toEqual([5]);
    await again.close();
  });

  test('of a cold log with nothing to delete no file is opened; its greatest timestamps are looked up where they decide', async () => {
    const folder = await tempFolder();
    const config = { ...SMALL, retentionMs: 10_000 };
    await (await filled(folder, 9, { config })).close();
    const log = await PartitionLog.open(deps(), folder, config, { cleanShutdown: true, recoveryPoint: 9 });
    expect(await log.retain({ ...NOTHING_BEYOND, nowMs: 13_500 })).toMatchObject([{ count: 2, endOffset: 4 }]);
    await log.close();
  });

  test('cleanup.policy=compact: neither age nor size, but what lies below the log start', async () => {
    const config = { ...SMALL, cleanupPolicy: 'compact', retentionMs: 0, retentionBytes: 0 };
    const log = await filled(await tempFolder(), 9, { config });
    expect(await log.retain(NOTHING_BEYOND)).toEqual([]);
    log.updateConfig({ ...config, cleanupPolicy: 'compact,delete', retentionBytes: -1, retentionMs: 995_500 });
    expect(await log.retain(NOTHING_BEYOND)).toMatchObject([{ cause: 'retention.ms', endOffset: 4 }]);
    await log.close();
  });

  test('D-9.2 never above the high watermark', async () => {
    const log = await filled(await tempFolder(), 9, { config: { ...SMALL, retentionBytes: 0 } });
    expect(await log.retain({ ...NOTHING_BEYOND, highWatermark: 5 })).toMatchObject([
      { cause: 'retention.bytes', count: 2, endOffset: 4 },
    ]);
    await log.close();
  });

  test('what was appended while the log was made warm is not deleted with the rest', async () => {
    const log = await filled(await tempFolder(), 5, { config: { ...SMALL, retentionMs: 10_000 } });
    const retained = log.retain({ ...NOTHING_BEYOND, nowMs: 500_000 });
    log.append(batch({ timestamp: 499_000, bytes: 90 }), 1);
    await retained;
    await log.retain({ ...NOTHING_BEYOND, nowMs: 500_000 });
    expect((await offsetsFrom(log)).at(-1)).toBe(5);
    await log.close();
  });
});
