// Partition folders that Kafka's own log classes wrote are logs of ours: after a clean stop as they are, after an unclean one
// through recovery, which derives anew what Kafka had derived.
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { loadCodecs } from '../../../src/codec/compression.ts';
import { PartitionLog } from '../../../src/log/partition-log.ts';
import { readProducerSnapshot } from '../../../src/log/producer-snapshot.ts';
import { ProducerStates } from '../../../src/log/producer-states.ts';
import { BatchHeader } from '../../../src/record/batch.ts';
import type { KafkaRecord } from '../../../src/record/record.ts';
import { decodeRecords } from '../../../src/record/record.ts';
import { splitBatches } from '../../../src/record/scan.ts';
import { batch, CONFIG, deps } from './fixture.ts';
import type { GoldenBatch, GoldenRecord } from './golden-folders.ts';
import { findings, golden, goldenBatches, goldenCopy, problemsIn } from './golden-folders.ts';

beforeAll(loadCodecs);

/** Every folder, with what Kafka reads in it and its end. */
const FOLDERS = [
  { folder: 'mixed-0', name: 'mixed', logEndOffset: 298 },
  { folder: 'mixed-unclean-0', name: 'mixed', logEndOffset: 298 },
  { folder: 'compacted-1', name: 'compacted', logEndOffset: 125 },
] as const;

const CASES = FOLDERS.flatMap((it) => [
  { ...it, how: 'clean', recoveryPoint: it.logEndOffset },
  { ...it, how: 'unclean, known to be durable', recoveryPoint: it.logEndOffset },
  { ...it, how: 'unclean', recoveryPoint: 0 },
  // Kafka notes the base of the active segment after a roll.
  { ...it, how: 'unclean, durable up to the last segment', recoveryPoint: it.name === 'mixed' ? 218 : 113 },
]).filter(({ folder, how }) => how !== 'clean' || folder !== 'mixed-unclean-0');

function open(folder: string, { how, recoveryPoint }: { how: string; recoveryPoint: number }): Promise<PartitionLog> {
  return PartitionLog.open(deps(), folder, CONFIG, { cleanShutdown: how === 'clean', recoveryPoint });
}

/** Everything in the log, read in pieces. */
async function batchesIn(log: PartitionLog, maxBytes: number): Promise<BatchHeader[]> {
  const found: BatchHeader[] = [];
  for (let offset = log.logStartOffset; offset < log.logEndOffset; ) {
    const bytes = await log.read(offset, maxBytes, log.logEndOffset, true);
    const batches = [...splitBatches(bytes)];
    if (batches.length === 0) break;
    found.push(...batches);
    offset = batches.at(-1)?.nextOffset ?? Number.NaN;
  }
  return found;
}

function recordOf({ offset, timestamp, key, value, headers }: KafkaRecord): GoldenRecord {
  const hex = (bytes: Buffer | null): string | null => bytes?.toString('hex') ?? null;
  return { offset, timestamp, key: hex(key), value: hex(value), headers: headers.map((it) => [it.key, hex(it.value)]) };
}

function fieldsOf(header: BatchHeader): Partial<GoldenBatch> {
  const { baseOffset, lastOffset, recordsCount, crc, maxTimestamp, producerId, producerEpoch, sizeInBytes } = header;
  const leaderEpoch = header.partitionLeaderEpoch;
  const records = decodeRecords(header).map(recordOf);
  return {
    baseOffset,
    lastOffset,
    recordsCount,
    crc,
    maxTimestamp,
    producerId,
    producerEpoch,
    sizeInBytes,
    leaderEpoch,
    records,
  };
}

