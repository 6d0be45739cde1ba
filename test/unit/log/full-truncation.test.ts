import { readdir } from 'node:fs/promises';
import { expect, test } from 'vitest';
import type { Offset } from '../../../src/base/ids.ts';
import type { Disk } from '../../../src/env/disk.ts';
import { EnvError } from '../../../src/env/error.ts';
import type { LogDeps } from '../../../src/log/log-state.ts';
import { PartitionLog } from '../../../src/log/partition-log.ts';
import { splitBatches } from '../../../src/record/scan.ts';
import { batch, CONFIG, deps, tempFolder } from './fixture.ts';

const SMALL = { ...CONFIG, segmentBytes: 400, indexIntervalBytes: 100, fileDeleteDelayMs: 0 };
const UNCLEAN = { cleanShutdown: false, recoveryPoint: 0 };

/** A log of six batches in three segments, of epochs 0 to 2, and where it was noted to start. */
async function filled(world: LogDeps = deps()) {
  const folder = await tempFolder();
  const noted = { logStartOffset: 0 };
  const log = await PartitionLog.open(world, folder, SMALL, UNCLEAN, {
    beforeTruncation: () => Promise.resolve(),
    noteFirstDirty: () => Promise.resolve(),
    noteLogStart: (offset) => {
      noted.logStartOffset = offset;
      return Promise.resolve();
    },
    lowerLogStart: (offset) => {
      noted.logStartOffset = offset;
      return Promise.resolve();
    },
  });
  await log.warm();
  for (let i = 0; i < 6; i++) {
    log.append(batch({ bytes: 90, producerId: 5, producerEpoch: 0, baseSequence: i }), Math.floor(i / 2));
  }
  await log.flush();
  return { folder, log, noted };
}

function offsets(bytes: Buffer): number[] {
  return [...splitBatches(bytes)].map(({ baseOffset }) => baseOffset);
}

test.each([6, 40])('D-3.8 a log that begins anew at %i is empty there, and goes on', async (start) => {
  const { folder, log, noted } = await filled();
  const reading = log.read(2, 1000, 6, true);
  await log.truncateFullyAndStartAt(start);
  expect(await reading.then(offsets)).toEqual(expect.not.arrayContaining([0, 1, 4, 5]));
  expect([log.logStartOffset, log.flushedEndOffset, log.logEndOffset]).toEqual([start, start, start]);
  expect([log.epochs.entries, log.producers.size, noted.logStartOffset]).toEqual([[], 0, start]);
  expect(log.append(batch({ producerId: 5, producerEpoch: 0, baseSequence: 77 }), 7)).toMatchObject({
    baseOffset: start,
  });
  await log.flush();
  await log.close();
  expect((await readdir(folder)).filter((name) => /^0*[0-5]\.|deleted$/.test(name))).toEqual([]);
  const again = await PartitionLog.open(deps(), folder, SMALL, { ...UNCLEAN, logStartOffset: start });
  expect(offsets(await again.read(start, 1000, start + 1, true))).toEqual([start]);
  expect(again.epochs.entries).toEqual([{ epoch: 7, startOffset: start }]);
  await again.close();
});

test('D-3.8 an empty log may begin anew where it is, or further on', async () => {
  const log = await PartitionLog.open(deps(), await tempFolder(), SMALL, UNCLEAN);
  for (const start of [0, 12, 12, 30]) {
    await log.truncateFullyAndStartAt(start);
    expect([log.logStartOffset, log.logEndOffset]).toEqual([start, start]);
  }
  await log.warm();
  expect(log.append(batch(), 1)).toMatchObject({ baseOffset: 30 });
  await log.close();
});

/** Every state that a start finds after a step of the disk failed: start, end, number of epochs. */
async function outcomesOf(before: Offset, startOffset: Offset): Promise<string[]> {
  const outcomes = new Set<string>();
  for (let failing = 1; ; failing++) {
    let steps = Number.NEGATIVE_INFINITY;
    const real = deps().disk;
    const disk = new Proxy(real, {
      get(target, name) {
        const value = target[name as keyof Disk] as (...args: unknown[]) => unknown;
        if (typeof value !== 'function') return value;
        return (...args: unknown[]) => {
          if (++steps === failing) throw new EnvError('IO', `step ${failing} fails`);
          return value.apply(target, args);
        };
      },
    });
    const { folder, log, noted } = await filled({ ...deps(), disk });
    if (before > 0) await log.advanceLogStart(before);
    steps = 0;
    const failed = await log.truncateFullyAndStartAt(startOffset).then(
      () => false,
      () => true,
    );
    steps = Number.NEGATIVE_INFINITY;
    if (failed) expect(log.failure?.message).toBe(`step ${failing} fails`);
    await log.discard();
    const again = await PartitionLog.open(deps(), folder, SMALL, { ...UNCLEAN, ...noted });
    outcomes.add([again.logStartOffset, again.logEndOffset, again.epochs.entries.length].join());
    await again.close();
    if (!failed) return [...outcomes].sort();
  }
}

test('D-3.8 whatever step of the disk fails, a start finds the old log or the new one, and the epochs of it', async () => {
  expect(await outcomesOf(0, 40)).toEqual(['0,6,3', '40,40,0']);
});

test('D-3.8 further down it finds the old log, or an empty one at its end or at the new start', async () => {
  const outcomes = await outcomesOf(4, 2);
  expect(outcomes).toEqual(expect.arrayContaining(['2,2,0', '4,6,1']));
  // Which step fails at its end depends on files that are being removed meanwhile.
  expect(['2,2,0', '4,6,1', '6,6,0']).toEqual(expect.arrayContaining(outcomes));
});

test.each([2, 0])('D-3.8 a log that starts at 4 may begin anew at %i, below its start', async (start) => {
  const { folder, log, noted } = await filled();
  await log.advanceLogStart(4);
  await log.truncateFullyAndStartAt(start);
  expect([log.logStartOffset, log.flushedEndOffset, log.logEndOffset]).toEqual([start, start, start]);
  expect([log.epochs.entries, log.producers.size, noted.logStartOffset]).toEqual([[], 0, start]);
  log.append(batch({ producerId: 5, producerEpoch: 0, baseSequence: 77 }), 7);
  await log.flush();
  await log.close();
  const again = await PartitionLog.open(deps(), folder, SMALL, { ...UNCLEAN, logStartOffset: start });
  expect([again.logStartOffset, again.logEndOffset]).toEqual([start, start + 1]);
  expect(offsets(await again.read(start, 1000, start + 1, true))).toEqual([start]);
  await again.close();
});
