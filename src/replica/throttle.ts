// Holds background work to so many bytes per second. What was not used in a moment can be made up for in the next second, not later.
import type { Ms } from '../base/ids.ts';
import type { Clock, Timer } from '../env/clock.ts';

/** Shorter waits than this are saved up: a timer is no finer. */
const MIN_WAIT_MS = 5;
const MAX_SAVED_MS = 1000;

export class Throttle {
  readonly #clock: Clock;
  readonly #bytesPerSecond: number;
  /** When all that was taken is paid for. */
  #paidAt: Ms;
  #timer: Timer | undefined;
  #wake: (() => void) | undefined;
  #released = false;

  constructor(clock: Clock, bytesPerSecond: number) {
    this.#clock = clock;
    this.#bytesPerSecond = bytesPerSecond;
    this.#paidAt = clock.now();
  }

  /** Takes so many bytes; wait for what it returns, if anything, before they are moved. One caller at a time. */
  take(bytes: number): Promise<void> | undefined {
    if (this.#released) return undefined;
    const now = this.#clock.now();
    this.#paidAt = Math.max(this.#paidAt, now - MAX_SAVED_MS) + (bytes * 1000) / this.#bytesPerSecond;
    const waitMs = this.#paidAt - now;
    return waitMs < MIN_WAIT_MS ? undefined : this.#wait(waitMs);
  }

  #wait(ms: Ms): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
      this.#timer = this.#clock.schedule(ms, resolve);
    });
  }

  /** Nobody waits any more, nor from now on. */
  release(): void {
    this.#released = true;
    this.#timer?.cancel();
    this.#wake?.();
  }
}
