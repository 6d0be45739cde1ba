// The Clock port. Weakness: timers fire late, never early; a paused process gets all its due timers in a burst.
import type { Ms } from '../base/ids.ts';

export interface Timer {
  /** The callback will not run any more. Harmless after it ran. */
  cancel(): void;
}

export interface Clock {
  /** Monotonic milliseconds since an arbitrary start; the only clock that timers and timeouts use (M-3). */
  now(): Ms;
  /** Milliseconds since 1970. May jump either way: it stamps records and log lines, and decides nothing. */
  wallTime(): number;
  /** Runs the callback once, `delayMs` (>= 0) from now or later. */
  schedule(delayMs: Ms, callback: () => void): Timer;
}

/** Resolves after `delayMs`. */
export function sleep(clock: Clock, delayMs: Ms): Promise<void> {
  return new Promise((resolve) => {
    clock.schedule(delayMs, resolve);
  });
}
