// The core's timers over the Clock: one of each id; a firing carries the generation that the core gave it.
import type { Clock, Timer } from '../env/clock.ts';
import type { RaftEffect, TimerId } from '../raft/types.ts';

export class RaftTimers {
  readonly #clock: Clock;
  readonly #fired: (id: TimerId, generation: number) => void;
  readonly #timers = new Map<TimerId, Timer>();

  constructor(clock: Clock, fired: (id: TimerId, generation: number) => void) {
    this.#clock = clock;
    this.#fired = fired;
  }

  set({ id, generation, at }: Extract<RaftEffect, { type: 'setTimer' }>): void {
    this.#timers.get(id)?.cancel();
    const timer = this.#clock.schedule(Math.max(0, at - this.#clock.now()), () => {
      this.#timers.delete(id);
      this.#fired(id, generation);
    });
    this.#timers.set(id, timer);
  }

  cancel(id: TimerId): void {
    this.#timers.get(id)?.cancel();
    this.#timers.delete(id);
  }

  stop(): void {
    for (const timer of this.#timers.values()) timer.cancel();
    this.#timers.clear();
  }
}
