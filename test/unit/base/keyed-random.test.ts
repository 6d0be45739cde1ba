import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { hash32, KeyedRandom, keyedUint32, mix32 } from '../../../src/base/keyed-random.ts';

const keys = fc.string({ maxLength: 12 });
const seeds = fc.integer();

test('hash32 is FNV-1a', () => {
  // Landon Curt Noll's test vectors.
  expect(hash32('')).toBe(0x811c9dc5);
  expect(hash32('a')).toBe(0xe40c292c);
  expect(hash32('foobar')).toBe(0xbf9cf968);
});

test('mix32 is the finalizer of murmur3: a permutation that keeps zero', () => {
  expect(mix32(0)).toBe(0);
  expect(mix32(1)).toBe(0x514e28b7);
  expect(mix32(-1)).toBe(0x81f16f39);
});

test('the same seed draws the same', () => {
  fc.assert(
    fc.property(seeds, fc.array(keys), (seed, order) => {
      const one = new KeyedRandom(seed);
      const other = new KeyedRandom(seed);
      for (const key of order) expect(one.uint32(key)).toBe(other.uint32(key));
    }),
  );
});

test('draws of one key do not depend on those of others', () => {
  fc.assert(
    fc.property(seeds, keys, fc.array(keys), (seed, key, others) => {
      const alone = new KeyedRandom(seed);
      const among = new KeyedRandom(seed);
      for (const other of others.filter((name) => name !== key)) among.uint32(other);
      expect([among.uint32(key), among.uint32(key)]).toEqual([alone.uint32(key), alone.uint32(key)]);
      expect(alone.uint32(key)).toBe(keyedUint32(seed, hash32(key), 2));
    }),
  );
});

test('chance draws whatever the probability, so that changing it shifts nothing', () => {
  const fixed = new KeyedRandom(7);
  const changed = new KeyedRandom(7);
  expect(fixed.chance('loss', 0)).toBe(false);
  expect(changed.chance('loss', 1)).toBe(true);
  expect(fixed.uint32('loss')).toBe(changed.uint32('loss'));
});

test('below stays below, and bytes has its length', () => {
  fc.assert(
    fc.property(seeds, keys, fc.integer({ min: 1, max: 2 ** 32 }), fc.nat(40), (seed, key, bound, count) => {
      const random = new KeyedRandom(seed);
      const value = random.below(key, bound);
      expect(Number.isInteger(value) && value >= 0 && value < bound).toBe(true);
      expect(random.bytes(key, count)).toHaveLength(count);
    }),
  );
});

test('draws are spread evenly over values, keys and seeds', () => {
  const streams: [string, (i: number) => number][] = [
    ['counters', (i) => keyedUint32(1, 2, i)],
    ['keys', (i) => keyedUint32(1, hash32(`broker-${i}`), 0)],
    ['seeds', (i) => keyedUint32(i, 2, 0)],
  ];
  for (const [name, draw] of streams) {
    const buckets = Array.from({ length: 16 }, () => 0);
    for (let i = 0; i < 16_000; i++) {
      const at = draw(i) >>> 28;
      buckets[at] = (buckets[at] ?? 0) + 1;
    }
    // Chi-squared with 15 degrees of freedom: 37.7 is passed once in a thousand.
    const chiSquared = buckets.reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0);
    expect(chiSquared, name).toBeLessThan(37.7);
  }
});