describe.for(CASES)('$folder, $how', (one) => {
  const expected = goldenBatches(one.name);

  test('every batch and record is read as Kafka reads it', async () => {
    const log = await open(await goldenCopy(one.folder), one);
    expect([log.logStartOffset, log.logEndOffset]).toEqual([0, one.logEndOffset]);
    for (const maxBytes of [1, 1000, 1 << 20]) {
      const found = await batchesIn(log, maxBytes);
      expect(found.length).toBe(expected.length);
      for (const [i, header] of found.entries()) expect(expected[i]).toMatchObject(fieldsOf(header));
    }
    // By every offset, also those that compaction took.
    for (let offset = 0; offset < one.logEndOffset; offset++) {
      const holder = expected.find(({ lastOffset }) => lastOffset >= offset);
      const found = await log.read(offset, 1, log.logEndOffset, true);
      expect(new BatchHeader(found).baseOffset, `offset ${offset}`).toBe(holder?.baseOffset);
    }
    await log.discard();
  });

  test('times lead to the first record that is not older', async () => {
    const log = await open(await goldenCopy(one.folder), one);
    const records = expected.filter(({ isControl }) => !isControl).flatMap((it) => it.records);
    for (const { timestamp } of records.filter((_, i) => i % 5 === 0)) {
      const all = expected.flatMap((it) => it.records);
      const first = all.find((it) => it.timestamp >= timestamp);
      expect(await log.offsetForTimestamp(timestamp, log.logEndOffset)).toMatchObject({ offset: first?.offset });
    }
    await log.discard();
  });

  test('producers and epochs are those that Kafka noted', async () => {
    const log = await open(await goldenCopy(one.folder), one);
    await log.warm();
    const snapshot = readProducerSnapshot(
      readFileSync(
        golden(one.name === 'mixed' ? 'mixed-0' : one.folder, `${String(one.logEndOffset).padStart(20, '0')}.snapshot`),
      ),
    );
    if (typeof snapshot === 'string') throw new Error(snapshot);
    for (const theirs of snapshot.producers) {
      const ours = log.producers.get(theirs.producerId);
      expect(ours).toMatchObject({ epoch: theirs.epoch, lastTimestamp: theirs.lastTimestamp });
      // Where compaction took the batches of a producer, nobody knows them who has no snapshot.
      const last = ours?.batches.at(-1);
      if (last !== undefined)
        expect(theirs.batches).toMatchObject([{ lastSequence: last.lastSequence, lastOffset: last.lastOffset }]);
    }
    expect(log.producers.size).toBe(snapshot.producers.length);
    expect(log.epochs.entries.at(-1)?.epoch).toBe(one.name === 'mixed' ? 5 : 2);
    expect(log.epochs.epochOf(one.logEndOffset - 1)).toBe(one.name === 'mixed' ? 5 : 2);
    await log.discard();
  });

  test('it goes on, and is whole after the next clean stop', async () => {
    const folder = await goldenCopy(one.folder);
    const log = await open(folder, one);
    await log.warm();
    expect(log.append(batch({ count: 2, producerId: 4242, producerEpoch: 7, baseSequence: 0 }), 9)).toMatchObject({
      kind: 'appended',
      baseOffset: one.logEndOffset,
    });
    await log.close();
    expect(problemsIn(await findings(folder))).toEqual([]);
    const again = await open(folder, { how: 'clean', recoveryPoint: one.logEndOffset + 2 });
    expect((await batchesIn(again, 1000)).length).toBe(expected.length + 1);
    await again.discard();
  });
});

test('without their index files and snapshots the logs are the same', async () => {
  for (const { folder, name, logEndOffset } of FOLDERS) {
    const copy = await goldenCopy(folder);
    for (const file of readdirSync(copy)) if (/index$|snapshot$|checkpoint$/.test(file)) rmSync(join(copy, file));
    const log = await open(copy, { how: 'unclean', recoveryPoint: logEndOffset });
    expect((await batchesIn(log, 1 << 20)).length).toBe(goldenBatches(name).length);
    await log.close();
    expect(problemsIn(await findings(copy))).toEqual([]);
  }
});

test('a snapshot without a trailer is a state of producers', () => {
  const snapshot = readProducerSnapshot(readFileSync(golden('mixed-0', '00000000000000000298.snapshot')));
  if (typeof snapshot === 'string') throw new Error(snapshot);
  const producers = new ProducerStates();
  for (const state of snapshot.producers) producers.restore(state);
  expect(producers.get(5001)).toMatchObject({ currentTxnFirstOffset: 217, coordinatorEpoch: 7 });
  const next = new BatchHeader(batch({ count: 1, producerId: 4242, producerEpoch: 2, baseSequence: 40 }));
  expect(producers.check(next)).toEqual({ kind: 'ok' });
  const repeated = new BatchHeader(batch({ count: 20, producerId: 4242, producerEpoch: 2, baseSequence: 20 }));
  expect(producers.check(repeated)).toMatchObject({ kind: 'duplicate', batch: { firstOffset: 278, lastOffset: 297 } });
});
