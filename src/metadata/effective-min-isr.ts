// min.insync.replicas as it counts for one partition (C-5.5, C-10.1, D-6.1): the same number for the controller, which keeps the ELR by
// it, and for the leader, which acknowledges by it.
import type { PartitionState } from './image.ts';

/** Capped at the number of replicas that are there to stay: those that a reassignment adds do not count before it is complete. */
export function effectiveMinIsr(
  minInsyncReplicas: number,
  { replicas, adding }: Pick<PartitionState, 'replicas' | 'adding'>,
): number {
  return Math.max(1, Math.min(minInsyncReplicas, replicas.length - adding.length));
}
