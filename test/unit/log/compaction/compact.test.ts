// Compaction of one log on the real disk: which records, batches and segments stay (D-9.4).
import { readdir } from 'node:fs/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { loadCodecs } from '../../../../src/codec/compression.ts';
import type { PartitionLog } from '../../../../src/log/partition-log.ts';
import { decodeRecords } from '../../../../src/record/record.ts';
import { SimWorld } from '../../../prop/log/sim-world.ts';
import { tempFolder } from '../fixture.ts';
import type { Pair } from './fixture.ts';
import { batchesOf, COMPACTED, compact, contentOf, keyed, openLog } from './fixture.ts';

beforeAll(loadCodecs);

/** Fills up what came before, so that it can be compacted: the last batch goes to a segment of its own. */
async function seal(log: PartitionLog): Promise<void> {
  log.append(keyed([['filler', 'x'.repeat(280)]]), 0);
  log.append(keyed([['filler', 'x'.repeat(280)]]), 0);
  await log.flush();
}

async function logOf(...batches: readonly (readonly Pair[])[]): Promise<PartitionLog> {
  const log = await openLog(await tempFolder());
  for (const pairs of batches) log.append(keyed(pairs), 0);
  await seal(log);
  return log;
}

const withoutFiller = (content: readonly string[]) => content.filter((line) => !line.includes('filler'));

