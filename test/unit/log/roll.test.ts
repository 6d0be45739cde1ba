import { describe, expect, test } from 'vitest';
import type { RollConfig } from '../../../src/log/roll.ts';
import { isFull, isOld } from '../../../src/log/roll.ts';
import { SegmentIndex } from '../../../src/log/segment-index.ts';
import { BatchHeader, setBaseOffset } from '../../../src/record/batch.ts';
import { batch, CONFIG } from './fixture.ts';

function header(spec: Parameters<typeof batch>[0], offset = 10): BatchHeader {
  const bytes = batch(spec);
  setBaseOffset(bytes, offset);
  return new BatchHeader(bytes);
}

const DAY = 86_400_000;
const at = (nowMs: number) => ({ wallTime: () => nowMs });
const config = (changes: Partial<RollConfig>): RollConfig => ({ ...CONFIG, segmentMs: DAY, ...changes });

describe('segment.ms', () => {
  const basis = { baseOffset: 0, firstTimestamp: 1000, createdMs: 5_000_000 };

  test('counts from the first batch’s timestamp to the new one’s; the wall clock says nothing then', () => {
    expect(isOld(basis, header({ timestamp: 1000 + DAY }), config({}), '/t-0', at(Number.MAX_SAFE_INTEGER))).toBe(
      false,
    );
    expect(isOld(basis, header({ timestamp: 1001 + DAY }), config({}), '/t-0', at(0))).toBe(true);
    expect(isOld(basis, header({ timestamp: 5 }), config({}), '/t-0', at(0))).toBe(false);
  });

  test('goes by the wall clock where the first batch has no timestamp', () => {
    const timeless = { ...basis, firstTimestamp: -1 };
    expect(isOld(timeless, header({ timestamp: 9e12 }), config({}), '/t-0', at(5_000_000 + DAY))).toBe(false);
    expect(isOld(timeless, header({ timestamp: -1 }), config({}), '/t-0', at(5_000_001 + DAY))).toBe(true);
  });

  test('is no more than max.compaction.lag.ms where the log is compacted', () => {
    const rollsAt = (age: number, changes: Partial<RollConfig>): boolean =>
      isOld(basis, header({ timestamp: 1000 + age }), config(changes), '/t-0', at(0));
    const lag = { maxCompactionLagMs: 1000 };
    expect(rollsAt(1001, { ...lag, cleanupPolicy: 'delete' })).toBe(false);
    expect([
      rollsAt(1000, { ...lag, cleanupPolicy: 'compact' }),
      rollsAt(1001, { ...lag, cleanupPolicy: 'compact' }),
    ]).toEqual([false, true]);
    expect(rollsAt(1001, { ...lag, cleanupPolicy: 'compact,delete' })).toBe(true);
    expect(rollsAt(DAY + 1, { maxCompactionLagMs: 2 * DAY, cleanupPolicy: 'compact' })).toBe(true);
  });

  test('is less by up to segment.jitter.ms, by the same for the same segment', () => {
    const jittered = config({ segmentJitterMs: DAY / 2 });
    const rollsAt = (directory: string, age: number): boolean =>
      isOld(basis, header({ timestamp: 1000 + age }), jittered, directory, at(0));
    let early = 0;
    for (let i = 0; i < 200; i++) {
      expect(rollsAt(`/t-${i}`, DAY / 2 - 1)).toBe(false);
      expect(rollsAt(`/t-${i}`, DAY + 1)).toBe(true);
      const middle = rollsAt(`/t-${i}`, DAY * 0.75);
      expect(rollsAt(`/t-${i}`, DAY * 0.75)).toBe(middle);
      if (middle) early += 1;
    }
    expect(early).toBeGreaterThan(60);
    expect(early).toBeLessThan(140);
    // Never below zero, even where the jitter is larger than the age.
    expect(isOld(basis, header({ timestamp: 1000 }), config({ segmentJitterMs: 9 * DAY }), '/t-0', at(0))).toBe(false);
  });
});

describe('size', () => {
  const one = header({ bytes: 100 });
  const empty = new SegmentIndex(0, 0);

  test('segment.bytes, and positions that fit in an index', () => {
    const size = 1000 - one.sizeInBytes;
    const small = config({ segmentBytes: 1000 });
    expect(isFull({ baseOffset: 0, size, index: empty, pending: 0 }, one, small)).toBe(false);
    expect(isFull({ baseOffset: 0, size: size + 1, index: empty, pending: 0 }, one, small)).toBe(true);
    const huge = config({ segmentBytes: 9e15 });
    expect(isFull({ baseOffset: 0, size: 2 ** 31 - 1 - one.sizeInBytes, index: empty, pending: 0 }, one, huge)).toBe(
      false,
    );
    expect(isFull({ baseOffset: 0, size: 2 ** 31 - one.sizeInBytes, index: empty, pending: 0 }, one, huge)).toBe(true);
  });

  test('offsets that fit in an index', () => {
    const last = header({ count: 5 }, 2 ** 31 - 1 - 4 + 100);
    expect(isFull({ baseOffset: 100, size: 1, index: empty, pending: 0 }, last, config({}))).toBe(false);
    expect(isFull({ baseOffset: 99, size: 1, index: empty, pending: 0 }, last, config({}))).toBe(true);
  });

  test('segment.index.bytes, of either index', () => {
    const index = new SegmentIndex(0, 0);
    // The first batch gets no entry.
    for (let i = 0; i < 4; i++) index.add(header({ timestamp: 1000 + i }, i), i * 100);
    expect([index.offsets.count, index.times.count]).toEqual([3, 3]);
    const full = (segmentIndexBytes: number): boolean =>
      isFull({ baseOffset: 0, size: 400, index, pending: 0 }, one, config({ segmentIndexBytes }));
    expect([full(3 * 12 - 1), full(4 * 12 - 1), full(4 * 12), full(5 * 12)]).toEqual([true, true, true, false]);
    const timeless = new SegmentIndex(0, 0);
    for (let i = 0; i < 4; i++) timeless.add(header({ timestamp: -1 }, i), i * 100);
    const byOffsets = (segmentIndexBytes: number): boolean =>
      isFull({ baseOffset: 0, size: 400, index: timeless, pending: 0 }, one, config({ segmentIndexBytes }));
    expect([byOffsets(31), byOffsets(32)]).toEqual([true, false]);
    const later = { baseOffset: 0, size: 400, index: timeless, pending: 2 };
    const at = (segmentIndexBytes: number): boolean => isFull(later, one, config({ segmentIndexBytes }));
    expect([at(5 * 8 + 7), at(6 * 8)]).toEqual([true, false]);
  });
});
