import { readdir } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { IndexMemory } from '../../../src/log/index-memory.ts';
import { LogDirectory } from '../../../src/log/log-directory.ts';
import { PartitionLog } from '../../../src/log/partition-log.ts';
import { writeMetaProperties } from '../../../src/log/storage.ts';
import { splitBatches } from '../../../src/record/scan.ts';
import { DATA, SimWorld } from '../../prop/log/sim-world.ts';
import { batch, CONFIG, deps, tempFolder } from './fixture.ts';

const META = {
  clusterId: '4L6g3nShT-eMCtK--X86sw',
  nodeId: 3,
  directoryId: 'q1Sh-9_ISia_zwGINzRvyQ',
  version: 1,
} as const;
const SMALL = { ...CONFIG, segmentBytes: 1000, indexIntervalBytes: 100 };
const BATCHES = 8;
const END = BATCHES * 3;

/** Batches of three records, a new epoch with every second one, rising timestamps, one producer. */
function append(log: PartitionLog, i: number, epoch = Math.floor(i / 2)): void {
  const spec = { count: 3, bytes: 60, timestamp: 1000 + i, producerId: 1, producerEpoch: 0, baseSequence: i * 3 };
  expect(log.append(batch(spec), epoch).kind).toBe('appended');
}

async function filled(batches: number): Promise<PartitionLog> {
  const log = await PartitionLog.open(deps(), await tempFolder(), SMALL, { cleanShutdown: true, recoveryPoint: 0 });
  for (let i = 0; i < batches; i++) append(log, i);
  return log;
}

async function describeLog(log: PartitionLog): Promise<unknown> {
  const offsets: number[] = [];
  for (let offset = 0; offset < log.logEndOffset; ) {
    for (const header of splitBatches(await log.read(offset, 300, log.logEndOffset, true))) {
      offsets.push(header.baseOffset);
      offset = header.nextOffset;
    }
  }
  return {
    offsets,
    end: log.logEndOffset,
    epochs: log.epochs.entries,
    producers: [...log.producers.values()],
    max: await log.offsetOfMaxTimestamp(log.logEndOffset),
    byTime: await log.offsetForTimestamp(1004, log.logEndOffset),
    segments: (await readdir(log.directory)).filter((name) => name.endsWith('.log')),
  };
}

test('D-1.3, D-3.6, T-3.2 a truncated log is the log that never had the rest, also after a restart', async () => {
  for (const offset of [0, 1, 3, 5, 6, 10, 12, 13, 17, 18, END - 1, END]) {
    const log = await filled(BATCHES);
    if (offset % 2 === 0) await log.flush();
    await log.truncateTo(offset);
    const whole = Math.floor(offset / 3);
    const shorter = await filled(whole);
    const expected = (await describeLog(shorter)) as { segments: string[]; end: number };
    const found = (await describeLog(log)) as { segments: string[]; end: number };
    // A cut at a segment's first offset leaves that segment, empty.
    const empty = found.segments.filter((name) => name === `${String(found.end).padStart(20, '0')}.log`);
    expect({ ...found, segments: found.segments.filter((name) => expected.segments.includes(name)) }).toEqual(expected);
    expect(found.segments.length - empty.length).toBeLessThanOrEqual(expected.segments.length);
    for (const each of [log, shorter]) append(each, whole, 50);
    await log.close();
    const again = await PartitionLog.open(deps(), log.directory, SMALL, {
      cleanShutdown: true,
      recoveryPoint: whole * 3,
    });
    expect({ ...((await describeLog(again)) as object), segments: [] }).toEqual({
      ...((await describeLog(shorter)) as object),
      segments: [],
    });
    await again.close();
    await shorter.close();
  }
});

test('T-3.2 a snapshot that a clean stop removed, and a power cut brought back, does not outlive a truncation', async () => {
  for (let seed = 1; seed <= 10; seed++) {
    const world = new SimWorld(seed);
    const write = (log: PartitionLog, producerId: number, sequences: number[]): void => {
      for (const baseSequence of sequences) log.append(batch({ producerId, producerEpoch: 0, baseSequence }), 0);
    };
    const directory = (): Promise<LogDirectory> => world.finish(LogDirectory.open(world.deps(), DATA, { nodeId: 3 }));
    const opened = async (at: LogDirectory): Promise<PartitionLog> => {
      const log = await world.finish(at.openLog('t', 'AAAAAAAAAAAAAAAAAAAAAQ', 0, CONFIG));
      await world.finish(log.warm());
      return log;
    };
    await world.finish(writeMetaProperties(world.deps().disk, DATA, META));
    for (const sequences of [
      [0, 1, 2, 3],
      [4, 5],
    ]) {
      const life = await directory();
      write(await opened(life), 1, sequences);
      expect(await world.finish(life.close(true, 1))).toBe(true);
    }
    world.crash('power-cut');
    const cut = await opened(await directory());
    await world.finish(cut.truncateTo(2));
    write(cut, 9, [0, 1, 2]);
    await world.finish(cut.flush());
    world.crash('kill');
    const { producers } = await opened(await directory());
    expect([1, 9].map((id) => producers.get(id)?.batches.length)).toEqual([2, 3]);
    world.crash('kill');
  }
});

