// D-7.1: what topic configs ask of a batch before it is appended.
import { beforeAll, describe, expect, test } from 'vitest';
import { loadCodecs } from '../../../src/codec/compression.ts';
import { NO_OVERRIDES } from '../../../src/config/in-force.ts';
import { topicDefaults } from '../../../src/config/topic-config.ts';
import { ATTRIBUTES_AT, BatchHeader, CRC_AT, MAX_TIMESTAMP_AT, setInt64 } from '../../../src/record/batch.ts';
import type { BatchOptions, NewRecord } from '../../../src/record/builder.ts';
import { buildBatch } from '../../../src/record/builder.ts';
import { decodeRecords } from '../../../src/record/record.ts';
import { validateBatch } from '../../../src/record/validate.ts';
import type { RuledConfig } from '../../../src/replica/append-rules.ts';
import { applyRules } from '../../../src/replica/append-rules.ts';
import { NODE_VALUES } from '../log/fixture.ts';

beforeAll(loadCodecs);

const NOW = 1_700_000_000_000;
const HOUR = 3_600_000;
const DEFAULTS = topicDefaults({ broker: NO_OVERRIDES, cluster: NO_OVERRIDES }, NODE_VALUES);
const CODECS = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;

function record(timestamp: number, key: string | null = 'k', value = 'value'): NewRecord {
  const headers = [{ key: 'h', value: Buffer.from('x') }];
  return { timestamp, key: key === null ? null : Buffer.from(key), value: Buffer.from(value), headers };
}

function apply(bytes: Buffer, config: Partial<RuledConfig> = {}) {
  expect(validateBatch(bytes, 10_000_000)).toBeUndefined();
  return applyRules(bytes, { ...DEFAULTS, ...config }, { wallTime: () => NOW });
}

/** Refused: the error, and the records at fault. */
function fault(bytes: Buffer, config: Partial<RuledConfig> = {}) {
  const result = apply(bytes, config);
  return 'refusal' in result ? [result.refusal.error, result.refusal.records?.map(({ index }) => index)] : undefined;
}

function edited(bytes: Buffer, edit: (bytes: Buffer) => void): Buffer {
  edit(bytes);
  bytes.writeUInt32BE(new BatchHeader(bytes).computeCrc(), CRC_AT);
  return bytes;
}

describe('with the defaults', () => {
  test('a batch is kept as it is, and its records are not looked at', () => {
    const bytes = buildBatch([record(NOW), record(1), record(-1), record(NOW + HOUR)]);
    expect(apply(bytes)).toEqual({ bytes });
    const strange = edited(buildBatch([record(NOW)], { compression: 'gzip' }), (it) => it.fill(0xff, 61));
    expect(apply(strange)).toEqual({ bytes: strange });
  });

  test('a timestamp more than an hour ahead is refused, and the record named', () => {
    const bytes = buildBatch([record(NOW), record(NOW + HOUR + 1), record(NOW + HOUR)]);
    expect(fault(bytes)).toEqual(['INVALID_TIMESTAMP', [1]]);
  });

  test('so is a header that says so of records that do not', () => {
    const bytes = edited(buildBatch([record(NOW)]), (it) => setInt64(it, NOW + HOUR + 1, MAX_TIMESTAMP_AT));
    expect(fault(bytes)).toEqual(['INVALID_TIMESTAMP', undefined]);
  });
});

describe('timestamps', () => {
  test('message.timestamp.before.max.ms: older records are refused, each of them named, whatever the header shows', () => {
    const limit = { timestampBeforeMaxMs: 1000 };
    expect(fault(buildBatch([record(NOW), record(NOW - 1001), record(NOW - 1000), record(5)]), limit)).toEqual([
      'INVALID_TIMESTAMP',
      [1, 3],
    ]);
    expect(fault(buildBatch([record(NOW - 1000), record(-1)]), limit)).toBeUndefined();
    expect(fault(buildBatch([record(NOW - 1000)]), limit)).toBeUndefined();
    expect(fault(buildBatch([record(NOW - 1001)]), limit)).toEqual(['INVALID_TIMESTAMP', [0]]);
    expect(fault(buildBatch([record(-1)]), limit)).toBeUndefined();
  });

  test('do not count with LogAppendTime', () => {
    const limits = { timestampType: 'LogAppendTime', timestampBeforeMaxMs: 0, timestampAfterMaxMs: 0 } as const;
    expect(fault(buildBatch([record(5), record(NOW * 2)]), limits)).toBeUndefined();
  });
});

