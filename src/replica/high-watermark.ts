// High-watermark arithmetic (D-6), pure. `highWatermark <= log end` always; it never falls within one leader epoch.
import type { Offset } from '../base/ids.ts';

export interface HighWatermarkInputs {
  readonly current: Offset;
  /** Log ends of the *maximal* ISR, the leader's own included (flushed ends with log.flush.mode=sync, M-8). Not empty. */
  readonly maximalIsrEndOffsets: readonly Offset[];
  readonly committedIsrSize: number;
  readonly minInsyncReplicas: number;
  readonly replicationFactor: number;
}

/** D-6.1: min.insync.replicas, capped at the number of replicas. */
export function effectiveMinIsr(minInsyncReplicas: number, replicationFactor: number): number {
  return Math.min(minInsyncReplicas, replicationFactor);
}

/** The high watermark after a log end or the ISR changed. */
export function nextHighWatermark(inputs: HighWatermarkInputs): Offset {
  const { current, maximalIsrEndOffsets, committedIsrSize } = inputs;
  // D-6.1 (strict min ISR)
  if (committedIsrSize < effectiveMinIsr(inputs.minInsyncReplicas, inputs.replicationFactor)) return current;
  let smallest = Number.POSITIVE_INFINITY;
  for (const endOffset of maximalIsrEndOffsets) if (endOffset < smallest) smallest = endOffset;
  return smallest > current && Number.isFinite(smallest) ? smallest : current; // D-6.2, D-6.4
}
