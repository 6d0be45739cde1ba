import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { LogTail } from '../../../src/log/tail-cache.ts';
import { TailCache } from '../../../src/log/tail-cache.ts';

interface ModelSegment {
  readonly baseOffset: number;
  bytes: Buffer;
  /** How many bytes all logs had been given when each byte came; -1: the log forgot it. */
  came: number[];
}

interface ModelLog {
  readonly tail: LogTail;
  readonly segments: ModelSegment[];
}

type Step =
  | { readonly kind: 'append'; readonly log: number; readonly length: number }
  | { readonly kind: 'roll' | 'clear'; readonly log: number };

const LOGS = 3;
const MIN_SLABS = 4;
const log = fc.integer({ min: 0, max: LOGS - 1 });
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ kind: fc.constant('append' as const), log, length: fc.integer({ min: 260, max: 3000 }) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('roll' as const, 'clear' as const), log }) },
);

/** The bytes that are there, by reading each alone; undefined where there is none. */
function cached(tail: LogTail, segment: ModelSegment): (number | undefined)[] {
  const one = Buffer.alloc(1);
  return [...segment.bytes.keys()].map((position) => {
    return tail.read(segment, position, one, 1) ? one[0] : undefined;
  });
}

test('it holds the newest bytes of all logs as far as its budget goes, each log’s to its end, and nothing else', () => {
  let evicted = 0;
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 40 }), fc.constantFrom(4096, 10_000), (steps, budget) => {
      const cache = new TailCache(budget);
      const logs = Array.from({ length: LOGS }, (): ModelLog => {
        return { tail: cache.openTail(), segments: [{ baseOffset: 0, bytes: Buffer.alloc(0), came: [] }] };
      });
      let total = 0;
      for (const { kind, ...one } of steps) {
        const { tail, segments } = logs[one.log] as ModelLog;
        const active = segments.at(-1) as ModelSegment;
        if (kind === 'clear') {
          tail.clear();
          for (const segment of segments) segment.came.fill(-1);
        } else if (kind === 'roll') {
          segments.push({ baseOffset: active.baseOffset + 1, bytes: Buffer.alloc(0), came: [] });
        } else {
          const { length } = one as { length: number };
          const bytes = Buffer.from(Array.from({ length }, (_, i) => (total + i) % 251));
          tail.append(active, active.bytes.length, bytes);
          active.bytes = Buffer.concat([active.bytes, bytes]);
          active.came.push(...Array.from({ length }, (_, i) => (length > cache.maxBytes ? -1 : total + i)));
          if (length > cache.maxBytes) for (const segment of segments) segment.came.fill(-1);
          else total += length;
        }
      }
      // All slabs are full but the one that is being filled, which was the oldest.
      const kept = total - (budget / MIN_SLABS) * (MIN_SLABS - 1);
      for (const { tail, segments } of logs) {
        const found = segments.flatMap((segment) => cached(tail, segment));
        const came = segments.flatMap((segment) => segment.came);
        const content = Buffer.concat(segments.map((segment) => segment.bytes));
        const first = found.findIndex((byte) => byte !== undefined);
        const here = first < 0 ? found.length : first;
        expect(Buffer.from(found.slice(here) as number[]).equals(content.subarray(here))).toBe(true);
        expect(found.slice(here)).not.toContain(undefined);
        if (came.slice(0, here).some((at) => at >= 0)) evicted += 1;
        const wrong = came.findIndex((at, i) =>
          at < 0 ? found[i] !== undefined : at >= kept && found[i] === undefined,
        );
        expect(wrong).toBe(-1);
      }
    }),
  );
  expect(evicted).toBeGreaterThan(20);
});

test('runs of bytes are read across slabs, not across segments, and not where some are missing', () => {
  const cache = new TailCache(4 * 300);
  const tail = cache.openTail();
  const [a, b] = [{ baseOffset: 0 }, { baseOffset: 5 }];
  const bytes = Buffer.from(Array.from({ length: 500 }, (_, i) => i % 251));
  tail.append(a, 100, bytes);
  tail.append(b, 0, bytes.subarray(0, 50));
  const target = Buffer.alloc(500);
  expect(tail.read(a, 100, target, 500)).toBe(true);
  expect(target.equals(bytes)).toBe(true);
  expect(tail.read(a, 100, target, 501)).toBe(false);
  expect(tail.read(a, 99, target, 2)).toBe(false);
  expect(tail.read({ baseOffset: 0 }, 200, target, 1)).toBe(false);
  expect(tail.read(b, 10, target, 40)).toBe(true);
  expect(target.subarray(0, 40).equals(bytes.subarray(10, 50))).toBe(true);
  // What does not continue the log is another log's: the old is forgotten.
  tail.append(b, 60, bytes.subarray(0, 10));
  expect([tail.has(a, 300), tail.has(b, 10), tail.has(b, 60)]).toEqual([false, false, true]);
});

test('ten thousand logs share the budget, and a budget of 0 holds nothing', () => {
  const cache = new TailCache(4 << 20);
  const segment = { baseOffset: 0 };
  const tails = Array.from({ length: 10_000 }, () => cache.openTail());
  for (const [i, tail] of tails.entries()) tail.append(segment, 0, Buffer.alloc(300, i));
  const target = Buffer.alloc(300);
  for (const [i, tail] of tails.entries()) {
    expect(tail.read(segment, 0, target, 300)).toBe(true);
    expect(target[299]).toBe(i & 0xff);
  }
  const none = new TailCache(0).openTail();
  none.append(segment, 0, Buffer.alloc(1));
  expect(none.has(segment, 0)).toBe(false);
});