describe('behaviour 19: records without a key', () => {
  test.each(CODECS)('are refused where the topic compacts, %s', (compression) => {
    const bytes = buildBatch([record(1), record(2, null), record(3, ''), record(4, null)], { compression });
    expect(fault(bytes, { cleanupPolicy: 'compact' })).toEqual(['INVALID_RECORD', [1, 3]]);
    expect(fault(bytes, { cleanupPolicy: 'delete,compact' })).toEqual(['INVALID_RECORD', [1, 3]]);
    expect(fault(bytes, { cleanupPolicy: 'delete' })).toBeUndefined();
  });

  test('records that cannot be read are refused there too', () => {
    const bytes = edited(buildBatch([record(NOW)], { compression: 'lz4' }), (it) => it.fill(0xff, 61));
    expect(fault(bytes, { cleanupPolicy: 'compact' })).toEqual(['INVALID_RECORD', undefined]);
  });
});

describe('compression.type', () => {
  const records = [
    record(NOW, 'a', 'x'.repeat(1000)),
    record(NOW - 5, null, ''),
    record(NOW + 7, 'c', 'y'.repeat(300)),
  ];
  const producer: BatchOptions = { producerId: 70, producerEpoch: 3, baseSequence: 9, transactional: true };

  test.each(CODECS.flatMap((from) => CODECS.map((to) => [from, to] as const)))('%s becomes %s', (from, to) => {
    const bytes = buildBatch(records, { ...producer, compression: from });
    const result = apply(Buffer.from(bytes), { compressionType: to === 'none' ? 'uncompressed' : to });
    if ('refusal' in result) throw new Error(result.refusal.message);
    const [before, after] = [new BatchHeader(bytes), new BatchHeader(result.bytes)];
    if (from === to) expect(result.bytes).toEqual(bytes);
    expect(validateBatch(result.bytes, 10_000)).toBeUndefined();
    expect(after.compression).toBe(to);
    expect(decodeRecords(after)).toEqual(decodeRecords(before));
    // All of the header but length, CRC and codec is as it was.
    const rest = (bytes: Buffer) => bytes.subarray(ATTRIBUTES_AT + 2, 61);
    expect(rest(result.bytes)).toEqual(rest(bytes));
    expect(result.bytes.subarray(0, 8)).toEqual(bytes.subarray(0, 8));
    expect(after.isTransactional).toBe(true);
  });

  test('producer: the batch stays as it was compressed', () => {
    for (const compression of CODECS) {
      const bytes = buildBatch(records, { compression });
      expect(apply(bytes)).toEqual({ bytes });
    }
  });

  test('max.message.bytes holds for the batch as it would be stored', () => {
    const bytes = buildBatch(records, { compression: 'gzip' });
    const limit = { compressionType: 'uncompressed', maxMessageBytes: buildBatch(records).length } as const;
    expect(fault(bytes, limit)).toBeUndefined();
    expect(fault(bytes, { ...limit, maxMessageBytes: limit.maxMessageBytes - 1 })).toEqual([
      'MESSAGE_TOO_LARGE',
      undefined,
    ]);
  });

  test.each(['gzip', 'snappy', 'lz4', 'zstd'] as const)('a bomb is refused, not blown up: %s', (compression) => {
    const bytes = buildBatch([record(NOW, 'k', 'a'.repeat(17 * 1024 * 1024))], { compression });
    const refused = ['INVALID_RECORD', undefined];
    expect(fault(bytes, { compressionType: 'uncompressed', maxMessageBytes: 1_048_588 })).toEqual(refused);
    expect(fault(bytes, { cleanupPolicy: 'compact', maxMessageBytes: 1_048_588 })).toEqual(refused);
  });
});