describe('records', () => {
  it('of each key the last one stays, at its offset; those without a key go', async () => {
    const log = await logOf(
      [
        ['a', '1'],
        ['b', '1'],
        [null, 'n'],
      ],
      [
        ['a', '2'],
        ['c', '1'],
      ],
      [['b', '2']],
    );
    const result = await compact(log);
    expect(result).toMatchObject({
      kind: 'compacted',
      startOffset: 0,
      endOffset: 7,
      recordsBefore: 7,
      recordsAfter: 4,
    });
    expect(withoutFiller(await contentOf(log))).toEqual(['3 a=2', '4 c=1', '5 b=2']);
    expect(log.logStartOffset).toBe(0);
    expect(log.logEndOffset).toBe(8);
    await log.close();
  });

  it('of the active segment all stay, and what is not committed, not durable or too young', async () => {
    const log = await logOf([['a', '1']], [['a', '2']], [['a', '3']]);
    expect(await compact(log, { endOffset: 2 })).toEqual({ kind: 'nothing' });
    log.updateConfig({ ...COMPACTED, minCompactionLagMs: 5000 });
    expect(await compact(log, { now: 5000 })).toEqual({ kind: 'nothing' });
    expect(await compact(log, { now: 5101 })).toMatchObject({ kind: 'compacted' });
    expect(await contentOf(log)).toHaveLength(3);
    await log.close();
  });

  it.each(['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const)(
    'of a batch with %s what stays is compressed likewise',
    async (compression) => {
      const log = await openLog(await tempFolder());
      const options = { compression, producerId: 5, producerEpoch: 1, baseSequence: 0 };
      log.append(
        keyed(
          [
            ['a', '1'],
            ['b', '1'],
            ['a', '2'],
          ],
          options,
        ),
        3,
      );
      log.append(keyed([['b', '2']], { timestamp: 50 }), 4);
      await log.flush();
      log.append(keyed([['filler', 'x'.repeat(280)]]), 4);
      log.append(keyed([['filler', 'x'.repeat(280)]]), 4);
      await log.flush();
      await compact(log);
      const [first] = await batchesOf(log);
      expect(first?.compression).toBe(compression);
      expect(first?.computeCrc()).toBe(first?.crc);
      const { baseOffset, lastOffset, partitionLeaderEpoch, producerId, producerEpoch, baseSequence, maxTimestamp } =
        first as NonNullable<typeof first>;
      expect({
        baseOffset,
        lastOffset,
        partitionLeaderEpoch,
        producerId,
        producerEpoch,
        baseSequence,
        maxTimestamp,
      }).toEqual({
        baseOffset: 0,
        lastOffset: 2,
        partitionLeaderEpoch: 3,
        producerId: 5,
        producerEpoch: 1,
        baseSequence: 0,
        maxTimestamp: 100,
      });
      expect(withoutFiller(await contentOf(log))).toEqual(['2 a=2', '3 b=2']);
      expect(log.epochs.entries).toEqual([
        { epoch: 3, startOffset: 0 },
        { epoch: 4, startOffset: 3 },
      ]);
      await log.close();
    },
  );
});

describe('tombstones', () => {
  it('stay for delete.retention.ms after they were first left alone, then go', async () => {
    const log = await logOf(
      [
        ['a', '1'],
        ['b', '1'],
      ],
      [['a', null]],
    );
    await compact(log, { now: 10_000 });
    expect(withoutFiller(await contentOf(log))).toEqual(['1 b=1', '2 a=undefined']);
    const horizons = (await batchesOf(log)).map((batch) => batch.deleteHorizonMs);
    expect(horizons).toContain(11_000);
    const tombstone = (await batchesOf(log)).find((batch) => batch.deleteHorizonMs !== undefined);
    expect(tombstone && decodeRecords(tombstone)[0]?.timestamp).toBe(100);

    await seal(log);
    await compact(log, { now: 10_999 });
    expect(withoutFiller(await contentOf(log))).toEqual(['1 b=1', '2 a=undefined']);
    await seal(log);
    await compact(log, { now: 11_000 });
    expect(withoutFiller(await contentOf(log))).toEqual(['1 b=1']);
    await log.close();
  });
});

describe('batches', () => {
  it('the last one of a producer stays without records: its sequence goes on', async () => {
    const directory = await tempFolder();
    const log = await openLog(directory);
    const producer = { producerId: 9, producerEpoch: 2 };
    log.append(keyed([['a', '1']], { ...producer, baseSequence: 0 }), 0);
    log.append(keyed([['a', '2']], { ...producer, baseSequence: 1 }), 0);
    log.append(keyed([['a', '3']]), 0);
    await seal(log);
    await compact(log);
    const empty = (await batchesOf(log)).filter((batch) => batch.recordsCount === 0);
    expect(empty.map(({ lastOffset, producerId, lastSequence }) => ({ lastOffset, producerId, lastSequence }))).toEqual(
      [{ lastOffset: 1, producerId: 9, lastSequence: 1 }],
    );
    await log.close();
  });

  it.each([
    ['in its epoch', { producerEpoch: 2, baseSequence: 1 }],
    ['in a new epoch', { producerEpoch: 3, baseSequence: 0 }],
  ])('the last committed one stays too: what follows it %s may be truncated', async (_, next) => {
    const directory = await tempFolder();
    const log = await openLog(directory);
    log.append(keyed([['a', '1']], { producerId: 9, producerEpoch: 2, baseSequence: 0 }), 0);
    log.append(keyed([['a', '2']]), 0);
    await seal(log);
    const endOffset = log.logEndOffset;
    log.append(keyed([['b', '1']], { producerId: 9, ...next }), 0);
    await compact(log, { endOffset });
    await log.truncateTo(endOffset);
    expect(log.producers.get(9)).toMatchObject({ epoch: 2, batches: [{ lastSequence: 0, lastOffset: 0 }] });
    await log.close();
  });

  it('control batches stay, and records of transactions that only such records follow', async () => {
    const log = await openLog(await tempFolder());
    const transaction = { producerId: 9, producerEpoch: 0, transactional: true };
    log.append(
      keyed([
        ['a', '1'],
        ['b', '1'],
      ]),
      0,
    );
    log.append(
      keyed(
        [
          ['a', '2'],
          ['c', '2'],
        ],
        { ...transaction, baseSequence: 0 },
      ),
      0,
    );
    const marker = { ...transaction, control: true, baseOffset: 4, partitionLeaderEpoch: 0 };
    log.appendAsFollower(keyed([['\0\0\0\0', '\0\0\0\0\0\0']], marker));
    log.append(
      keyed([
        ['c', '3'],
        ['b', '3'],
      ]),
      0,
    );
    await seal(log);
    await compact(log);
    const controls = (await batchesOf(log)).filter((batch) => batch.isControl);
    expect(controls.map((batch) => [batch.baseOffset, batch.recordsCount])).toEqual([[4, 1]]);
    const content = withoutFiller(await contentOf(log)).filter((line) => !line.startsWith('4 '));
    expect(content).toEqual(['0 a=1', '2 a=2', '5 c=3', '6 b=3']);
    await log.close();
  });
});

describe('segments', () => {
  it('that became small are merged, follow each other without holes, and leave no other file', async () => {
    const directory = await tempFolder();
    const log = await openLog(directory, { ...COMPACTED, fileDeleteDelayMs: 0 });
    for (let i = 0; i < 30; i++) log.append(keyed([['k', `${i} ${'x'.repeat(180)}`]]), 0);
    await log.flush();
    const before = (await readdir(directory)).filter((name) => name.endsWith('.log')).length;
    await compact(log);
    expect(before).toBe(30);
    log.append(keyed([['k', 'x'.repeat(250)]]), 0);
    await log.flush();
    await compact(log);
    expect(withoutFiller(await contentOf(log))).toHaveLength(2);
    const batches = await batchesOf(log);
    expect(batches.at(-1)?.nextOffset).toBe(31);
    await log.close();
    const names = await readdir(directory);
    expect(names.filter((name) => name.endsWith('.log')).length).toBeLessThan(16);
    expect(names.filter((name) => /\.(cleaned|swap|deleted)$/.test(name))).toEqual([]);

    const again = await openLog(directory);
    expect(await contentOf(again)).toHaveLength(2);
    expect(again.logStartOffset).toBe(0);
    await again.close();
  });

  it('if the keys do not fit the log is compacted as far as they do, and the next run goes on from there', async () => {
    const log = await openLog(await tempFolder());
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < 20; i++) log.append(keyed([[`k${i}`, `${round}`]]), 0);
    }
    await seal(log);
    const first = await compact(log, { mapBytes: 24 * 12 });
    expect(first).toMatchObject({ kind: 'compacted', startOffset: 0, endOffset: 10, keys: 10 });
    for (let runs = 0; runs < 20; runs++) if ((await compact(log, { mapBytes: 24 * 12 })).kind === 'nothing') break;
    const last = await compact(log);
    expect(last).toEqual({ kind: 'nothing' });
    const content = withoutFiller(await contentOf(log));
    expect(content).toEqual(Array.from({ length: 20 }, (_, i) => `${40 + i} k${i}=2`));
    await log.close();
  });
});

