// The Clock port's promises.
import { describe, expect, it } from 'vitest';
import { sleep } from '../../src/env/clock.ts';
import type { Harness } from './harness.ts';
import { signal } from './harness.ts';

export function clockSuite(name: string, harness: Harness): void {
  describe(`${name} clock`, () => {
    it('never fires early, and not inside schedule', () =>
      harness.run(async ({ env: { clock } }) => {
        for (const delayMs of [0, 0.5, 1, 7.25, 20]) {
          const fired = signal<number>();
          const scheduledAt = clock.now();
          let returned = false;
          clock.schedule(delayMs, () => {
            expect(returned).toBe(true);
            fired.resolve(clock.now());
          });
          returned = true;
          expect((await fired.promise) - scheduledAt).toBeGreaterThanOrEqual(delayMs);
        }
      }));

    it('never goes back', () =>
      harness.run(async ({ env: { clock } }) => {
        let last = clock.now();
        for (let round = 0; round < 20; round++) {
          await sleep(clock, round % 3);
          expect(clock.now()).toBeGreaterThanOrEqual(last);
          last = clock.now();
        }
      }));

    it('does not run a cancelled timer, and takes a late cancel', () =>
      harness.run(async ({ env: { clock } }) => {
        let ran = 0;
        const cancelled = clock.schedule(5, () => {
          ran += 100;
        });
        const kept = clock.schedule(5, () => {
          ran += 1;
        });
        cancelled.cancel();
        cancelled.cancel();
        await sleep(clock, 30);
        expect(ran).toBe(1);
        kept.cancel();
      }));

    it('keeps a timer that is due in months', () =>
      harness.run(async ({ env: { clock } }) => {
        let ran = false;
        const timer = clock.schedule(2 ** 31 * 3, () => {
          ran = true;
        });
        await sleep(clock, 5);
        expect(ran).toBe(false);
        timer.cancel();
      }));

    it('tells the time since 1970', () =>
      harness.run(async ({ env: { clock } }) => {
        expect(Number.isSafeInteger(clock.wallTime())).toBe(true);
        expect(clock.wallTime()).toBeGreaterThanOrEqual(0);
      }));
  });
}
