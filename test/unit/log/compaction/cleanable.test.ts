// What of a log may be compacted, when, and which segments become one.
import { describe, expect, it } from 'vitest';
import type { SealedSegment } from '../../../../src/log/compaction/cleanable.ts';
import { cleanablePart, dirtyRatio, groupSegments, lagExceeded } from '../../../../src/log/compaction/cleanable.ts';

/** Segments of ten offsets and 100 bytes each, with the greatest timestamps 100, 200, ... */
function segments(count: number, change: (i: number) => Partial<SealedSegment> = () => ({})): SealedSegment[] {
  return Array.from({ length: count }, (_, i) => ({
    baseOffset: i * 10,
    endOffset: i * 10 + 10,
    size: 100,
    maxTimestamp: (i + 1) * 100,
    durable: true,
    ...change(i),
  }));
}

const ANY = Number.MAX_SAFE_INTEGER;
const AT_ONCE = { minCompactionLagMs: 0 };

describe('what may be compacted', () => {
  it('is clean below the first dirty offset; a segment that is dirty in part counts as dirty', () => {
    const part = cleanablePart(segments(5), 25, ANY, 0, AT_ONCE);
    expect(part).toEqual({ firstDirtyOffset: 25, endOffset: 50, cleanBytes: 200, dirtyBytes: 300 });
    expect(part && dirtyRatio(part)).toBe(0.6);
  });

  it('ends with the last segment wholly below the limit', () => {
    expect(cleanablePart(segments(5), 0, 39, 0, AT_ONCE)?.endOffset).toBe(30);
    expect(cleanablePart(segments(5), 0, 40, 0, AT_ONCE)?.endOffset).toBe(40);
    expect(cleanablePart(segments(5), 0, 9, 0, AT_ONCE)).toBeUndefined();
  });

  it('ends before the first segment that is not durable, or is dirty and younger than min.compaction.lag.ms', () => {
    const unsynced = segments(5, (i) => ({ durable: i !== 2 }));
    expect(cleanablePart(unsynced, 0, ANY, 0, AT_ONCE)?.endOffset).toBe(20);
    const lag = { minCompactionLagMs: 50 };
    expect(cleanablePart(segments(5), 0, ANY, 349, lag)?.endOffset).toBe(20);
    expect(cleanablePart(segments(5), 0, ANY, 350, lag)?.endOffset).toBe(30);
    // What is clean may be young: a later segment with old records may come after it.
    const old = segments(3, (i) => ({ maxTimestamp: i === 0 ? 900 : 1 }));
    expect(cleanablePart(old, 10, ANY, 900, lag)?.endOffset).toBe(30);
  });

  it('is nothing if all of it is clean', () => {
    expect(cleanablePart(segments(3), 30, ANY, 0, AT_ONCE)).toBeUndefined();
    expect(cleanablePart([], 0, ANY, 0, AT_ONCE)).toBeUndefined();
  });

  it('is overdue when its first record has waited for max.compaction.lag.ms', () => {
    expect(lagExceeded(1000, 1500, { maxCompactionLagMs: 500 })).toBe(false);
    expect(lagExceeded(1000, 1501, { maxCompactionLagMs: 500 })).toBe(true);
    expect(lagExceeded(-1, 1501, { maxCompactionLagMs: 500 })).toBe(false);
  });
});

describe('segments become one', () => {
  const config = { segmentBytes: 250, segmentIndexBytes: 1 << 20, indexIntervalBytes: 4096 };
  const sizes = (groups: readonly (readonly SealedSegment[])[]) => groups.map((group) => group.length);

  it('as far as segment.bytes allows', () => {
    expect(sizes(groupSegments(segments(5), config))).toEqual([2, 2, 1]);
    expect(sizes(groupSegments(segments(5), { ...config, segmentBytes: 500 }))).toEqual([5]);
    expect(sizes(groupSegments(segments(3), { ...config, segmentBytes: 50 }))).toEqual([1, 1, 1]);
  });

  it('as far as segment.index.bytes allows', () => {
    const small = { segmentBytes: 1000, segmentIndexBytes: 40, indexIntervalBytes: 100 };
    expect(sizes(groupSegments(segments(5), small))).toEqual([2, 2, 1]);
  });

  it('as far as offsets fit in 31 bits', () => {
    const wide = segments(3, (i) => ({ baseOffset: i * 2 ** 30, endOffset: (i + 1) * 2 ** 30 }));
    expect(sizes(groupSegments(wide, { ...config, segmentBytes: 1000 }))).toEqual([2, 1]);
  });
});
