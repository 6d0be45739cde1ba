import { describe, expect, test } from 'vitest';
import { OffsetIndex } from '../../../src/log/offset-index.ts';
import { SegmentIndex } from '../../../src/log/segment-index.ts';
import { TimeIndex } from '../../../src/log/time-index.ts';
import { BatchHeader } from '../../../src/record/batch.ts';
import { batch } from './fixture.ts';

describe('OffsetIndex', () => {
  test("has Kafka's bytes: relative offset, position", () => {
    const index = new OffsetIndex(1000);
    index.append(1009, 0);
    index.append(1300, 0x12345);
    expect(index.bytes.toString('hex')).toBe('0000000900000000' + '0000012c00012345');
  });

  test('lookup finds the greatest entry that is not above', () => {
    const index = new OffsetIndex(10);
    for (let i = 1; i <= 100; i++) index.append(10 + i * 10, i * 500);
    expect(index.lookup(10)).toEqual({ offset: 10, position: 0 });
    expect(index.lookup(19)).toEqual({ offset: 10, position: 0 });
    for (let offset = 20; offset <= 1010; offset++) {
      const i = Math.floor((offset - 10) / 10);
      expect(index.lookup(offset)).toEqual({ offset: 10 + i * 10, position: i * 500 });
    }
    index.truncate(1000);
    expect(index.last()).toEqual({ offset: 20, position: 500 });
  });

  test('insane contents are told', () => {
    const bytes = (entries: number[][]) => Buffer.concat(entries.map(([a, b]) => int32s(a as number, b as number)));
    const sane = (content: Buffer, size = 1000) => new OffsetIndex(0, content).isSane(size);
    expect(sane(Buffer.alloc(0))).toBe(true);
    expect(sane(bytes([[5, 0]]))).toBe(true);
    expect(sane(Buffer.alloc(7))).toBe(false);
    expect(
      sane(
        bytes([
          [5, 0],
          [5, 100],
        ]),
      ),
    ).toBe(false);
    expect(
      sane(
        bytes([
          [5, 100],
          [6, 100],
        ]),
      ),
    ).toBe(false);
    expect(sane(bytes([[5, 1000]]))).toBe(false);
  });
});

describe('TimeIndex', () => {
  test("has Kafka's bytes: timestamp, relative offset", () => {
    const index = new TimeIndex(1000);
    index.maybeAppend(1_700_000_000_123, 1009);
    index.maybeAppend(1_700_000_000_123, 1010);
    index.maybeAppend(1_700_000_000_124, 1300);
    expect(index.bytes.toString('hex')).toBe('0000018bcfe5687b00000009' + '0000018bcfe5687c0000012c');
  });

  test('nothing is noted for records without a timestamp', () => {
    const index = new TimeIndex(0);
    index.maybeAppend(-1, 5);
    expect(index.count).toBe(0);
    expect(index.last()).toEqual({ timestamp: -1, offset: 0 });
  });

  test('lookups', () => {
    const index = new TimeIndex(0);
    for (let i = 1; i <= 50; i++) index.maybeAppend(i * 10, i * 3);
    expect(index.lookup(9)).toEqual({ timestamp: -1, offset: 0 });
    expect(index.lookup(105)).toEqual({ timestamp: 100, offset: 30 });
    expect(index.lookupBelow(30)).toEqual({ timestamp: 90, offset: 27 });
    index.truncate(30);
    expect(index.last()).toEqual({ timestamp: 90, offset: 27 });
  });
});

describe('SegmentIndex', () => {
  test('entries are sparse, at the last offset of the batch after the interval, with the maximal timestamp so far', () => {
    const index = new SegmentIndex(0, 200);
    const one = batch({ count: 2, bytes: 50 });
    let position = 0;
    for (const timestamp of [10, 40, 30, 20, 50]) {
      const bytes = batch({ count: 2, bytes: 50, timestamp, baseOffset: (position / one.length) * 2 });
      index.add(new BatchHeader(bytes), position);
      position += one.length;
    }
    // 175 bytes each: the third and the fifth come after more than 200.
    expect(one.length).toBe(175);
    expect(index.offsets.bytes).toEqual(Buffer.concat([int32s(5, 350), int32s(9, 700)]));
    expect(index.times.bytes).toEqual(Buffer.concat([int64(40), int32s(3), int64(50), int32s(9)]));
    expect(index.max).toEqual({ timestamp: 50, offset: 9 });
  });

  test('seal adds the maximum, once', () => {
    const index = new SegmentIndex(0, 1000);
    index.add(new BatchHeader(batch({ timestamp: 7 })), 0);
    index.seal();
    index.seal();
    expect(index.times.bytes).toEqual(Buffer.concat([int64(7), int32s(0)]));
  });
});

function int32s(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [i, value] of values.entries()) bytes.writeInt32BE(value, i * 4);
  return bytes;
}

function int64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(BigInt(value));
  return bytes;
}
