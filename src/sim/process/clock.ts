// The simulated Clock: each process has its own rate (S-X4) and its own idea of the wall time. Timers never fire early
// by the process's clock, also when its rate changes meanwhile, and a little late at random.
import { assert } from '../../base/assert.ts';
import type { Ms } from '../../base/ids.ts';
import type { Clock, Timer } from '../../env/clock.ts';
import type { SimEvent } from '../world/event.ts';
import type { Incarnation } from '../world/incarnation.ts';
import type { Scheduler } from '../world/scheduler.ts';

/** Wall time at virtual time 0: 2026-01-01T00:00:00Z. */
const WALL_START_MS = 1_767_225_600_000;
/** Timers are late by up to this much. */
const LATENESS_US = 100;

/** The quartz of one process: survives its incarnations. */
export class SimQuartz {
  readonly #scheduler: Scheduler;
  #rate: number;
  #wallSkewMs = 0;
  #anchorUs = 0;
  #anchorMs = 0;
  /** How to set each pending timer again. */
  readonly armed = new Set<() => void>();

  constructor(scheduler: Scheduler, rate: number) {
    assert(rate > 0, 'a clock runs forward');
    this.#scheduler = scheduler;
    this.#rate = rate;
  }

  /** Local milliseconds since the start of the world. */
  nowMs(): Ms {
    return this.#anchorMs + ((this.#scheduler.nowUs - this.#anchorUs) * this.#rate) / 1000;
  }

  wallMs(): number {
    return Math.floor(WALL_START_MS + this.nowMs() + this.#wallSkewMs);
  }

  /** World microseconds until the local clock shows `localMs`. */
  usUntil(localMs: Ms): number {
    return Math.max(0, Math.ceil(((localMs - this.nowMs()) * 1000) / this.#rate));
  }

  /** Timers that are due are due at another virtual time then. */
  setRate(rate: number): void {
    assert(rate > 0, 'a clock runs forward');
    if (rate === this.#rate) return;
    this.#anchorMs = this.nowMs();
    this.#anchorUs = this.#scheduler.nowUs;
    this.#rate = rate;
    for (const rearm of [...this.armed]) rearm();
  }

  /** The wall clock jumps; the monotonic one does not. */
  jumpWall(deltaMs: number): void {
    this.#wallSkewMs += deltaMs;
  }
}

/** The Clock port of one incarnation. */
export function simClock(scheduler: Scheduler, incarnation: Incarnation, quartz: SimQuartz): Clock {
  // Monotonic time means nothing across restarts, so every life starts somewhere else.
  const startMs = quartz.nowMs() - scheduler.random.below(`clock.start.${incarnation.host}`, 100_000);
  const latenessKey = `clock.lateness.${incarnation.host}`;
  // A host runs one process at a time.
  quartz.armed.clear();
  return {
    now: () => quartz.nowMs() - startMs,
    wallTime: () => quartz.wallMs(),
    schedule(delayMs: Ms, callback: () => void): Timer {
      assert(delayMs >= 0, () => `timer delay ${delayMs}`);
      const dueMs = quartz.nowMs() + delayMs;
      let event: SimEvent | undefined;
      const arm = (latenessUs: number): void => {
        event = scheduler.schedule(quartz.usUntil(dueMs) + latenessUs, 'timer', incarnation, fire);
      };
      const cancel = (): void => {
        if (event !== undefined) event.cancelled = true;
        quartz.armed.delete(rearm);
      };
      const rearm = (): void => {
        cancel();
        if (incarnation.isDead) return;
        quartz.armed.add(rearm);
        arm(1);
      };
      const fire = (): void => {
        if (quartz.nowMs() < dueMs) return arm(1);
        quartz.armed.delete(rearm);
        callback();
      };
      if (!incarnation.isDead && Number.isFinite(delayMs)) {
        quartz.armed.add(rearm);
        arm(1 + scheduler.random.below(latenessKey, LATENESS_US));
      }
      return { cancel };
    },
  };
}