test('KAFKA-10706 a truncation at the end takes the epoch that began there, and nothing else', async () => {
  const log = await filled(2);
  await log.assignEpoch(9);
  expect(log.epochs.latestEpoch).toBe(9);
  await log.truncateTo(6);
  expect(log.epochs.entries).toEqual([{ epoch: 0, startOffset: 0 }]);
  expect(log.logEndOffset).toBe(6);
  await log.discard();
  const again = await PartitionLog.open(deps(), log.directory, SMALL, { cleanShutdown: false, recoveryPoint: 0 });
  expect(again.epochs.entries).toEqual([{ epoch: 0, startOffset: 0 }]);
  await again.close();
});

test('positions remembered for fetchers are forgotten', async () => {
  const log = await filled(2);
  const [first] = splitBatches(await log.read(0, 1, 6, true));
  expect(first?.nextOffset).toBe(3);
  await log.read(3, 1, 6, true);
  const overtaken = log.read(0, 1000, 6, true);
  await log.truncateTo(0);
  for (let i = 0; i < 7; i++) log.append(batch({ bytes: 10 }), 5);
  await overtaken;
  for (let offset = 0; offset < 7; offset++) {
    const [found] = splitBatches(await log.read(offset, 1, 7, true));
    expect(found?.baseOffset).toBe(offset);
  }
  await log.close();
});

test('readers that are under way see the old log or the new one', async () => {
  const log = await filled(BATCHES);
  const end = log.logEndOffset;
  const reads = Array.from({ length: 40 }, (_, i) => log.read((i * 3) % end, 500, end, true));
  const truncation = log.truncateTo(10);
  const more = Array.from({ length: 40 }, (_, i) => log.read((i * 3) % end, 500, end, true));
  await truncation;
  for (const [i, bytes] of (await Promise.all([...reads, ...more])).entries()) {
    const offsets = [...splitBatches(bytes)].map((header) => header.baseOffset);
    const asked = ((i % 40) * 3) % end;
    if (offsets.length > 0) expect(offsets[0]).toBe(asked);
    else expect(asked).toBeGreaterThanOrEqual(9);
  }
  await log.close();
});

test('a reader who was loading the segment does not bring back what was cut from it', async () => {
  for (let seed = 1; seed <= 20; seed++) {
    const world = new SimWorld(seed);
    const all = world.deps();
    const indexes = new IndexMemory(1);
    let read: Promise<Buffer> | undefined;
    const hooks = {
      beforeTruncation: () => {
        // The segment was loaded to find the place of the cut, and its indexes are wanted back.
        indexes.used({ indexBytes: 1, giveBackIndexes: () => {} });
        read = log.read(0, 1000, END, true);
        return Promise.resolve();
      },
      noteLogStart: () => Promise.resolve(),
      lowerLogStart: () => Promise.resolve(),
      noteFirstDirty: () => Promise.resolve(),
    };
    const recovery = { cleanShutdown: true, recoveryPoint: 0 };
    const shared = { ...all.shared, indexes };
    const log = await world.finish(PartitionLog.open({ ...all, shared }, '/data/t-0', SMALL, recovery, hooks));
    for (let i = 0; i < BATCHES; i++) append(log, i);
    await world.finish(log.flush());
    await world.finish(log.truncateTo(0));
    await world.finish(read as Promise<Buffer>);
    expect(log.sizeInBytes).toBe(0);
    await world.finish(log.warm());
    append(log, 0, 50);
    const [first] = splitBatches(await world.finish(log.read(0, 1000, 3, true)));
    expect([first?.baseOffset, first?.partitionLeaderEpoch]).toEqual([0, 50]);
    await world.finish(log.close());
  }
});

test('D-9.1 a cut in the batch that straddles the log start leaves an empty log that starts there, after a restart too', async () => {
  const notes: number[] = [];
  const log = await PartitionLog.open(
    deps(),
    await tempFolder(),
    SMALL,
    { cleanShutdown: true, recoveryPoint: 0 },
    {
      beforeTruncation: (offset) => Promise.resolve(void notes.push(offset)),
      noteLogStart: () => Promise.resolve(),
      lowerLogStart: () => Promise.resolve(),
      noteFirstDirty: () => Promise.resolve(),
    },
  );
  for (let i = 0; i < BATCHES; i++) append(log, i);
  await log.advanceLogStart(10);
  await log.truncateTo(11);
  expect([log.logStartOffset, log.logEndOffset, log.flushedEndOffset, notes]).toEqual([10, 10, 10, [10]]);
  expect((await readdir(log.directory)).filter((name) => name.endsWith('.log'))).toEqual(['00000000000000000010.log']);
  expect(log.append(batch({ count: 2 }), 9)).toMatchObject({ baseOffset: 10 });
  const [first] = splitBatches(await log.read(10, 1000, 12, true));
  expect(first?.baseOffset).toBe(10);
  await log.flush();
  await log.discard();
  const recovery = { cleanShutdown: false, recoveryPoint: 12, logStartOffset: 10 };
  const again = await PartitionLog.open(deps(), log.directory, SMALL, recovery);
  expect([again.logStartOffset, again.logEndOffset]).toEqual([10, 12]);
  await again.close();
});

test('a truncation behind a move of the log start beyond it leaves the log empty (D-3.6, D-9.1)', async () => {
  const log = await filled(BATCHES);
  await Promise.all([log.advanceLogStart(12), log.truncateTo(9)]);
  expect([log.logStartOffset, log.logEndOffset]).toEqual([12, 12]);
  append(log, 4, 9);
  expect(log.logEndOffset).toBe(15);
  await log.close();
});
