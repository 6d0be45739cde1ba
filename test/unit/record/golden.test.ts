// Every batch that Apache Kafka's own classes made: we read what they wrote, and write what they would have written.
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import type { CompressionType } from '../../../src/codec/compression.ts';
import { COMPRESSION_TYPES, loadCodecs } from '../../../src/codec/compression.ts';
import type { TimestampType } from '../../../src/record/batch.ts';
import { BatchHeader } from '../../../src/record/batch.ts';
import type { BatchOptions, NewRecord } from '../../../src/record/builder.ts';
import { buildBatch } from '../../../src/record/builder.ts';
import { recompressed } from '../../../src/record/recompress.ts';
import type { KafkaRecord } from '../../../src/record/record.ts';
import { decodeRecords, recordContent } from '../../../src/record/record.ts';
import { scanBatch } from '../../../src/record/scan.ts';

interface GoldenBatch {
  readonly what: string;
  readonly compression: CompressionType;
  readonly hex: string;
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly partitionLeaderEpoch: number;
  readonly crc: number;
  readonly timestampType: TimestampType;
  readonly maxTimestamp: number;
  readonly producerId: number;
  readonly producerEpoch: number;
  readonly baseSequence: number;
  readonly lastSequence: number;
  readonly transactional: boolean;
  readonly control: boolean;
  readonly records: readonly {
    readonly offset: number;
    readonly timestamp: number;
    readonly key: string | null;
    readonly value: string | null;
    readonly headers: readonly (readonly [string, string | null])[];
  }[];
}

const lines = readFileSync(new URL('../../golden/batches.ndjson', import.meta.url), 'utf8')
  .trimEnd()
  .split('\n');
const golden = lines.map((line) => JSON.parse(line) as GoldenBatch);

beforeAll(loadCodecs);

function asJson(record: KafkaRecord): GoldenBatch['records'][number] {
  return {
    offset: record.offset,
    timestamp: record.timestamp,
    key: record.key?.toString('hex') ?? null,
    value: record.value?.toString('hex') ?? null,
    headers: record.headers.map(({ key, value }) => [key, value?.toString('hex') ?? null]),
  };
}

function headerOf(batch: BatchHeader) {
  const { baseOffset, lastOffset, partitionLeaderEpoch, crc, timestampType, maxTimestamp } = batch;
  const { producerId, producerEpoch, baseSequence, lastSequence, compression, isTransactional, isControl } = batch;
  return {
    ...{ baseOffset, lastOffset, partitionLeaderEpoch, crc, timestampType, maxTimestamp },
    ...{ producerId, producerEpoch, baseSequence, lastSequence, compression },
    ...{ transactional: isTransactional, control: isControl },
  };
}

test('the file covers every codec', () => {
  expect(new Set(golden.map((line) => line.compression))).toEqual(new Set(COMPRESSION_TYPES));
  expect(golden.length).toBeGreaterThan(20);
});

describe.each(
  golden.map((line, i) => [`${i}: ${line.what}, ${line.compression}, ${line.timestampType}`, line] as const),
)('%s', (_name, line) => {
  const bytes = Buffer.from(line.hex, 'hex');
  const batch = new BatchHeader(bytes);

  test('header and CRC', () => {
    const { hex: _hex, what: _what, records, ...header } = line;
    expect(headerOf(batch)).toEqual(header);
    expect(batch.computeCrc()).toBe(line.crc);
    expect(batch.recordsCount).toBe(records.length);
    expect(batch.sizeInBytes).toBe(bytes.length);
    expect(scanBatch(bytes, 0).kind).toBe('batch');
  });

  test('records', () => {
    expect(decodeRecords(batch).map(asJson)).toEqual(line.records);
  });

  test('with every other codec it holds the same', () => {
    for (const compression of COMPRESSION_TYPES) {
      const other = recompressed(batch, recordContent(batch), compression);
      const header = new BatchHeader(other);
      expect(headerOf(header)).toEqual({ ...headerOf(batch), compression, crc: header.computeCrc() });
      expect(header.sizeInBytes).toBe(other.length);
      expect(decodeRecords(header).map(asJson)).toEqual(line.records);
    }
  });

  test('written again', () => {
    // LogAppendTime hides the producer's timestamps, which the bytes still hold: read them as CreateTime.
    const plain = Buffer.from(bytes);
    plain.writeInt16BE(batch.attributes & ~8, 21);
    const records: NewRecord[] = decodeRecords(new BatchHeader(plain));
    const options: BatchOptions = { ...line, lastOffsetDelta: line.lastOffset - line.baseOffset };
    const written = buildBatch(records, options);
    if (line.compression === 'none') expect(written.toString('hex')).toBe(line.hex);
    expect(decodeRecords(new BatchHeader(written)).map(asJson)).toEqual(line.records);
  });
});
