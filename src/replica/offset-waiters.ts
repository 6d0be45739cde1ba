// Those who wait for an offset to be reached (flushed, or committed): answered in offset order, or all failed at once (D-0.4).
import type { Offset } from '../base/ids.ts';

export class OffsetWaiters<Failure> {
  /** Ascending by endOffset, equals in the order they came. `#answered` of them are done and not yet dropped. */
  #queue: { readonly endOffset: Offset; readonly resolve: (failure: Failure | undefined) => void }[] = [];
  #answered = 0;

  /** Resolves with undefined once `reached(end)` with end >= endOffset was said, or with the failure. */
  wait(endOffset: Offset): Promise<Failure | undefined> {
    return new Promise((resolve) => {
      const queue = this.#queue;
      // Appends come in log order; only the repetition of an earlier batch (D-7.5) goes further to the front.
      let at = queue.length;
      while (at > this.#answered && (queue[at - 1] as { endOffset: Offset }).endOffset > endOffset) at--;
      queue.splice(at, 0, { endOffset, resolve });
    });
  }

  reached(end: Offset): void {
    const queue = this.#queue;
    while (this.#answered < queue.length) {
      const next = queue[this.#answered];
      if (next === undefined || next.endOffset > end) break;
      this.#answered++;
      next.resolve(undefined);
    }
    if (this.#answered > 64 && this.#answered * 2 > queue.length) {
      this.#queue = queue.slice(this.#answered);
      this.#answered = 0;
    }
  }

  fail(failure: Failure): void {
    const failed = this.#queue.slice(this.#answered);
    this.#queue = [];
    this.#answered = 0;
    for (const { resolve } of failed) resolve(failure);
  }
}
