import { describe, expect, test } from 'vitest';
import type { RetainedSegment, RetentionLimits } from '../../../src/log/retention.ts';
import { planRetention } from '../../../src/log/retention.ts';

/** Four segments of 100 bytes, with ten offsets and a timestamp each; the last one is active. */
const SEGMENTS: readonly RetainedSegment[] = [10, 20, 30, 40].map((endOffset) => ({
  endOffset,
  size: 100,
  maxTimestamp: endOffset * 100,
}));

function plan(limits: Partial<RetentionLimits>, segments = SEGMENTS) {
  const all = { logStartOffset: 0, highWatermark: 40, retentionMs: -1, retentionBytes: -1, nowMs: 10_000 };
  return planRetention(segments, { ...all, ...limits });
}

function causes(limits: Partial<RetentionLimits>, segments = SEGMENTS) {
  const { head, undecided } = plan(limits, segments);
  expect(undecided).toBe(false);
  return head.join(' ');
}

describe('retention', () => {
  test('without limits nothing goes', () => {
    expect(causes({})).toBe('');
  });

  test('retention.ms: segments whose greatest timestamp is older, the active one too', () => {
    expect(causes({ retentionMs: 9000 })).toBe('');
    expect(causes({ retentionMs: 8999 })).toBe('retention.ms');
    expect(causes({ retentionMs: 7000 })).toBe('retention.ms retention.ms');
    expect(causes({ retentionMs: 0 })).toBe('retention.ms retention.ms retention.ms retention.ms');
  });

  test('retention.ms stops at the first segment that is young enough, and at one without a timestamp', () => {
    const mixed = SEGMENTS.map((segment, i) => ({ ...segment, maxTimestamp: [100, 9999, 100, 100][i] ?? 0 }));
    expect(causes({ retentionMs: 1000 }, mixed)).toBe('retention.ms');
    const timeless = SEGMENTS.map((segment, i) => ({ ...segment, maxTimestamp: i === 1 ? -1 : 100 }));
    expect(causes({ retentionMs: 1000 }, timeless)).toBe('retention.ms');
  });

  test('a greatest timestamp that is not known is asked for only where it decides', () => {
    const unknown = SEGMENTS.map((segment, i) => (i < 2 ? segment : { ...segment, maxTimestamp: undefined }));
    expect(causes({}, unknown)).toBe('');
    expect(causes({ retentionBytes: 150 }, unknown)).toBe('retention.bytes retention.bytes');
    expect(causes({ retentionMs: 8500 }, unknown)).toBe('retention.ms');
    expect(plan({ retentionMs: 1000 }, unknown)).toEqual({ head: ['retention.ms', 'retention.ms'], undecided: true });
  });

  test('retention.bytes: as long as what is left without the segment is still enough', () => {
    expect(causes({ retentionBytes: 400 })).toBe('');
    expect(causes({ retentionBytes: 301 })).toBe('');
    expect(causes({ retentionBytes: 300 })).toBe('retention.bytes');
    expect(causes({ retentionBytes: 199 })).toBe('retention.bytes retention.bytes');
    expect(causes({ retentionBytes: 0 })).toBe('retention.bytes retention.bytes retention.bytes retention.bytes');
  });

  test('D-9.1 what lies below the log start goes, but never the active segment', () => {
    expect(causes({ logStartOffset: 9 })).toBe('');
    expect(causes({ logStartOffset: 10 })).toBe('log-start');
    expect(causes({ logStartOffset: 25 })).toBe('log-start log-start');
    expect(causes({ logStartOffset: 40 })).toBe('log-start log-start log-start');
  });

  test('the causes follow each other: what one left the next looks at', () => {
    expect(causes({ logStartOffset: 10, retentionBytes: 200, retentionMs: 6500 })).toBe(
      'log-start retention.bytes retention.ms',
    );
  });

  test('D-9.2 nothing goes that reaches above the high watermark', () => {
    expect(causes({ retentionMs: 0, highWatermark: 29 })).toBe('retention.ms retention.ms');
    expect(causes({ retentionBytes: 0, highWatermark: 9 })).toBe('');
  });

  test('an empty active segment stays', () => {
    const rolled = [...SEGMENTS, { endOffset: 40, size: 0, maxTimestamp: -1 }];
    expect(causes({ retentionMs: 0 }, rolled).split(' ')).toHaveLength(4);
    expect(causes({ retentionBytes: 0 }, rolled).split(' ')).toHaveLength(4);
    expect(causes({ retentionMs: 0, retentionBytes: 0 }, [{ endOffset: 0, size: 0, maxTimestamp: -1 }])).toBe('');
  });
});
