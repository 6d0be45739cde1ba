// High-watermark arithmetic (D-6), pure. `highWatermark <= log end` always; it never falls within one leader epoch.
import type { Offset } from '../base/ids.ts';

export interface HighWatermarkInputs {
  readonly current: Offset;
  /** The leader's own log end (the flushed one with log.flush.mode=sync, M-8). */
  readonly ownEndOffset: Offset;
  /** The least log end of all others that it waits for: the *maximal* ISR (D-5.2), and who is about to join it (D-6.3); Infinity: none. */
  readonly slowestEndOffset: Offset;
  readonly committedIsrSize: number;
  /** effectiveMinIsr(): the same number for the controller. */
  readonly minIsr: number;
}

/** The high watermark after a log end or the ISR changed. */
export function nextHighWatermark(inputs: HighWatermarkInputs): Offset {
  const { current, ownEndOffset, slowestEndOffset, committedIsrSize, minIsr } = inputs;
  if (committedIsrSize < minIsr) return current; // D-6.1 (strict min ISR)
  return Math.max(current, Math.min(ownEndOffset, slowestEndOffset)); // D-6.2, D-6.4
}
