import * as fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { loadCodecs } from '../../../src/codec/compression.ts';
import { ATTRIBUTES_AT, BatchHeader, CRC_AT, RECORDS_COUNT_AT } from '../../../src/record/batch.ts';
import type { BatchOptions, NewRecord } from '../../../src/record/builder.ts';
import { buildBatch } from '../../../src/record/builder.ts';
import { RecordError, recordContent } from '../../../src/record/record.ts';
import type { RecordRules } from '../../../src/record/validate.ts';
import { validateBatch, validateRecords } from '../../../src/record/validate.ts';

beforeAll(loadCodecs);

function record(timestamp: number, key: string | null = 'k'): NewRecord {
  return { timestamp, key: key === null ? null : Buffer.from(key), value: Buffer.from('value'), headers: [] };
}

const records = [record(100), record(300), record(200)];
const idempotent: BatchOptions = { producerId: 4, producerEpoch: 0, baseSequence: 0 };
const LIMIT = 1000;

/** The batch after `edit`, with a CRC that fits. */
function edited(edit: (batch: Buffer) => void, options: BatchOptions = idempotent): Buffer {
  const batch = buildBatch(records, options);
  edit(batch);
  batch.writeUInt32BE(new BatchHeader(batch).computeCrc(), CRC_AT);
  return batch;
}

/** A batch that says that it has so many records. */
function counted(count: number, options: BatchOptions = {}): Buffer {
  return edited((batch) => batch.writeInt32BE(count, RECORDS_COUNT_AT), { ...options, lastOffsetDelta: count - 1 });
}

