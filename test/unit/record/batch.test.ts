import * as fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { COMPRESSION_TYPES, loadCodecs } from '../../../src/codec/compression.ts';
import {
  addToSequence,
  BatchHeader,
  setBaseOffset,
  setLogAppendTime,
  setPartitionLeaderEpoch,
} from '../../../src/record/batch.ts';
import type { NewRecord } from '../../../src/record/builder.ts';
import { buildBatch } from '../../../src/record/builder.ts';
import { decodeRecords, RecordError } from '../../../src/record/record.ts';
import { scanBatch, splitBatches } from '../../../src/record/scan.ts';

beforeAll(loadCodecs);

const bytes = fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array));
const nullable = fc.option(bytes, { nil: null });
const anyRecord: fc.Arbitrary<NewRecord> = fc.record({
  timestamp: fc.oneof(fc.integer({ min: -1, max: 2 ** 31 }), fc.maxSafeNat()),
  key: nullable,
  value: nullable,
  headers: fc.array(fc.record({ key: fc.string({ maxLength: 8 }), value: nullable }), { maxLength: 3 }),
});
const anyRecords = fc.array(anyRecord, { minLength: 1, maxLength: 12 });
const anyCompression = fc.constantFrom(...COMPRESSION_TYPES);

describe('round trip', () => {
  test('any records with any codec', () => {
    fc.assert(
      fc.property(anyRecords, anyCompression, fc.maxSafeNat(), (records, compression, producerId) => {
        const options = {
          compression,
          baseOffset: 1234,
          producerId,
          producerEpoch: 3,
          baseSequence: 7,
          transactional: true,
        };
        const batch = new BatchHeader(buildBatch(records, options));
        expect(batch.computeCrc()).toBe(batch.crc);
        expect(batch.producerId).toBe(producerId);
        expect(batch.isTransactional).toBe(true);
        expect(batch.lastSequence).toBe(7 + records.length - 1);
        expect(batch.maxTimestamp).toBe(Math.max(-1, ...records.map(({ timestamp }) => timestamp)));
        expect(decodeRecords(batch)).toEqual(records.map((record, i) => ({ ...record, offset: 1234 + i })));
      }),
    );
  });

  test('mutated batches never throw anything but RecordError', () => {
    const changes = fc.array(fc.record({ at: fc.nat(), byte: fc.integer({ min: 0, max: 255 }) }), {
      minLength: 1,
      maxLength: 8,
    });
    fc.assert(
      fc.property(anyRecords, anyCompression, changes, fc.nat(), (records, compression, edits, cut) => {
        const damaged = buildBatch(records, { compression });
        for (const { at, byte } of edits) damaged[at % damaged.length] = byte;
        const shorter = cut % 4 === 0 ? damaged.subarray(0, cut % (damaged.length + 1)) : damaged;
        for (const batch of splitBatches(shorter)) {
          try {
            decodeRecords(batch, 1_000_000);
          } catch (error) {
            expect(error).toBeInstanceOf(RecordError);
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  test('a limit on what a batch decompresses to', () => {
    const value = Buffer.alloc(100_000);
    const batch = new BatchHeader(
      buildBatch([{ timestamp: 1, key: null, value, headers: [] }], { compression: 'gzip' }),
    );
    expect(decodeRecords(batch, 101_000)).toHaveLength(1);
    expect(() => decodeRecords(batch, 99_000)).toThrow(RecordError);
  });
});

const three: NewRecord[] = [5, 9, 7].map((timestamp) => ({
  timestamp,
  key: null,
  value: Buffer.from(`at ${timestamp}`),
  headers: [],
}));

describe('setting fields in place', () => {
  test('base offset and leader epoch leave the CRC valid', () => {
    const buffer = Buffer.concat([Buffer.from('before'), buildBatch(three)]);
    setBaseOffset(buffer, 2 ** 40 + 5, 6);
    setPartitionLeaderEpoch(buffer, 77, 6);
    const batch = new BatchHeader(buffer, 6);
    expect(batch.computeCrc()).toBe(batch.crc);
    expect([batch.baseOffset, batch.lastOffset, batch.nextOffset]).toEqual([2 ** 40 + 5, 2 ** 40 + 7, 2 ** 40 + 8]);
    expect(batch.partitionLeaderEpoch).toBe(77);
    expect(decodeRecords(batch).map(({ offset }) => offset - 2 ** 40)).toEqual([5, 6, 7]);
  });

  test('LogAppendTime renews the CRC and counts for every record', () => {
    const buffer = buildBatch(three);
    expect(new BatchHeader(buffer).maxTimestamp).toBe(9);
    setLogAppendTime(buffer, 1_800_000_000_000);
    const batch = new BatchHeader(buffer);
    expect(batch.computeCrc()).toBe(batch.crc);
    expect(batch.timestampType).toBe('LogAppendTime');
    expect(decodeRecords(batch).map(({ timestamp }) => timestamp)).toEqual(Array(3).fill(1_800_000_000_000));
  });

  test('sequences wrap to 0', () => {
    expect(addToSequence(2 ** 31 - 1, 1)).toBe(0);
    expect(addToSequence(2 ** 31 - 3, 5)).toBe(2);
    expect(addToSequence(4, 5)).toBe(9);
  });
});

describe('walking a buffer', () => {
  const one = buildBatch(three, { baseOffset: 10 });
  const two = buildBatch(three, { baseOffset: 13, compression: 'gzip' });
  const both = Buffer.concat([one, two]);

  function walk(buffer: Buffer, start = 0) {
    const offsets: number[] = [];
    const batches = splitBatches(buffer, start);
    for (;;) {
      const next = batches.next();
      if (next.done) return { offsets, stoppedAt: next.value };
      offsets.push(next.value.baseOffset);
    }
  }

  test('whole batches, from any of them', () => {
    expect(walk(both)).toEqual({ offsets: [10, 13], stoppedAt: both.length });
    expect(walk(both, one.length)).toEqual({ offsets: [13], stoppedAt: both.length });
    expect(walk(Buffer.alloc(0))).toEqual({ offsets: [], stoppedAt: 0 });
  });

  test('every cut of the tail is truncated, never malformed', () => {
    for (let length = one.length + 1; length < both.length; length++) {
      expect(walk(both.subarray(0, length))).toEqual({ offsets: [10], stoppedAt: one.length });
      expect(scanBatch(both, one.length, length)).toEqual({ kind: 'truncated' });
    }
  });

  test('another magic or a senseless length is malformed', () => {
    const old = Buffer.from(one);
    old.writeInt8(1, 16);
    expect(scanBatch(old, 0).kind).toBe('malformed');
    const short = Buffer.from(one);
    short.writeInt32BE(48, 8);
    expect(scanBatch(short, 0).kind).toBe('malformed');
    short.writeInt32BE(-1, 8);
    expect(scanBatch(short, 0).kind).toBe('malformed');
  });
});
