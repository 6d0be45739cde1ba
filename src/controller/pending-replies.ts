// Answers that wait for their batch to be committed (C-0.2), in order of offsets. Each is given exactly once.
import type { Ms, Offset } from '../base/ids.ts';
import { NO_NODE } from '../base/ids.ts';
import type { Clock, Timer } from '../env/clock.ts';
import { RpcError } from '../env/network.ts';

interface Reply {
  readonly endOffset: Offset;
  readonly timer: Timer | undefined;
  readonly complete: () => void;
  readonly fail: (error: RpcError) => void;
}

/** Bound on calls that wait, for a leader that cannot commit. */
const MAX_PENDING = 20_000;

export class PendingReplies {
  readonly #clock: Clock;
  readonly #replies = new Set<Reply>();
  /** Who waits until there are none. */
  #whenNone: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get size(): number {
    return this.#replies.size;
  }

  /** No more calls should be taken. */
  get full(): boolean {
    return this.#replies.size >= MAX_PENDING;
  }

  /**
   * Resolves once everything below `endOffset` is committed; calls come with rising `endOffset`.
   * RpcError DEADLINE_EXCEEDED after `remainingMs` (Infinity: never), or what {@link failAll} says.
   */
  add(endOffset: Offset, remainingMs: Ms): Promise<void> {
    return new Promise((resolve, reject) => {
      const late = 'not committed before the deadline; it may still take effect';
      const detail = { reason: 'DEADLINE', mayTakeEffect: true, controllerId: NO_NODE };
      const timer = Number.isFinite(remainingMs)
        ? this.#clock.schedule(Math.max(0, remainingMs), () => {
            this.#remove(reply);
            // Made here: an error costs as much as the rest of the call, and most calls are answered.
            reject(new RpcError('DEADLINE_EXCEEDED', late, undefined, detail));
          })
        : undefined;
      const reply: Reply = { endOffset, timer, complete: resolve, fail: reject };
      this.#replies.add(reply);
    });
  }

  /** Everything below `committedEndOffset` is committed and applied. */
  settle(committedEndOffset: Offset): void {
    for (const reply of this.#replies) {
      if (reply.endOffset > committedEndOffset) break;
      this.#remove(reply);
      reply.complete();
    }
  }

  /** None of them will be known to be committed. `error` makes the error of each. */
  failAll(error: () => RpcError): void {
    for (const reply of this.#replies) {
      this.#remove(reply);
      reply.fail(error());
    }
  }

  /** Resolves when there are none, or after `limitMs`. Asked once. */
  none(limitMs: Ms): Promise<void> {
    if (this.#replies.size === 0) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = this.#clock.schedule(limitMs, resolve);
      this.#whenNone = () => {
        timer.cancel();
        resolve();
      };
    });
  }

  #remove(reply: Reply): void {
    this.#replies.delete(reply);
    reply.timer?.cancel();
    if (this.#replies.size === 0) this.#whenNone?.();
  }
}