describe('validateBatch', () => {
  test('takes what producers send', () => {
    expect(validateBatch(buildBatch(records), LIMIT)).toBeUndefined();
    expect(validateBatch(buildBatch(records, idempotent), LIMIT)).toBeUndefined();
    expect(
      validateBatch(buildBatch(records, { ...idempotent, transactional: true, compression: 'zstd' }), LIMIT),
    ).toBeUndefined();
    expect(validateBatch(buildBatch([record(-1)]), LIMIT)).toBeUndefined();
    // The leader sets both: what is in them does not matter.
    expect(validateBatch(buildBatch(records, { baseOffset: 99, partitionLeaderEpoch: 7 }), LIMIT)).toBeUndefined();
  });

  test.each<[string, Buffer, string]>([
    ['nothing', Buffer.alloc(0), 'INVALID_RECORD'],
    ['two batches', Buffer.concat([buildBatch(records), buildBatch(records)]), 'INVALID_RECORD'],
    ['half a batch', buildBatch(records).subarray(0, 70), 'CORRUPT_MESSAGE'],
    ['a flipped bit', flipped(buildBatch(records)), 'CORRUPT_MESSAGE'],
    ['an old magic', edited((batch) => batch.writeInt8(1, 16)), 'INVALID_RECORD'],
    ['a control batch', buildBatch(records, { ...idempotent, control: true }), 'INVALID_RECORD'],
    ['an unknown codec', edited((batch) => batch.writeInt16BE(5, ATTRIBUTES_AT)), 'UNSUPPORTED_COMPRESSION_TYPE'],
    ['a delete horizon', edited((batch) => batch.writeInt16BE(0x40, ATTRIBUTES_AT)), 'INVALID_RECORD'],
    ['LogAppendTime', buildBatch(records, { timestampType: 'LogAppendTime', maxTimestamp: 1 }), 'INVALID_TIMESTAMP'],
    ['no records', buildBatch([]), 'INVALID_RECORD'],
    ['a hole in its offsets', buildBatch(records, { lastOffsetDelta: 5 }), 'INVALID_RECORD'],
    ['fewer offsets than records', buildBatch(records, { lastOffsetDelta: 1 }), 'INVALID_RECORD'],
    ['more records than its bytes can be', counted(0x7fff_ffff), 'INVALID_RECORD'],
    ['as many, compressed', counted(0x7fff_ffff, { compression: 'gzip' }), 'INVALID_RECORD'],
    ['a producer id without sequence', buildBatch(records, { producerId: 4, producerEpoch: 0 }), 'INVALID_RECORD'],
    ['a producer id without epoch', buildBatch(records, { producerId: 4, baseSequence: 0 }), 'INVALID_RECORD'],
    ['a negative producer id', buildBatch(records, { ...idempotent, producerId: -2 }), 'INVALID_RECORD'],
    ['a transaction without producer', buildBatch(records, { transactional: true }), 'INVALID_RECORD'],
    ['a negative timestamp', buildBatch([record(-5)]), 'INVALID_TIMESTAMP'],
    ['too many bytes', buildBatch([{ ...record(1), value: Buffer.alloc(LIMIT) }]), 'MESSAGE_TOO_LARGE'],
  ])('refuses %s', (_what, bytes, error) => {
    expect(validateBatch(bytes, LIMIT)?.error).toBe(error);
  });

  test('the size limit is on the stored batch, inclusive', () => {
    const batch = buildBatch(records);
    expect(validateBatch(batch, batch.length)).toBeUndefined();
    expect(validateBatch(batch, batch.length - 1)?.error).toBe('MESSAGE_TOO_LARGE');
  });

  test('any bytes get an answer, never a throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(validateBatch(Buffer.from(bytes), LIMIT)).toBeDefined();
      }),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { minLength: 1, maxLength: 5 }), (edits) => {
        const batch = edited((buffer) => {
          for (const [at, byte] of edits) if (at >= 12 && at < buffer.length) buffer[at] = byte;
        });
        if (validateBatch(batch, LIMIT) === undefined) {
          expect(Number.isSafeInteger(new BatchHeader(batch).producerId)).toBe(true);
          checkRecords(batch, {});
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe('validateRecords', () => {
  test.each(['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const)('takes a sound batch, %s', (compression) => {
    expect(checkRecords(buildBatch(records, { compression }), {})).toBeUndefined();
  });

  test('names the records without a key', () => {
    const batch = buildBatch([record(1), record(2, null), record(3), record(4, null)]);
    expect(checkRecords(batch, {})).toBeUndefined();
    const refusal = checkRecords(batch, { keysRequired: true });
    expect(refusal?.error).toBe('INVALID_RECORD');
    expect(refusal?.records?.map(({ index }) => index)).toEqual([1, 3]);
  });

  test('names the records out of the time range', () => {
    const batch = buildBatch([record(5), record(-1), record(50)]);
    const refusal = checkRecords(batch, { oldestTimestamp: 5, newestTimestamp: 49 });
    expect(refusal?.error).toBe('INVALID_TIMESTAMP');
    expect(refusal?.records?.map(({ index }) => index)).toEqual([2]);
  });

  test('offsets that are not contiguous', () => {
    // The offset delta of the second record: after the first record, a length, attributes and a timestamp delta of 2 bytes.
    const batch = edited((buffer) => {
      const second = 61 + 1 + (buffer.readUInt8(61) >>> 1);
      expect(buffer.readUInt8(second + 4)).toBe(2);
      buffer.writeUInt8(4, second + 4);
    });
    expect(validateBatch(batch, LIMIT)).toBeUndefined();
    expect(checkRecords(batch, {})?.records?.map(({ index }) => index)).toEqual([1]);
  });

  test('a count that is not that of the records', () => {
    for (const count of [2, 4]) {
      const batch = edited((buffer) => {
        buffer.writeInt32BE(count, 57);
        buffer.writeInt32BE(count - 1, 23);
      });
      expect(validateBatch(batch, LIMIT)).toBeUndefined();
      expect(checkRecords(batch, {})?.error).toBe('INVALID_RECORD');
    }
  });
});

function flipped(batch: Buffer): Buffer {
  batch.writeUInt8(batch.readUInt8(batch.length - 1) ^ 1, batch.length - 1);
  return batch;
}

function checkRecords(bytes: Buffer, rules: RecordRules) {
  const batch = new BatchHeader(bytes);
  try {
    return validateRecords(batch, recordContent(batch, 100_000), rules);
  } catch (error) {
    if (error instanceof RecordError) return { error: 'INVALID_RECORD', records: [] };
    throw error;
  }
}
