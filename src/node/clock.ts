// The real clock: `performance.now` for everything that waits, `Date.now` for stamps only (M-3).
import { assert } from '../base/assert.ts';
import type { Ms } from '../base/ids.ts';
import type { Clock, Timer } from '../env/clock.ts';

/** The longest delay that `setTimeout` takes, 24.8 days; it runs longer ones at once. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

export function createClock(): Clock {
  return {
    now: () => performance.now(),
    wallTime: () => Date.now(),
    schedule,
  };
}

function schedule(delayMs: Ms, callback: () => void): Timer {
  assert(delayMs >= 0, () => `a timer cannot run ${delayMs} ms from now`);
  const dueAt = performance.now() + delayMs;
  const arm = (): NodeJS.Timeout => {
    // Rounded up: setTimeout drops fractions, and a timer never fires early.
    const remainingMs = Math.max(0, Math.ceil(dueAt - performance.now()));
    return setTimeout(fire, Math.min(remainingMs, MAX_TIMEOUT_MS));
  };
  const fire = (): void => {
    if (performance.now() < dueAt) timeout = arm();
    else callback();
  };
  let timeout = arm();
  return { cancel: () => clearTimeout(timeout) };
}
