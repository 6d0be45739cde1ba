// Manual placement as Kafka's tools write it: partitions separated by commas, the brokers of each by colons.
import type { ReplicaAssignment } from '../gen/kvorum/v1/admin.ts';
import { UsageError } from './failure.ts';

/** `4:5:6,5:6:4` is two partitions of three replicas. The first has the number `firstPartition`. */
export function replicaAssignment(text: string, firstPartition = 0): ReplicaAssignment[] {
  return text.split(',').map((brokers, i) => ({
    partition: firstPartition + i,
    replicas: brokers.split(':').map((id) => {
      if (/^\d{1,9}$/.test(id)) return Number(id);
      throw new UsageError(
        `--replica-assignment takes broker ids like 4:5:6,5:6:4 (one list per partition), not '${text}'`,
      );
    }),
  }));
}
