// The Random port's promises.
import { describe, expect, it } from 'vitest';
import { randomUuid } from '../../src/env/random.ts';
import type { Harness } from './harness.ts';

export function randomSuite(name: string, harness: Harness): void {
  describe(`${name} random`, () => {
    it('draws 32-bit integers', () =>
      harness.run(async ({ env: { random } }) => {
        const drawn = Array.from({ length: 200 }, () => random.uint32('test'));
        for (const value of drawn) {
          expect(Number.isInteger(value)).toBe(true);
          expect(value).toBeGreaterThanOrEqual(0);
          expect(value).toBeLessThan(2 ** 32);
        }
        expect(new Set(drawn).size).toBeGreaterThan(190);
      }));

    it('draws below a bound, and reaches all of a small one', () =>
      harness.run(async ({ env: { random } }) => {
        const seen = new Set(Array.from({ length: 500 }, () => random.below('test', 3)));
        expect(seen).toEqual(new Set([0, 1, 2]));
        expect(random.below('test', 1)).toBe(0);
        const large = random.below('test', 2 ** 40);
        expect(Number.isInteger(large) && large >= 0 && large < 2 ** 40).toBe(true);
      }));

    it('gives as many bytes as asked, other ones each time', () =>
      harness.run(async ({ env: { random } }) => {
        expect(random.bytes('test', 0)).toHaveLength(0);
        expect(random.bytes('test', 33)).toHaveLength(33);
        expect(new Set(Array.from({ length: 100 }, () => randomUuid(random, 'test'))).size).toBe(100);
      }));
  });
}
