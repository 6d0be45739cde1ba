// With log.flush.mode=async nobody waits for the disk; flush.messages and flush.ms bound what a power cut may take all the same.
// One flush at a time; what is appended meanwhile counts for the next.
import type { TopicConfig } from '../config/topic-config.ts';
import type { Clock, Timer } from '../env/clock.ts';

/** Never, as the configs' largest value means it. */
const NEVER = Number.MAX_SAFE_INTEGER;

export class LazyFlush {
  readonly #clock: Clock;
  readonly #flush: () => Promise<void>;
  #timer: Timer | undefined;
  #running = false;
  /** Asked for while one was running: that may have begun too early. */
  #again = false;

  /** `flush` makes everything durable that is in the log when it is called, and does not reject. */
  constructor(clock: Clock, flush: () => Promise<void>) {
    this.#clock = clock;
    this.#flush = flush;
  }

  /** To be called after an append; `unflushed`: records that are not durable. */
  appended(unflushed: number, { flushMessages, flushMs }: Pick<TopicConfig, 'flushMessages' | 'flushMs'>): void {
    if (unflushed >= flushMessages) void this.#run();
    else if (flushMs < NEVER && unflushed > 0) this.#timer ??= this.#clock.schedule(flushMs, () => void this.#run());
  }

  /** Nothing is flushed for this any more. */
  cancel(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  async #run(): Promise<void> {
    this.cancel();
    this.#again = this.#running;
    if (this.#running) return;
    this.#running = true;
    try {
      do {
        this.#again = false;
        await this.#flush();
      } while (this.#again);
    } finally {
      this.#running = false;
    }
  }
}
