// Batches without some of their records: what is left is what was there, in the old places.
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import type { CompressionType } from '../../../src/codec/compression.ts';
import { COMPRESSION_TYPES, decompress, loadCodecs } from '../../../src/codec/compression.ts';
import { BATCH_HEADER_BYTES, BatchHeader } from '../../../src/record/batch.ts';
import type { NewRecord } from '../../../src/record/builder.ts';
import { buildBatch } from '../../../src/record/builder.ts';
import { RecordCursor } from '../../../src/record/cursor.ts';
import { decodeRecords, RecordError } from '../../../src/record/record.ts';
import { emptiedBatch, retainRecords } from '../../../src/record/retain.ts';

beforeAll(loadCodecs);

const bytesOrNull = fc.option(
  fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
  { nil: null },
);
const record: fc.Arbitrary<NewRecord> = fc.record({
  timestamp: fc.oneof(fc.integer({ min: -1, max: 5000 }), fc.integer({ min: 0, max: 2 ** 45 })),
  key: bytesOrNull,
  value: bytesOrNull,
  headers: fc.array(fc.record({ key: fc.string({ maxLength: 5 }), value: bytesOrNull }), { maxLength: 2 }),
});

function contentOf(batch: BatchHeader): Buffer {
  return decompress(batch.compression as CompressionType, batch.recordBytes, 1 << 20);
}

describe('retainRecords', () => {
  it('keeps the chosen records with offsets, times and contents, and every field of the batch but what follows from them', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(record, fc.boolean()), { minLength: 1, maxLength: 8 }),
        fc.constantFrom(...COMPRESSION_TYPES),
        fc.constantFrom('CreateTime' as const, 'LogAppendTime' as const),
        fc.option(fc.integer({ min: 0, max: 2 ** 44 }), { nil: undefined }),
        (chosen, compression, timestampType, deleteHorizonMs) => {
          fc.pre(chosen.some(([, keep]) => keep));
          const bytes = buildBatch(
            chosen.map(([each]) => each),
            {
              compression,
              timestampType,
              ...(timestampType === 'LogAppendTime' ? { maxTimestamp: 777 } : {}),
              baseOffset: 2 ** 40,
              partitionLeaderEpoch: 7,
              producerId: 12,
              producerEpoch: 3,
              baseSequence: 99,
              transactional: true,
            },
          );
          const batch = new BatchHeader(Buffer.concat([Buffer.alloc(5), bytes]), 5);
          const content = contentOf(batch);
          const keep = Uint8Array.from(chosen, ([, kept]) => (kept ? 1 : 0));
          const slice = { content, start: 0, end: content.length };
          const left = new BatchHeader(retainRecords(batch, { ...slice, keep, deleteHorizonMs }));

          const expected = decodeRecords(batch).filter((_, i) => chosen[i]?.[1]);
          expect(decodeRecords(left)).toEqual(expected);
          expect(left.computeCrc()).toBe(left.crc);
          expect(left.sizeInBytes).toBe(left.buffer.length);
          expect(left.deleteHorizonMs).toBe(deleteHorizonMs);
          expect(left.maxTimestamp).toBe(
            timestampType === 'LogAppendTime' ? 777 : Math.max(...expected.map(({ timestamp }) => timestamp)),
          );
          for (const field of [
            'baseOffset',
            'lastOffset',
            'partitionLeaderEpoch',
            'producerId',
            'producerEpoch',
            'baseSequence',
            'lastSequence',
            'compression',
            'timestampType',
            'isTransactional',
            'isControl',
          ] as const) {
            expect([field, left[field]]).toEqual([field, batch[field]]);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('leaves a delete horizon that is set already as it is', () => {
    const records = [1, 2, 3].map((n) => ({ timestamp: n * 1000, key: Buffer.from([n]), value: null, headers: [] }));
    const first = new BatchHeader(buildBatch(records, { baseOffset: 10 }));
    const whole = { content: first.buffer, start: BATCH_HEADER_BYTES, end: first.end };
    const keep = Uint8Array.of(1, 1, 1);
    const second = new BatchHeader(retainRecords(first, { ...whole, keep, deleteHorizonMs: 500_000 }));
    const again = { content: second.buffer, start: BATCH_HEADER_BYTES, end: second.end };
    const third = new BatchHeader(
      retainRecords(second, { ...again, keep: Uint8Array.of(0, 1, 0), deleteHorizonMs: undefined }),
    );
    expect(third.deleteHorizonMs).toBe(500_000);
    expect(decodeRecords(third).map(({ offset, timestamp }) => [offset, timestamp])).toEqual([[11, 2000]]);
  });
});

describe('emptiedBatch', () => {
  it('has no records, and still says which offsets, epoch and sequences there were', () => {
    const records = [1, 2].map((n) => ({ timestamp: n, key: Buffer.from([n]), value: null, headers: [] }));
    const options = { compression: 'gzip', baseOffset: 10, producerId: 4, producerEpoch: 1, baseSequence: 6 } as const;
    const batch = new BatchHeader(buildBatch(records, { ...options, partitionLeaderEpoch: 9 }));
    const left = new BatchHeader(emptiedBatch(batch));
    expect(left.sizeInBytes).toBe(BATCH_HEADER_BYTES);
    expect(left.computeCrc()).toBe(left.crc);
    expect(decodeRecords(left)).toEqual([]);
    const { lastOffset, lastSequence, partitionLeaderEpoch, maxTimestamp, compression } = left;
    expect({ lastOffset, lastSequence, partitionLeaderEpoch, maxTimestamp, compression }).toEqual({
      lastOffset: 11,
      lastSequence: 7,
      partitionLeaderEpoch: 9,
      maxTimestamp: 2,
      compression: 'none',
    });
  });
});

describe('RecordCursor', () => {
  it('meets the records that decodeRecords finds', () => {
    fc.assert(
      fc.property(fc.array(record, { minLength: 1, maxLength: 6 }), (records) => {
        const batch = new BatchHeader(buildBatch(records, { baseOffset: 100 }));
        const cursor = new RecordCursor();
        cursor.open(batch.buffer, BATCH_HEADER_BYTES, batch.end, records.length, 100);
        for (const known of decodeRecords(batch)) {
          expect(cursor.next()).toBe(true);
          expect(cursor.offset).toBe(known.offset);
          expect(batch.baseTimestamp + cursor.timestampDelta()).toBe(known.timestamp);
          expect(cursor.hasValue).toBe(known.value !== null);
          const key = cursor.keyStart < 0 ? null : batch.buffer.subarray(cursor.keyStart, cursor.keyEnd);
          expect(key).toEqual(known.key);
        }
        expect(cursor.next()).toBe(false);
      }),
    );
  });

  it('of any bytes says RecordError at worst', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.integer({ min: 0, max: 5 }), (bytes, count) => {
        const cursor = new RecordCursor();
        cursor.open(bytes, 0, bytes.length, count, 0);
        try {
          for (let steps = 0; cursor.next(); steps++) {
            expect(cursor.end).toBeLessThanOrEqual(bytes.length);
            expect(cursor.keyEnd).toBeLessThanOrEqual(cursor.end);
            expect(cursor.offsetAt).toBeLessThanOrEqual(cursor.end);
            expect(steps).toBeLessThan(count);
          }
        } catch (error) {
          expect(error).toBeInstanceOf(RecordError);
        }
      }),
      { numRuns: 2000 },
    );
  });
});