describe('a truncation or a close', () => {
  it.each(['truncate', 'close'] as const)('meanwhile ends the run and leaves nothing half done: %s', async (what) => {
    const directory = await tempFolder();
    const log = await openLog(directory);
    for (let i = 0; i < 40; i++) log.append(keyed([['k', `${i} ${'x'.repeat(60)}`]]), 0);
    await log.flush();
    let steps = 0;
    let done: Promise<void> | undefined;
    const result = await compact(log, {
      throttle: () => {
        steps += 1;
        if (steps === 5) done = what === 'truncate' ? log.truncateTo(35) : log.close();
        return done;
      },
    });
    expect(result).toEqual({ kind: 'aborted' });
    await log.close();
    const names = await readdir(directory);
    expect(names.filter((name) => /\.(cleaned|swap)$/.test(name))).toEqual([]);
    const again = await openLog(directory);
    expect((await contentOf(again)).at(-1)).toMatch(what === 'truncate' ? /^34 k=34/ : /^39 k=39/);
    await again.close();
  });

  it('at any moment ends the run, and what it read meanwhile is not taken for damage', async () => {
    for (let steps = 0; steps < 60; steps++) {
      const world = new SimWorld(steps);
      const clean = { cleanShutdown: true, recoveryPoint: 0 };
      const log = await world.finish(openLog('/data/t-0', COMPACTED, clean, world.deps()));
      for (let i = 0; i < 12; i++) log.append(keyed([['a', 'x'.repeat(100)]]), 0);
      await world.finish(log.flush());
      const looking = log.dirtyPart(12, 10_000);
      const compacting = compact(log);
      await world.pump(steps);
      await world.finish(log.truncateTo(1));
      expect(await world.finish(compacting)).toEqual({ kind: 'aborted' });
      await world.finish(looking);
      await world.finish(log.close());
    }
  });
});
