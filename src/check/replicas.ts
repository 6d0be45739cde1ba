// The logs of a partition's replicas, side by side: S-D7.
import type { Epoch, NodeId, Offset } from '../base/ids.ts';
import type { Place } from './history.ts';
import { groupBy, placeName } from './history.ts';
import type { Violation } from './violation.ts';
import { firstViolation, violation } from './violation.ts';

export interface ReplicaBatch {
  readonly baseOffset: Offset;
  readonly leaderEpoch: Epoch;
  readonly crc: number;
}

export interface ReplicaLog extends Place {
  readonly brokerId: NodeId;
  /** What it knows to be committed. */
  readonly highWatermark: Offset;
  /** By offset, without holes, from the log's start on. */
  readonly batches: readonly ReplicaBatch[];
}

/** S-D7: below the high watermarks of both two replicas hold the same batches, where neither has deleted its head. */
export function checkReplicasAgree(replicas: readonly ReplicaLog[]): Violation | undefined {
  return firstViolation(groupBy(replicas, placeName), ([place, group]) => {
    const [first, ...others] = group as [ReplicaLog, ...ReplicaLog[]];
    return firstViolation(others, (other) => {
      const start = Math.max(startOf(first), startOf(other));
      const end = Math.min(first.highWatermark, other.highWatermark);
      const isCommon = ({ baseOffset }: ReplicaBatch): boolean => baseOffset >= start && baseOffset < end;
      const ours = first.batches.filter(isCommon);
      const theirs = other.batches.filter(isCommon);
      const at = Array.from({ length: Math.max(ours.length, theirs.length) }).findIndex(
        (_, i) => show(ours[i]) !== show(theirs[i]),
      );
      if (at < 0) return undefined;
      const what = `broker ${first.brokerId} has ${show(ours[at])}, broker ${other.brokerId} has ${show(theirs[at])}`;
      return violation('S-D7', `${place}, both committed up to ${end}: ${what}`);
    });
  });
}

function startOf({ batches, highWatermark }: ReplicaLog): Offset {
  return batches[0]?.baseOffset ?? highWatermark;
}

function show(batch: ReplicaBatch | undefined): string {
  if (batch === undefined) return 'nothing';
  return `offset ${batch.baseOffset} of epoch ${batch.leaderEpoch}, CRC ${batch.crc.toString(16)}`;
}
