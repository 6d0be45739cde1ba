// The real clock: delays beyond what setTimeout takes.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createClock } from '../../../src/node/clock.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

describe('clock', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('keeps delays longer than 24.8 days', () => {
    const fired = vi.fn();
    createClock().schedule(60 * DAY_MS, fired);
    vi.advanceTimersByTime(59 * DAY_MS);
    expect(fired).not.toHaveBeenCalled();
    vi.advanceTimersByTime(DAY_MS);
    expect(fired).toHaveBeenCalledTimes(1);
  });

  it('cancels a long delay after its first part', () => {
    const fired = vi.fn();
    const timer = createClock().schedule(60 * DAY_MS, fired);
    vi.advanceTimersByTime(30 * DAY_MS);
    timer.cancel();
    vi.advanceTimersByTime(60 * DAY_MS);
    expect(fired).not.toHaveBeenCalled();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('refuses a delay that is not a time to come', () => {
    expect(() => createClock().schedule(-1, () => undefined)).toThrow('-1 ms');
    expect(() => createClock().schedule(Number.NaN, () => undefined)).toThrow('NaN ms');
  });
});
