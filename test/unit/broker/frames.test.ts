// Cutting a byte stream into frames, with chunks of any size, and the buffers they lie in.
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FramePool } from '../../../src/broker/frame-pool.ts';
import type { Frame } from '../../../src/broker/frame-reader.ts';
import { FrameReader } from '../../../src/broker/frame-reader.ts';

const MAX = 3_000_000;

function framed(body: Buffer): Buffer {
  const size = Buffer.alloc(4);
  size.writeInt32BE(body.length, 0);
  return Buffer.concat([size, body]);
}

/** Bytes that tell frames and positions apart. */
function body(size: number, seed: number): Buffer {
  const bytes = Buffer.alloc(size);
  for (let i = 0; i < size; i++) bytes[i] = (i * 31 + seed * 7 + (i >> 8)) & 0xff;
  return bytes;
}

/** Feeds the stream in pieces of the given sizes, over and over, through one buffer that is used again as a socket's is. */
function feed(reader: FrameReader, stream: Buffer, sizes: readonly number[], onFrame: (frame: Frame) => void) {
  const shared = Buffer.alloc(Math.max(...sizes));
  for (let at = 0, i = 0; at < stream.length; i++) {
    const count = Math.min(sizes[i % sizes.length] as number, stream.length - at);
    stream.copy(shared, 0, at, at + count);
    const fault = reader.read(shared.subarray(0, count), onFrame);
    shared.fill(0xee);
    if (fault !== undefined) return fault;
    at += count;
  }
  return undefined;
}

describe('FrameReader', () => {
  test('hands out what was sent, however it is cut, while frames go back to the pool at any time', () => {
    const size = fc.oneof(
      fc.integer({ min: 1, max: 300 }),
      fc.integer({ min: 2000, max: 10_000 }),
      fc.constantFrom(4095, 4096, 4097, 1 << 20, (1 << 20) + 1, 2_500_000),
    );
    const chunk = fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1000, max: 70_000 }));
    fc.assert(
      fc.property(
        fc.array(size, { minLength: 1, maxLength: 6 }),
        fc.array(chunk, { minLength: 1, maxLength: 4 }),
        fc.array(fc.boolean(), { minLength: 1, maxLength: 6 }),
        (sizes, chunks, keep) => {
          fc.pre(sizes.reduce((a, b) => a + b) / Math.max(...chunks) < 20_000);
          const pool = new FramePool(8 << 20);
          const reader = new FrameReader(pool, MAX);
          const sent = sizes.map(body);
          const kept: Frame[] = [];
          let count = 0;
          const fault = feed(reader, Buffer.concat(sent.map(framed)), chunks, (frame) => {
            const bytes = frame.buffer.subarray(0, frame.size);
            expect(bytes.equals(sent[count] as Buffer)).toBe(true);
            if (keep[count % keep.length]) kept.push(frame);
            else pool.giveBack(frame.buffer);
            count++;
          });
          expect(fault).toBeUndefined();
          expect(count).toBe(sent.length);
          // No two frames share a buffer while both are owned.
          expect(new Set(kept.map(({ buffer }) => buffer)).size).toBe(kept.length);
          for (const frame of kept) {
            const same = sent.some((bytes) => bytes.equals(frame.buffer.subarray(0, frame.size)));
            expect(same).toBe(true);
          }
        },
      ),
      { numRuns: 30 },
    );
  });

  test.each([0, -1, -2_147_483_648, MAX + 1, 2_147_483_647])('a frame of %i bytes closes the stream', (size) => {
    const head = Buffer.alloc(4);
    head.writeInt32BE(size, 0);
    const reader = new FrameReader(new FramePool(0), MAX);
    expect(reader.read(head, () => expect.unreachable())).toMatch(/frame of -?\d+ bytes/);
  });

  test('the frames before a bad one are handed out', () => {
    const reader = new FrameReader(new FramePool(0), MAX);
    const sizes: number[] = [];
    const bad = Buffer.from([0xff, 0xff, 0xff, 0xff, 1, 2]);
    const fault = reader.read(Buffer.concat([framed(body(5, 1)), bad]), (frame) => sizes.push(frame.size));
    expect(sizes).toEqual([5]);
    expect(fault).toBe('a frame of -1 bytes');
  });

  test('an announced size takes no memory that did not come', () => {
    const taken: number[] = [];
    class CountingPool extends FramePool {
      override take(size: number): Buffer {
        taken.push(size);
        return super.take(size);
      }
    }
    const reader = new FrameReader(new CountingPool(0), 100 << 20);
    const head = Buffer.alloc(4 + 1000);
    head.writeInt32BE(100 << 20, 0);
    reader.read(head, () => expect.unreachable());
    expect(Math.max(...taken)).toBeLessThanOrEqual(1 << 20);
  });
});

describe('FramePool', () => {
  test('gives at least what is asked for, and a buffer back to one taker only', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 5 << 20 }), { maxLength: 12 }), (sizes) => {
        const pool = new FramePool(16 << 20);
        const owned = new Set<Buffer>();
        for (const [i, size] of sizes.entries()) {
          const buffer = pool.take(size);
          expect(buffer.length).toBeGreaterThanOrEqual(size);
          expect(owned.has(buffer)).toBe(false);
          if (i % 2 === 0) owned.add(buffer);
          else pool.giveBack(buffer);
        }
      }),
      { numRuns: 50 },
    );
  });

  test('uses a buffer again, and keeps no more than its budget', () => {
    const pool = new FramePool(8192);
    const [first, second, third] = [pool.take(4096), pool.take(4096), pool.take(4096)];
    for (const buffer of [first, second, third]) pool.giveBack(buffer);
    const again = [pool.take(4000), pool.take(4000), pool.take(4000)];
    expect(again).toContain(first);
    expect(again).toContain(second);
    expect(again).not.toContain(third);
  });

  test('lends exactly what is asked for, and takes back by any view of it, once', () => {
    const pool = new FramePool(1 << 20);
    const page = pool.lend(100_000);
    expect(page.length).toBe(100_000);
    const view = page.subarray(10, 20);
    expect(pool.isLent(view)).toBe(true);
    pool.takeBack(view);
    pool.takeBack(page);
    expect(pool.isLent(page)).toBe(false);
    const [again, other] = [pool.lend(100_000), pool.lend(100_000)];
    expect(again.buffer).toBe(page.buffer);
    expect(other.buffer).not.toBe(page.buffer);
  });

  test('what node keeps slices of is never lent', () => {
    const pool = new FramePool(1 << 20);
    const small = pool.lend(100);
    expect(small.length).toBe(100);
    expect(pool.isLent(small)).toBe(false);
    expect(pool.isLent(Buffer.from('x'))).toBe(false);
    pool.takeBack(small);
  });
});
